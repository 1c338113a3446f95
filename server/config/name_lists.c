#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "config/lists.h"
#include "dns/presentation.h"

_Static_assert(sizeof(struct route_options) <= SETTING_ENTRY_STRUCT_BYTES, "the walker has room for an entry");
_Static_assert((int)ZONE_RECORD_TEXT_MAX < (int)SETTING_ENTRY_BYTES, "a record is an entry");
_Static_assert((int)PRESENTATION_NAME_BYTES <= (int)SETTING_ENTRY_BYTES, "a zone is an entry");

/* localhost and the names below it always have the loopback addresses (RFC 6761, 6.3). */
static bool is_localhost(const uint8_t *name, size_t size)
{
    static const char localhost[] = "\11localhost";
    size_t at = 0;
    while (size - at > sizeof localhost) at += 1u + name[at];
    return size - at == sizeof localhost && memcmp(name + at, localhost, sizeof localhost) == 0;
}

/* Room for one more element of an array whose capacity is always a power of two; NULL if memory is short. */
static void *grown(void *array, size_t count, size_t bytes)
{
    bool is_full = (count & (count - 1)) == 0; /* or empty */
    return is_full ? reallocarray(array, count > 0 ? count * 2 : 1, bytes) : array;
}

/* ---- names.records ---- */

static enum value_status record_add(void *list, uint64_t max, const char *text)
{
    struct record_list *records = list;
    struct zone_record record;
    if (strlen(text) > ZONE_RECORD_TEXT_MAX) return VALUE_MALFORMED;
    if (!zone_record_parse(text, &record)) return VALUE_MALFORMED;
    enum value_status status = VALUE_TOO_MANY;
    if (is_localhost(record.bytes, record.owner_size)) {
        status = VALUE_MALFORMED;
    } else if (records->count < max) {
        switch (record_list_add(records, &record)) {
        case RECORD_LIST_OK: return VALUE_OK;
        case RECORD_LIST_TWICE: status = VALUE_TWICE; break;
        case RECORD_LIST_CONFLICT: status = VALUE_CONFLICT; break;
        case RECORD_LIST_NO_MEMORY: status = VALUE_NO_MEMORY; break;
        }
    }
    zone_record_free(&record);
    return status;
}

static size_t record_count(const void *list)
{
    return ((const struct record_list *)list)->count;
}

static const void *record_at(const void *list, size_t index)
{
    return &((const struct record_list *)list)->records[index];
}

static void record_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    snprintf(text, SETTING_ENTRY_BYTES, "%s", ((const struct zone_record *)entry)->text);
}

static void record_clear(void *list)
{
    record_list_clear(list);
}

static const char *record_fault(const char *text)
{
    const char *fault = zone_record_fault(text);
    return fault ? fault : "localhost always has the loopback addresses (RFC 6761)";
}

const struct setting_list list_of_records = {
    .grammar = "a record as in a zone file, as \"nas.home.arpa 300 IN A 192.0.2.5\"",
    .conflict =
        "a CNAME record is the only one of its name, a name has one SOA record, and the records of one name and "
        "type must fit one message",
    .fault_of = record_fault,
    .add_text = record_add,
    .count = record_count,
    .entry_at = record_at,
    .format = record_format,
    .clear = record_clear,
};

/* ---- routes.zones ---- */

static bool is_wildcard(const uint8_t *name)
{
    return name[0] == 1 && name[1] == '*';
}

static enum value_status zone_add(void *list, uint64_t max, const char *text)
{
    struct route_options *route = list;
    struct route_zone zone;
    size_t size = presentation_parse_name(text, zone.name);
    if (size <= 1 || is_localhost(zone.name, size) || is_wildcard(zone.name)) return VALUE_MALFORMED;
    zone.size = (uint8_t)size;
    for (size_t i = 0; i < route->zones.count; i++)
        if (route->zones.list[i].size == size && memcmp(route->zones.list[i].name, zone.name, size) == 0)
            return VALUE_TWICE;
    if (route->zones.count == max) return VALUE_TOO_MANY;
    struct route_zone *zones = grown(route->zones.list, route->zones.count, sizeof *zones);
    if (!zones) return VALUE_NO_MEMORY;
    route->zones.list = zones;
    zones[route->zones.count++] = zone;
    return VALUE_OK;
}

static size_t zone_count(const void *list)
{
    return ((const struct route_options *)list)->zones.count;
}

