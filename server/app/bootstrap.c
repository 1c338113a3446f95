#include "app/bootstrap.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/random.h"
#include "dns/address_records.h"
#include "dns/presentation.h"
#include "upstream/channel.h"

#define AGAIN_MIN_NS NS_PER_S               /* after a first failure; doubled with each one more, */
#define UNKNOWN_NS   (10 * NS_PER_S)        /* up to this while no address is known, */
#define KNOWN_NS     (60 * NS_PER_S)        /* and up to this while the last ones are used */
#define TTL_MIN_NS   (5 * NS_PER_S)         /* a name is not looked up more often, however short its TTL, */
#define TTL_MAX_NS   (24 * 3600 * NS_PER_S) /* nor less often */

enum { FAMILIES = 2, JITTER_PERCENT = 10, LABELS_BYTES = 512 };

static const uint16_t types[FAMILIES] = {DNS_TYPE_A, DNS_TYPE_AAAA};

/* One question of a look-up. */
struct name_query {
    struct exchange exchange;
    struct upstream_name *owner;
    bool is_active;
    bool is_answered; /* in this look-up, with records or without */
    struct address_records found;
};

struct upstream_name {
    struct bootstrap *bootstrap;
    char name[UPSTREAM_NAME_MAX + 1];
    struct address_records records[FAMILIES]; /* in use */
    struct name_query queries[FAMILIES];
    uint64_t due_ns;   /* the next look-up */
    uint32_t ttl_s;    /* the smallest of this look-up */
    const char *why;   /* the look-up fails; NULL: it does not, so far */
    unsigned failures; /* in a row */
};

struct bootstrap {
    const struct log *log;
    struct loop *loop;
    struct buffers buffers;
    uint8_t *scratch;                 /* of `pool`; NULL before there is one */
    struct counters *counters;        /* the same; nobody reads them but the pool */
    struct pool *pool;                /* NULL: there is no name */
    struct bootstrap_options servers; /* of `pool` */
    struct random random;
    struct upstream_name names[UPSTREAMS_MAX];
    unsigned name_count;
};

/* ---- one look-up ---- */

static unsigned count_records(const struct upstream_name *name)
{
    return name->records[0].count + name->records[1].count;
}

static void write_records(const struct upstream_name *name, char text[static LABELS_BYTES])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned family = 0; family < FAMILIES; family++)
        for (unsigned i = 0; i < name->records[family].count; i++) {
            struct address address = {.port = 0};
            char ip[ADDRESS_TEXT_BYTES];
            memcpy(address.ip, name->records[family].ip[i], sizeof address.ip);
            used += (size_t)snprintf(text + used, LABELS_BYTES - used, "%s%s", used > 0 ? " " : "",
                                     address_format_ip(&address, ip));
        }
}

static void fail(struct upstream_name *name, const char *why, uint64_t now_ns)
{
    struct bootstrap *bootstrap = name->bootstrap;
    uint64_t most_ns = count_records(name) > 0 ? KNOWN_NS : UNKNOWN_NS;
    uint64_t wait_ns = AGAIN_MIN_NS << (name->failures < 6 ? name->failures : 6);
    if (wait_ns > most_ns) wait_ns = most_ns;
    name->due_ns = now_ns + random_jitter(&bootstrap->random, wait_ns, JITTER_PERCENT);
    if (name->failures++ > 0) return;
    log_warning(bootstrap->log, "upstream name not resolved", log_text("name", name->name), log_text("why", why),
                log_text("addresses", count_records(name) > 0 ? "the last ones stay in use" : "none is known"));
}

