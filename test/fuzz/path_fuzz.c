/* Any doings of two clients and an upstream, through the whole path of the program: what comes in at a socket, limits,
 * judging, cache, merging, replies, and what goes out. The first octet is the settings; then each step is an octet that
 * says what is done, by whom, and whether a turn of the loop follows, and what that wants to know.
 *
 * Whatever happens: each query that was handed over ends once; each reply is well-formed and to something that its
 * client asked and was not answered before, with that question's data; in the end all is given back. */
#include "path_client.h"

#include "dns/edns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 2, TURNS_MAX = 20000, TYPE_OPAQUE = 65280, BIG_BYTES = 8192, MANY = 60 };

/* The first octet. */
enum {
    RATE_LIMITED = 1,
    RATE_DROPS = 2,
    FEW_IN_FLIGHT = 4,
    MIN_TTL = 8,
    NO_CACHE = 16,
    REFUSED = 32,
    SMALL = 64,
    CROWDED = 128
};

/* A step's octet: what is done, and these. */
enum { STEP_WHAT = 0x0f, STEP_SECOND = 0x10, STEP_SAME_TURN = 0x20 };
enum {
    STEP_SEND,
    STEP_ASK,
    STEP_ANSWER,
    STEP_FORGE,
    STEP_GARBLE,
    STEP_FAIL,
    STEP_TIME,
    STEP_READ_OR_NOT,
    STEP_SHUT,
    STEP_LEAVE,
    STEP_DOWN_OR_UP,
    STEP_RELOAD,
    STEP_SHED,
    STEP_TOO_LONG,
    STEP_REFRESH,
    STEP_DRAIN
};

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static struct play {
    struct input input;
    struct path_client clients[CLIENTS];
    unsigned settings;
    uint64_t events; /* after which all had read everything */
    bool forged;     /* upstream said things of its own */
} play;

static unsigned take(void)
{
    return play.input.at < play.input.end ? *play.input.at++ : 0;
}

static const uint8_t *take_bytes(size_t *size)
{
    size_t left = (size_t)(play.input.end - play.input.at);
    const uint8_t *bytes = play.input.at;
    if (*size > left) *size = left;
    play.input.at += *size;
    return bytes;
}

/* All clients read what is there, and check it; true where something was. */
static bool read_all(void)
{
    bool some = false;
    for (int i = 0; i < CLIENTS; i++) some |= path_client_read(&play.clients[i], !play.forged);
    return some;
}

/* The same, but it does not look where nothing can have come: most of the time goes by in system calls. */
static void read_what_came(void)
{
    uint64_t events = world.ended + world_closed();
    if (events == play.events) return;
    if (!read_all()) play.events = events;
}

/* ---- clients ---- */

static void send_bytes(struct path_client *client)
{
    size_t size = take();
    const uint8_t *bytes = take_bytes(&size);
    path_client_send(client, bytes, size);
}

/* A frame with a sound query: name, spelling, type, flags and EDNS by `what`. */
static size_t make_query(uint8_t *frame, unsigned what, unsigned id)
{
    static const char *const names[] = {"\1a\4test", "\1A\4tEst", "\1b\4test", "\1c\1x\4test"};
    static const unsigned flags[] = {DNS_RD, 0, DNS_RD | DNS_AD, DNS_RD | DNS_CD};
    const char *name = names[what & 3];
    size_t size = FRAME_LENGTH_BYTES + DNS_HEADER_BYTES;
    memset(frame, 0, size);
    dns_put_u16(frame + 2, (uint16_t)id);
    dns_put_u16(frame + 4, (uint16_t)flags[what >> 2 & 3]);
    dns_put_u16(frame + 6, 1);
    memcpy(frame + size, name, strlen(name) + 1);
    size += strlen(name) + 1;
    dns_put_u16(frame + size, what & 0x10 ? TYPE_OPAQUE : DNS_TYPE_A);
    dns_put_u16(frame + size + 2, DNS_CLASS_IN);
    size += 4;
    if (what & 0x20) {
        dns_put_u16(frame + 12, 1);
        size += edns_write_query(frame + size, 0, what & 0x40, 0);
    }
    frame_put_length(frame, size - FRAME_LENGTH_BYTES);
    return size;
}