static const void *zone_at(const void *list, size_t index)
{
    return &((const struct route_options *)list)->zones.list[index];
}

static void zone_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    const struct route_zone *zone = entry;
    presentation_name(zone->name, zone->size, text);
    text[strlen(text) - 1] = '\0'; /* the dot at the end */
}

static void zone_clear(void *list)
{
    struct route_options *route = list;
    free(route->zones.list);
    route->zones.list = NULL;
    route->zones.count = 0;
}

static const char *zone_fault(const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    size_t size = presentation_parse_name(text, name);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c > 0x7f) return ZONE_RECORD_NOT_ASCII;
    if (size == 0) return NULL;
    if (size == 1) return "names of no route are asked of 'upstreams'";
    if (is_wildcard(name)) return "a zone holds for all names below it, without '*.'";
    return "localhost always has the loopback addresses (RFC 6761)";
}

static const struct setting_list list_of_zones = {
    .grammar = "a domain name, as corp.example",
    .fault_of = zone_fault,
    .add_text = zone_add,
    .count = zone_count,
    .entry_at = zone_at,
    .format = zone_format,
    .clear = zone_clear,
};

/* ---- routes.upstreams ---- */

#define UPSTREAM_FIELD(member) offsetof(struct upstream_options, member), sizeof(((struct upstream_options *)0)->member)

enum { PORT_TLS = 853, PORT_TCP = 53 }; /* RFC 7858, 3.1; RFC 1035, 4.2 */

/* clang-format off: a table is read by its lines */
static const struct setting of_route_upstream[] = {
    {"routes.upstreams.address", SETTING_IP, SETTING_LIVE, UPSTREAM_FIELD(address), 0, 0, NULL, NULL,
     "Its IP address, without the port.", NULL},
    {"routes.upstreams.port", SETTING_NUMBER, SETTING_LIVE, UPSTREAM_FIELD(address.port), 1, UINT16_MAX,
     "853 with TLS, 53 with TCP", "0", "Its TCP port.", NULL},
    {"routes.upstreams.transport", SETTING_CHOICE, SETTING_LIVE, UPSTREAM_FIELD(transport), 0, 1, "tls tcp", "tls",
     "DNS over TLS, or DNS over TCP in plain text, which is for one's own network only.", NULL},
    {"routes.upstreams.name", SETTING_NAME, SETTING_LIVE, UPSTREAM_FIELD(name), 0, 0, NULL, "",
     "The DNS name its certificate must bear. Must be given with TLS, and not with TCP.", NULL},
};
/* clang-format on */

static enum value_status route_upstream_add(void *list, uint64_t max, const void *entry)
{
    struct route_options *route = list;
    struct upstream_options upstream = *(const struct upstream_options *)entry;
    bool is_tls = upstream.transport == UPSTREAM_TLS;
    if (is_tls != (upstream.name[0] != '\0')) return VALUE_CONFLICT;
    if (upstream.address.port == 0) upstream.address.port = is_tls ? PORT_TLS : PORT_TCP;
    for (size_t i = 0; i < route->upstreams.count; i++)
        if (address_equal(&route->upstreams.list[i].address, &upstream.address)) return VALUE_TWICE;
    if (route->upstreams.count == max) return VALUE_TOO_MANY;
    struct upstream_options *upstreams = grown(route->upstreams.list, route->upstreams.count, sizeof *upstreams);
    if (!upstreams) return VALUE_NO_MEMORY;
    route->upstreams.list = upstreams;
    upstreams[route->upstreams.count++] = upstream;
    return VALUE_OK;
}

static enum value_status route_upstream_add_text(void *list, uint64_t max, const char *text)
{
    struct upstream_options upstream;
    enum value_status status = value_parse_upstream(text, &upstream);
    return status == VALUE_OK ? route_upstream_add(list, max, &upstream) : status;
}

static size_t route_upstream_count(const void *list)
{
    return ((const struct route_options *)list)->upstreams.count;
}

static const void *route_upstream_at(const void *list, size_t index)
{
    return &((const struct route_options *)list)->upstreams.list[index];
}

static void route_upstream_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    const struct upstream_options *upstream = entry;
    char address[VALUE_ADDRESS_BYTES];
    bool has_port = upstream->address.port != 0;
    snprintf(text, SETTING_ENTRY_BYTES, "%s%s%s", value_format_address(&upstream->address, has_port, address),
             upstream->name[0] ? "#" : "", upstream->name);
}

