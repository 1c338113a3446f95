#include "config/lists.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct upstream_options) <= SETTING_ENTRY_STRUCT_BYTES, "the walker has room for an entry");

/* ---- listen ---- */

static enum value_status listen_add(void *list, uint64_t max, const char *text)
{
    struct acceptor_options *acceptor = list;
    struct address address;
    if (!address_parse(text, 0, &address) || address_needs_interface(&address)) return VALUE_MALFORMED;
    for (unsigned i = 0; i < acceptor->listen_count; i++)
        if (address_equal(&acceptor->listen[i], &address)) return VALUE_TWICE;
    if (acceptor->listen_count == max) return VALUE_TOO_MANY;
    acceptor->listen[acceptor->listen_count++] = address;
    return VALUE_OK;
}

static size_t listen_count(const void *list)
{
    return ((const struct acceptor_options *)list)->listen_count;
}

static const void *listen_at(const void *list, size_t index)
{
    return &((const struct acceptor_options *)list)->listen[index];
}

static void listen_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    value_format_address(entry, true, text);
}

static void listen_clear(void *list)
{
    ((struct acceptor_options *)list)->listen_count = 0;
}

const struct setting_list list_of_listen = {
    .grammar = "IP:PORT or [IP6]:PORT",
    .is_of_addresses = true,
    .add_text = listen_add,
    .count = listen_count,
    .entry_at = listen_at,
    .format = listen_format,
    .clear = listen_clear,
};

/* ---- prefixes ---- */

static enum value_status prefix_add(void *list, uint64_t max, const char *text)
{
    struct access_options *access = list;
    struct prefix prefix;
    if (!prefix_parse(text, &prefix)) return VALUE_MALFORMED;
    if (access->allow_count == max) return VALUE_TOO_MANY;
    bool is_full = (access->allow_count & (access->allow_count - 1)) == 0; /* the capacity is a power of two, or 0 */
    if (is_full) {
        size_t capacity = access->allow_count > 0 ? access->allow_count * 2 : 1;
        struct prefix *allow = reallocarray(access->allow, capacity, sizeof *allow);
        if (!allow) return VALUE_NO_MEMORY;
        access->allow = allow;
    }
    access->allow[access->allow_count++] = prefix;
    return VALUE_OK;
}

static size_t prefix_count(const void *list)
{
    return ((const struct access_options *)list)->allow_count;
}

static const void *prefix_at(const void *list, size_t index)
{
    return &((const struct access_options *)list)->allow[index];
}

static void prefix_format_entry(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    enum { IPV4_BITS = 96 }; /* of an IPv4-mapped address before the IPv4 address (RFC 4291, 2.5.5.2) */
    const struct prefix *prefix = entry;
    struct address address = {.port = 0};
    char ip[ADDRESS_TEXT_BYTES];
    memcpy(address.ip, prefix->ip, sizeof address.ip);
    bool is_ipv4 = prefix->bits >= IPV4_BITS && address_is_ipv4(&address);
    snprintf(text, SETTING_ENTRY_BYTES, "%s/%u", address_format_ip(&address, ip),
             is_ipv4 ? prefix->bits - (unsigned)IPV4_BITS : prefix->bits);
}

static void prefix_clear(void *list)
{
    struct access_options *access = list;
    free(access->allow);
    *access = (struct access_options){.allow = NULL};
}

const struct setting_list list_of_prefixes = {
    .grammar = "IP/BITS with no bit set behind the prefix, as 10.0.0.0/8 or \"fc00::/7\"",
    .is_of_prefixes = true,
    .add_text = prefix_add,
    .count = prefix_count,
    .entry_at = prefix_at,
    .format = prefix_format_entry,
    .clear = prefix_clear,
};

/* ---- upstreams ---- */

#define UPSTREAM_FIELD(member) offsetof(struct upstream_options, member), sizeof(((struct upstream_options *)0)->member)

/* clang-format off: a table is read by its lines */
static const struct setting of_upstream[] = {
    {"upstreams.address", SETTING_IP, SETTING_LIVE, UPSTREAM_FIELD(address), 0, 0, NULL, "",
     "Its IP address, without the port. Left out: the addresses of `name`, looked up at the servers of `bootstrap`.",
     NULL},
    {"upstreams.port", SETTING_NUMBER, SETTING_LIVE, UPSTREAM_FIELD(address.port), 1, UINT16_MAX, NULL, "853",
     "Its TCP port.", NULL},
    {"upstreams.name", SETTING_NAME, SETTING_LIVE, UPSTREAM_FIELD(name), 0, 0, NULL, NULL,
     "The DNS name its certificate must bear.", NULL},
};
/* clang-format on */