/* Some of them at once, with the ids that follow; in two pieces where the id's sixth bit says so. */
static void attempt(struct path_client *client)
{
    static const unsigned counts[] = {1, 1, 3, 9};
    static uint8_t frames[MANY * 64];
    unsigned what = take();
    unsigned id = take();
    unsigned count = what & 0x80 && id >> 6 == 3 ? MANY : counts[id >> 6];
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) size += make_query(frames + size, what, (id & 0x1f) + i);
    size_t first = id & 0x20 ? size - size / count / 2 : size;
    path_client_send(client, frames, first);
    if (first == size) return;
    world_turn();
    path_client_send(client, frames + first, size - first);
}

static void send_too_long(struct path_client *client)
{
    uint8_t frame[FRAME_LENGTH_BYTES + 2 * MAX_QUERY_BYTES];
    size_t size = make_query(frame, take(), take());
    memset(frame + size, 0, sizeof frame - size);
    frame_put_length(frame, sizeof frame - FRAME_LENGTH_BYTES);
    path_client_send(client, frame, sizeof frame);
}

static void leave_and_come_back(struct path_client *client)
{
    path_client_close(client);
    world_turn();
    path_client_open(client);
}

/* ---- upstream ---- */

static size_t put_record(uint8_t *out, unsigned type, uint32_t ttl, size_t data_size)
{
    dns_put_u16(out, 0xc000 | DNS_HEADER_BYTES);
    dns_put_u16(out + 2, (uint16_t)type);
    dns_put_u16(out + 4, DNS_CLASS_IN);
    dns_put_u32(out + 6, ttl);
    dns_put_u16(out + 10, (uint16_t)data_size);
    memset(out + 12, 0, data_size);
    return 12 + data_size;
}

static size_t put_front(uint8_t *out, const struct question_key *key, unsigned flags)
{
    size_t name_size = question_key_name_size(key);
    memset(out, 0, DNS_HEADER_BYTES);
    dns_put_u16(out + 2, (uint16_t)(DNS_QR | flags));
    dns_put_u16(out + 4, 1);
    memcpy(out + DNS_HEADER_BYTES, key->bytes, name_size + 2);
    dns_put_u16(out + DNS_HEADER_BYTES + name_size + 2, DNS_CLASS_IN);
    return DNS_HEADER_BYTES + name_size + 4;
}

/* A sound answer; which one, and for how long it is good, by an octet. */
static void answer(unsigned n)
{
    static const uint32_t ttls[] = {300, 0, 1, 2, 10, 3600, 604800, 0x80000000};
    static const unsigned rcodes[] = {DNS_RCODE_NOERROR, DNS_RCODE_NXDOMAIN, DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED};
    static uint8_t message[DNS_HEADER_BYTES + QUESTION_KEY_MAX + 64 + BIG_BYTES];
    const struct question_key *key = &world.asked[n]->key;
    unsigned what = take();
    uint32_t ttl = ttls[what & 7];
    unsigned rcode = rcodes[what >> 3 & 3];
    size_t size = put_front(message, key, DNS_RA | rcode);
    if (rcode == DNS_RCODE_NOERROR) {
        size += put_record(message + size, question_key_type(key), ttl, 4);
        dns_put_u32(message + size - 4, data_of(key));
        dns_put_u16(message + 6, 1);
    } else if (rcode == DNS_RCODE_NXDOMAIN) {
        size += put_record(message + size, DNS_TYPE_SOA, ttl, 22);
        message[size - 1] = 60;
        dns_put_u16(message + 8, 1);
    }
    if (what & 0x20) {
        size += put_record(message + size, TYPE_OPAQUE + 1, 300, BIG_BYTES);
        dns_put_u16(message + 10, 1);
    }
    world_answer(n, message, size);
}