static void succeed(struct upstream_name *name, uint64_t now_ns)
{
    struct bootstrap *bootstrap = name->bootstrap;
    uint64_t ttl_ns = name->ttl_s * NS_PER_S;
    bool is_changed = false;
    if (ttl_ns < TTL_MIN_NS) ttl_ns = TTL_MIN_NS;
    if (ttl_ns > TTL_MAX_NS) ttl_ns = TTL_MAX_NS;
    name->due_ns = now_ns + ttl_ns;
    for (unsigned i = 0; i < FAMILIES; i++)
        if (name->queries[i].is_answered)
            is_changed |= address_records_update(&name->records[i], &name->queries[i].found);
    if (is_changed || name->failures > 0) {
        char text[LABELS_BYTES];
        write_records(name, text);
        log_info(bootstrap->log, "upstream name resolved", log_text("name", name->name), log_text("addresses", text),
                 log_number("again_in_s", ttl_ns / NS_PER_S));
    }
    name->failures = 0;
}

/* Both questions are over. One family alone is enough; of one that failed the last addresses stay. */
static void finish(struct upstream_name *name)
{
    uint64_t now_ns = name->bootstrap->loop->now_ns;
    if (name->queries[0].found.count + name->queries[1].found.count > 0)
        succeed(name, now_ns);
    else
        fail(name, name->why ? name->why : "it has no address", now_ns);
}

static void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct name_query *query = container_of(exchange, struct name_query, exchange);
    struct upstream_name *name = query->owner;
    const struct name_query *other = &name->queries[query == &name->queries[0]];
    uint16_t type = types[query - name->queries];
    const char *error = pool_error(name->bootstrap->pool);
    query->is_active = false;
    if (result == EXCHANGE_ANSWERED && answer->rcode == DNS_RCODE_NOERROR) {
        address_records_read(answer, type, &name->records[query - name->queries], &query->found);
        query->is_answered = true;
        if (query->found.count > 0 && answer->ttl_s < name->ttl_s) name->ttl_s = answer->ttl_s;
    } else if (result == EXCHANGE_ANSWERED) {
        name->why = answer->rcode == DNS_RCODE_NXDOMAIN ? "there is no such name" : "the servers of bootstrap refuse";
    } else {
        name->why = error ? error : exchange_result_text(result);
    }
    if (!other->is_active) finish(name);
}

static bool write_key(const char *name, uint16_t type, struct question_key *ret_key)
{
    uint8_t *bytes = ret_key->bytes;
    size_t size = presentation_parse_name(name, bytes);
    if (size == 0) return false;
    dns_put_u16(bytes + size, type);
    bytes[size + 2] = QUESTION_KEY_RD;
    ret_key->size = (uint16_t)(size + 3);
    return true;
}

static void begin(struct upstream_name *name, uint64_t now_ns)
{
    name->why = NULL;
    name->ttl_s = UINT32_MAX;
    name->due_ns = CLOCK_NEVER;
    for (unsigned i = 0; i < FAMILIES; i++) {
        struct name_query *query = &name->queries[i];
        *query = (struct name_query){.owner = name, .is_active = true};
        query->exchange.background = query->exchange.light = true;
        query->exchange.on_done = on_done;
        bool is_name = write_key(name->name, types[i], &query->exchange.key);
        CHECK(is_name); /* the configuration takes host names only */
    }
    for (unsigned i = 0; i < FAMILIES; i++) pool_submit(name->bootstrap->pool, &name->queries[i].exchange, now_ns);
}

static void cancel(struct upstream_name *name)
{
    for (unsigned i = 0; i < FAMILIES; i++) {
        if (name->queries[i].is_active) exchange_cancel(&name->queries[i].exchange);
        name->queries[i].is_active = false;
    }
    if (name->due_ns == CLOCK_NEVER) name->due_ns = 0;
}

/* ---- life ---- */

struct bootstrap *bootstrap_new(const struct log *log)
{
    struct bootstrap *bootstrap = calloc(1, sizeof *bootstrap);
    if (!bootstrap) return NULL;
    bootstrap->log = log;
    bootstrap->random.state = clock_now_ns();
    buffers_init(&bootstrap->buffers);
    return bootstrap;
}