static enum value_status upstream_add(void *list, uint64_t max, const void *entry)
{
    struct pool_options *pool = list;
    const struct upstream_options *upstream = entry;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream_options *other = &pool->upstreams[i];
        if (!address_equal(&other->address, &upstream->address)) continue;
        if (!upstream_is_named(upstream) || strcmp(other->name, upstream->name) == 0) return VALUE_TWICE;
    }
    if (pool->upstream_count == max) return VALUE_TOO_MANY;
    pool->upstreams[pool->upstream_count++] = *upstream;
    return VALUE_OK;
}

static enum value_status upstream_add_text(void *list, uint64_t max, const char *text)
{
    struct upstream_options upstream;
    enum value_status status = value_parse_upstream(text, &upstream);
    if (status != VALUE_OK) status = value_parse_named_upstream(text, &upstream);
    return status == VALUE_OK ? upstream_add(list, max, &upstream) : status;
}

static size_t upstream_count(const void *list)
{
    return ((const struct pool_options *)list)->upstream_count;
}

static const void *upstream_at(const void *list, size_t index)
{
    return &((const struct pool_options *)list)->upstreams[index];
}

static void upstream_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    const struct upstream_options *upstream = entry;
    char address[VALUE_ADDRESS_BYTES];
    if (upstream_is_named(upstream))
        snprintf(text, SETTING_ENTRY_BYTES, "%s:%u", upstream->name, upstream->address.port);
    else
        snprintf(text, SETTING_ENTRY_BYTES, "%s#%s", value_format_address(&upstream->address, true, address),
                 upstream->name);
}

static void upstream_clear(void *list)
{
    ((struct pool_options *)list)->upstream_count = 0;
}

const struct setting_list list_of_upstreams = {
    .grammar = "IP#NAME, IP:PORT#NAME, [IP6]:PORT#NAME or NAME, as 1.1.1.1:853#cloudflare-dns.com",
    .is_of_names = true,
    .example = "{address: 1.1.1.1, port: 853, name: cloudflare-dns.com}",
    .entry = {of_upstream, sizeof of_upstream / sizeof *of_upstream},
    .entry_bytes = sizeof(struct upstream_options),
    .add_text = upstream_add_text,
    .count = upstream_count,
    .entry_at = upstream_at,
    .format = upstream_format,
    .clear = upstream_clear,
    .add_mapping = upstream_add,
};

/* ---- bootstrap ---- */

static enum value_status bootstrap_add(void *list, uint64_t max, const char *text)
{
    struct bootstrap_options *bootstrap = list;
    struct upstream_options server;
    enum value_status status = value_parse_bootstrap(text, &server);
    if (status != VALUE_OK) return status;
    for (unsigned i = 0; i < bootstrap->count; i++)
        if (address_equal(&bootstrap->servers[i].address, &server.address)) return VALUE_TWICE;
    if (bootstrap->count == max) return VALUE_TOO_MANY;
    bootstrap->servers[bootstrap->count++] = server;
    return VALUE_OK;
}

static size_t bootstrap_count(const void *list)
{
    return ((const struct bootstrap_options *)list)->count;
}

static const void *bootstrap_at(const void *list, size_t index)
{
    return &((const struct bootstrap_options *)list)->servers[index];
}

static void bootstrap_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    const struct upstream_options *server = entry;
    char address[VALUE_ADDRESS_BYTES];
    snprintf(text, SETTING_ENTRY_BYTES, "%s%s%s", value_format_address(&server->address, true, address),
             server->name[0] ? "#" : "", server->name);
}

static void bootstrap_clear(void *list)
{
    ((struct bootstrap_options *)list)->count = 0;
}

static const char *bootstrap_fault(const char *text)
{
    char name[UPSTREAM_NAME_MAX + 1];
    return value_parse_name(text, name) == VALUE_OK ? "a name would have to be looked up itself" : NULL;
}

const struct setting_list list_of_bootstrap = {
    .grammar = "IP or IP:PORT (plain TCP), or with #NAME (TLS), as 1.1.1.1#cloudflare-dns.com",
    .fault_of = bootstrap_fault,
    .add_text = bootstrap_add,
    .count = bootstrap_count,
    .entry_at = bootstrap_at,
    .format = bootstrap_format,
    .clear = bootstrap_clear,
};