static void route_upstream_clear(void *list)
{
    struct route_options *route = list;
    free(route->upstreams.list);
    route->upstreams.list = NULL;
    route->upstreams.count = 0;
}

static const struct setting_list list_of_route_upstreams = {
    .grammar = "IP#NAME, IP:PORT#NAME or [IP6]:PORT#NAME, as 192.0.2.1:853#dns.corp.example",
    .example = "{address: 10.96.0.10, transport: tcp}",
    .conflict = "a 'name' must be given with transport tls, and must not be with tcp",
    .entry = {of_route_upstream, sizeof of_route_upstream / sizeof *of_route_upstream},
    .entry_bytes = sizeof(struct upstream_options),
    .add_text = route_upstream_add_text,
    .count = route_upstream_count,
    .entry_at = route_upstream_at,
    .format = route_upstream_format,
    .clear = route_upstream_clear,
    .add_mapping = route_upstream_add,
};

/* ---- routes ---- */

/* clang-format off: a table is read by its lines; both lists work on the whole of struct route_options */
static const struct setting of_route[] = {
    {"routes.zones", SETTING_LIST, SETTING_LIVE, 0, sizeof(struct route_options), 1, ROUTE_ZONES_MAX, NULL, NULL,
     "Names that end in one of these take the route; where several match, the longest.", &list_of_zones},
    {"routes.upstreams", SETTING_LIST, SETTING_LIVE, 0, sizeof(struct route_options), 1, UPSTREAMS_MAX, NULL, NULL,
     "Servers that answer for the zones, in order of preference.", &list_of_route_upstreams},
};
/* clang-format on */

/* The zone of the route that another one has, too; NULL where there is none. */
static const struct route_zone *taken_zone(const struct routes_options *routes, const struct route_options *route)
{
    for (size_t i = 0; i < route->zones.count; i++)
        if (zone_set_has(&routes->zones, route->zones.list[i].name, route->zones.list[i].size))
            return &route->zones.list[i];
    return NULL;
}

static enum value_status route_add(void *list, uint64_t max, const void *entry)
{
    struct routes_options *routes = list;
    const struct route_options *route = entry;
    if (taken_zone(routes, route)) return VALUE_CONFLICT;
    if (routes->count == max) return VALUE_TOO_MANY;
    for (size_t i = 0; i < route->zones.count; i++)
        if (!zone_set_add(&routes->zones, route->zones.list[i].name, route->zones.list[i].size)) return VALUE_NO_MEMORY;
    struct route_options *grown_list = grown(routes->list, routes->count, sizeof *grown_list);
    if (!grown_list) return VALUE_NO_MEMORY;
    routes->list = grown_list;
    grown_list[routes->count++] = *route;
    return VALUE_OK;
}

static enum value_status route_add_text(void *list, uint64_t max, const char *text)
{
    (void)list;
    (void)max;
    (void)text;
    return VALUE_MALFORMED; /* a route is a mapping */
}

static size_t route_count(const void *list)
{
    return ((const struct routes_options *)list)->count;
}

static const void *route_at(const void *list, size_t index)
{
    return &((const struct routes_options *)list)->list[index];
}

static void route_format(const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    zone_format(&((const struct route_options *)entry)->zones.list[0], text);
}

static void route_format_conflict(const void *list, const void *entry, char text[static SETTING_ENTRY_BYTES])
{
    const struct route_zone *zone = taken_zone(list, entry);
    CHECK(zone);
    zone_format(zone, text);
}

static void route_clear(void *list)
{
    struct routes_options *routes = list;
    for (size_t i = 0; i < routes->count; i++) {
        zone_clear(&routes->list[i]);
        route_upstream_clear(&routes->list[i]);
    }
    free(routes->list);
    zone_set_clear(&routes->zones);
    *routes = (struct routes_options){.list = NULL};
}

const struct setting_list list_of_routes = {
    .grammar = "a mapping with zones and upstreams",
    .example = "{zones: [cluster.local], upstreams: [{address: 10.96.0.10, transport: tcp}]}",
    .conflict = "a zone is in one route only",
    .format_conflict = route_format_conflict,
    .entry = {of_route, sizeof of_route / sizeof *of_route},
    .entry_bytes = sizeof(struct route_options),
    .add_text = route_add_text,
    .count = route_count,
    .entry_at = route_at,
    .format = route_format,
    .clear = route_clear,
    .add_mapping = route_add,
};