void bootstrap_set_loop(struct bootstrap *bootstrap, struct loop *loop)
{
    bootstrap->loop = loop;
}

static void free_pool(struct bootstrap *bootstrap)
{
    for (unsigned i = 0; i < bootstrap->name_count; i++) cancel(&bootstrap->names[i]);
    pool_free(bootstrap->pool);
    bootstrap->pool = NULL;
}

void bootstrap_free(struct bootstrap *bootstrap)
{
    if (!bootstrap) return;
    free_pool(bootstrap);
    buffers_done(&bootstrap->buffers);
    counters_free(bootstrap->counters);
    free(bootstrap->scratch);
    free(bootstrap);
}

/* ---- configuration ---- */

bool bootstrap_is_needed(const struct config *config)
{
    for (unsigned i = 0; i < config->pool.upstream_count; i++)
        if (upstream_is_named(&config->pool.upstreams[i])) return true;
    return false;
}

static struct pool_options options_of(const struct config *config)
{
    struct pool_options options = config->pool;
    memcpy(options.upstreams, config->bootstrap.servers, sizeof config->bootstrap.servers);
    options.upstream_count = config->bootstrap.count;
    options.first_series = 0; /* of counters that are its own */
    options.route = "bootstrap";
    options.keep_warm = false;
    return options;
}

static bool is_same_server(const struct upstream_options *a, const struct upstream_options *b)
{
    return address_equal(&a->address, &b->address) && a->transport == b->transport && strcmp(a->name, b->name) == 0;
}

static bool are_same_servers(const struct bootstrap_options *a, const struct bootstrap_options *b)
{
    if (a->count != b->count) return false;
    for (unsigned i = 0; i < a->count; i++)
        if (!is_same_server(&a->servers[i], &b->servers[i])) return false;
    return true;
}

bool bootstrap_prepare(struct bootstrap *bootstrap, const struct config *config, struct tls_context *tls,
                       struct pool **ret_pool)
{
    _Static_assert((int)BOOTSTRAP_MAX <= (int)UPSTREAMS_MAX, "the servers are upstreams of one pool");
    *ret_pool = NULL;
    if (!bootstrap_is_needed(config)) return true;
    if (bootstrap->pool && are_same_servers(&bootstrap->servers, &config->bootstrap)) return true;
    CHECK(bootstrap->loop);
    if (!bootstrap->scratch) bootstrap->scratch = malloc(CHANNEL_SCRATCH_BYTES);
    if (!bootstrap->counters) bootstrap->counters = counters_new();
    if (!bootstrap->scratch || !bootstrap->counters) return false;
    const struct pool_deps deps = {
        .loop = bootstrap->loop,
        .buffers = &bootstrap->buffers,
        .scratch = bootstrap->scratch,
        .counters = bootstrap->counters,
        .log = bootstrap->log,
        .seed = clock_now_ns(),
    };
    const struct pool_options options = options_of(config);
    *ret_pool = pool_new(&options, tls, &deps);
    return *ret_pool;
}

static const struct upstream_name *find_name(const struct upstream_name *names, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names[i].name, name) == 0) return &names[i];
    return NULL;
}

/* No look-up is on its way. A name that is given twice (with two ports) is looked up once. */
static void set_names(struct bootstrap *bootstrap, const struct pool_options *configured)
{
    struct upstream_name former[UPSTREAMS_MAX];
    unsigned former_count = bootstrap->name_count;
    memcpy(former, bootstrap->names, sizeof former);
    bootstrap->name_count = 0;
    for (unsigned i = 0; i < configured->upstream_count; i++) {
        const struct upstream_options *upstream = &configured->upstreams[i];
        if (!upstream_is_named(upstream) || find_name(bootstrap->names, bootstrap->name_count, upstream->name))
            continue;
        const struct upstream_name *before = find_name(former, former_count, upstream->name);
        struct upstream_name *name = &bootstrap->names[bootstrap->name_count++];
        *name = before ? *before : (struct upstream_name){.bootstrap = bootstrap};
        memcpy(name->name, upstream->name, sizeof name->name);
        if (name->failures > 0) name->due_ns = 0; /* what was wrong may have been mended */
    }
}