/* One of its own: behind the question (or not even that) whatever the input says. */
static void forge(unsigned n, bool with_front)
{
    uint8_t message[DNS_HEADER_BYTES + QUESTION_KEY_MAX + 4 + UINT8_MAX];
    size_t size = 0;
    play.forged = true;
    if (with_front) {
        size = put_front(message, &world.asked[n]->key, take() << 8 | take());
        message[7] = (uint8_t)take(); /* how many records */
        message[11] = (uint8_t)take();
    }
    size_t rest = take();
    const uint8_t *bytes = take_bytes(&rest);
    memcpy(message + size, bytes, rest);
    world_answer(n, message, size + rest);
}

static void refresh(void)
{
    uint8_t frame[128];
    struct question question;
    struct question_key key;
    size_t size = make_query(frame, take(), 0);
    need(question_parse(frame + FRAME_LENGTH_BYTES, size - FRAME_LENGTH_BYTES, &question) == QUESTION_GOOD);
    question_key(&question, &key);
    forwarder_refresh(&world.forwarder, &key);
}

static void pass_time(void)
{
    static const uint64_t times_ms[] = {1,    20,   100,   500,    1000,    1800,    2000,
                                        5000, 9000, 30000, 300000, 3600000, 86400000};
    world.now_ns += times_ms[take() % (sizeof times_ms / sizeof *times_ms)] * NS_PER_MS;
    world.loop.now_ns = world.now_ns;
}

/* ---- settings ---- */

static struct world_options options_of(unsigned settings)
{
    return (struct world_options){
        .client =
            {
                .idle_timeout_ns = 30 * NS_PER_S,
                .read_timeout_ns = 5 * NS_PER_S,
                .first_timeout_ns = 10 * NS_PER_S,
                .max_in_flight = settings & FEW_IN_FLIGHT ? 2 : 100,
                .max_query_bytes = MAX_QUERY_BYTES,
                .max_unsent_bytes = MAX_UNSENT_BYTES,
                .max_buffered_bytes = settings & CROWDED ? 2 * MAX_UNSENT_BYTES : 8 * MAX_UNSENT_BYTES,
                .crowded_above = settings & CROWDED ? 1 : 1000,
            },
        .forwarder =
            {
                .max_queries = settings & CROWDED ? 3 : ASKED_MAX,
                .cache_min_ns = settings & MIN_TTL ? 60 * NS_PER_S : 0,
                .cache_max_ns = 86400 * NS_PER_S,
                .cache_negative_ns = 3600 * NS_PER_S,
                .prefetch_percent = 10,
                .rate_limit_action = settings & RATE_DROPS ? RATE_LIMIT_DROP : RATE_LIMIT_SERVFAIL,
            },
        .cache = {.max_bytes = settings & NO_CACHE ? 0 : 256 * 1024, .stale_ns = 3600 * NS_PER_S},
        .allowed = settings & REFUSED ? "192.0.2.0/24" : "::/0",
        .ratelimit = {.queries_per_s = settings & RATE_LIMITED ? 5 : 0,
                      .burst = 10,
                      .ipv4_prefix = 32,
                      .ipv6_prefix = 64,
                      .max_clients = 4},
    };
}

/* As a reload does; the queries' table stays. */
static void reload(void)
{
    play.settings = (play.settings & (REFUSED | SMALL)) | (take() & ~(unsigned)(REFUSED | SMALL));
    const struct world_options options = options_of(play.settings);
    tcp_clients_set_options(&world.clients, &options.client);
    world.forwarder.options = options.forwarder;
    cache_set_options(world.shared.cache, &options.cache);
    ratelimit_set_options(world.shared.ratelimit, &options.ratelimit);
}

/* ---- the play ---- */

static void upstream_step(unsigned what)
{
    unsigned which = take();
    if (world.asked_count == 0) return;
    which %= world.asked_count;
    switch (what) {
    case STEP_ANSWER: answer(which); break;
    case STEP_FORGE: forge(which, true); break;
    case STEP_GARBLE: forge(which, false); break;
    default: world_fail(which, (enum exchange_result)(EXCHANGE_TIMED_OUT + take() % 3)); break;
    }
}

static void client_step(unsigned what, struct path_client *client)
{
    switch (what) {
    case STEP_SEND: send_bytes(client); break;
    case STEP_ASK: attempt(client); break;
    case STEP_TOO_LONG: send_too_long(client); break;
    case STEP_SHUT: path_client_shut(client); break;
    case STEP_LEAVE: leave_and_come_back(client); break;
    default:
        client->reads = !client->reads;
        play.events = UINT64_MAX;
        break;
    }
}

static void step(unsigned what, struct path_client *client)
{
    switch (what) {
    case STEP_ANSWER:
    case STEP_FORGE:
    case STEP_GARBLE:
    case STEP_FAIL: upstream_step(what); break;
    case STEP_DOWN_OR_UP: world.down = !world.down; break;
    case STEP_TIME: pass_time(); break;
    case STEP_RELOAD: reload(); break;
    case STEP_SHED: tcp_clients_shed(&world.clients); break;
    case STEP_REFRESH: refresh(); break;
    case STEP_DRAIN: tcp_clients_drain(&world.clients); break;
    default: client_step(what, client); break;
    }
}

/* Until nothing moves any more: upstream fails all, and all clients read. That must come to an end. */
static void finish(void)
{
    for (int i = 0; i < CLIENTS; i++) play.clients[i].reads = true;
    for (int turns = 0;; turns++) {
        while (world.asked_count > 0) world_fail(0, EXCHANGE_TIMED_OUT);
        world_turn();
        if (!read_all() && world.asked_count == 0 && tcp_clients_deadline_ns(&world.clients) > world.now_ns) break;
        need(turns < TURNS_MAX);
    }
}

/* Who is still there was answered everything; also who only said that it will ask no more. */
static void check_end(void)
{
    bool dropped = counter_read(&world.counters->dropped[LABEL_DROPPED_RATE][0]) > 0;
    uint64_t closed_early = world_closed() - counter_read(&world.counters->client_closed[LABEL_CLOSED_CLIENT][0]);
    need(world.forwarder.queries.queries.taken == 0 && world.forwarder.queries.waiters.taken == 0);
    need(world.begun == world.ended);
    list_for_each (node, &world.clients.all) need(container_of(node, struct tcp_client, all)->in_flight == 0);
    for (int i = 0; i < CLIENTS; i++) {
        const struct path_client *client = &play.clients[i];
        bool by_itself = client->shut && closed_early == 0 && !client->refused;
        if (!dropped && (!client->closed || by_itself)) need(client->ask_count == 0);
        need(client->received_size == 0 || client->closed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play.input = (struct input){data, data + size};
    play.settings = take();
    play.forged = false;
    play.events = 0;
    const struct world_options options = options_of(play.settings);
    world_begin(&options);
    for (int i = 0; i < CLIENTS; i++) {
        struct path_client *client = &play.clients[i];
        need(address_parse(i == 0 ? "192.0.2.7:4711" : "[2001:db8::7]:4711", 0, &client->address));
        client->small = play.settings & SMALL;
        client->refused = i == 1 && play.settings & REFUSED;
        path_client_open(client);
    }
    while (play.input.at < play.input.end) {
        unsigned what = take();
        step(what & STEP_WHAT, &play.clients[what & STEP_SECOND ? 1 : 0]);
        if (what & STEP_SAME_TURN) continue;
        world_turn();
        read_what_came();
    }
    finish();
    check_end();
    for (int i = 0; i < CLIENTS; i++) path_client_close(&play.clients[i]);
    world_turn();
    need(world.clients.slots.taken == 0);
    world_end();
    return 0;
}