void bootstrap_set(struct bootstrap *bootstrap, const struct config *config, struct tls_context *tls, struct pool *pool)
{
    const struct pool_options options = options_of(config);
    for (unsigned i = 0; i < bootstrap->name_count; i++) cancel(&bootstrap->names[i]);
    if (pool || !bootstrap_is_needed(config)) free_pool(bootstrap);
    set_names(bootstrap, &config->pool);
    if (pool) bootstrap->pool = pool;
    if (!bootstrap->pool) return;
    bootstrap->servers = config->bootstrap;
    bool is_same = pool_set_options(bootstrap->pool, &options);
    CHECK(is_same);
    pool_set_tls(bootstrap->pool, tls);
}

/* ---- turns ---- */

void bootstrap_tick(struct bootstrap *bootstrap, uint64_t now_ns)
{
    if (!bootstrap->pool) return;
    for (unsigned i = 0; i < bootstrap->name_count; i++)
        if (now_ns >= bootstrap->names[i].due_ns) begin(&bootstrap->names[i], now_ns);
    pool_tick(bootstrap->pool, now_ns);
    pool_flush(bootstrap->pool);
}

uint64_t bootstrap_deadline_ns(const struct bootstrap *bootstrap)
{
    if (!bootstrap->pool) return CLOCK_NEVER;
    uint64_t deadline_ns = pool_deadline_ns(bootstrap->pool);
    for (unsigned i = 0; i < bootstrap->name_count; i++)
        deadline_ns = clock_earlier(deadline_ns, bootstrap->names[i].due_ns);
    return deadline_ns;
}

/* ---- what is known ---- */

static bool is_there(const struct upstream_options *upstreams, unsigned count, const struct address *address)
{
    for (unsigned i = 0; i < count; i++)
        if (address_equal(&upstreams[i].address, address)) return true;
    return false;
}

/* Adds the addresses of the name as far as `most` upstreams; returns how many there are then. */
static unsigned add_addresses(const struct upstream_name *name, const struct upstream_options *configured,
                              struct upstream_options upstreams[static UPSTREAMS_MAX], unsigned count, unsigned most)
{
    for (unsigned family = 0; name && family < FAMILIES; family++)
        for (unsigned i = 0; i < name->records[family].count && count < most; i++) {
            struct upstream_options upstream = *configured;
            memcpy(upstream.address.ip, name->records[family].ip[i], sizeof upstream.address.ip);
            if (!is_there(upstreams, count, &upstream.address)) upstreams[count++] = upstream;
        }
    return count;
}

unsigned bootstrap_resolve(const struct bootstrap *bootstrap, const struct pool_options *configured,
                           struct upstream_options ret_upstreams[static UPSTREAMS_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < configured->upstream_count; i++) {
        const struct upstream_options *upstream = &configured->upstreams[i];
        unsigned most = UPSTREAMS_MAX - (configured->upstream_count - i - 1); /* one each is left for those behind it */
        if (upstream_is_named(upstream)) {
            const struct upstream_name *name = find_name(bootstrap->names, bootstrap->name_count, upstream->name);
            count = add_addresses(name, upstream, ret_upstreams, count, most);
        } else if (!is_there(ret_upstreams, count, &upstream->address)) {
            ret_upstreams[count++] = *upstream;
        }
    }
    CHECK(count <= UPSTREAMS_MAX);
    return count;
}

struct bootstrap_figures bootstrap_figures(const struct bootstrap *bootstrap)
{
    struct bootstrap_figures figures = {.names = bootstrap->name_count};
    for (unsigned i = 0; i < figures.names; i++)
        figures.failing += bootstrap->names[i].failures > 0 || count_records(&bootstrap->names[i]) == 0;
    return figures;
}
