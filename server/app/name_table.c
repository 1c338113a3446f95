#include "app/name_table.h"

#include <string.h>

#include "app/hosts_file.h"

static bool add_records(struct names *names, const struct record_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct zone_record *record = &list->records[i];
        const struct names_record added = {
            .owner = record->bytes,
            .owner_size = record->owner_size,
            .type = record->type,
            .data_size = record->data_size,
            .ttl_s = record->ttl_s,
            .data = zone_record_data(record),
            .overrides = true,
        };
        if (!names_add_record(names, &added)) return false;
    }
    return true;
}

static uint32_t hash_more(uint32_t hash, const void *bytes, size_t size)
{
    const uint8_t *octets = bytes;
    for (size_t i = 0; i < size; i++) hash = (hash ^ octets[i]) * 16777619u; /* FNV-1a */
    return hash;
}

/* The same for the same first zone and the same upstreams, over reloads and restarts; never 0. */
static uint32_t identity_of(const struct route_options *route)
{
    const struct route_zone *zone = &route->zones.list[0];
    uint32_t hash = hash_more(2166136261u, zone->name, zone->size);
    for (size_t i = 0; i < route->upstreams.count; i++) {
        const struct upstream_options *upstream = &route->upstreams.list[i];
        hash = hash_more(hash, upstream->address.ip, sizeof upstream->address.ip);
        hash = hash_more(hash, &upstream->address.port, sizeof upstream->address.port);
        hash = hash_more(hash, &upstream->transport, sizeof upstream->transport);
        hash = hash_more(hash, upstream->name, strlen(upstream->name) + 1);
    }
    return hash != 0 ? hash : 1;
}

static bool add_route(struct names *names, const struct route_options *route, uint16_t index)
{
    uint16_t other;
    uint32_t identity = identity_of(route);
    while (identity == 0 || names_route_of(names, identity, &other)) identity++; /* two with one hash */
    if (!names_add_route(names, identity)) return false;
    for (size_t i = 0; i < route->zones.count; i++)
        if (!names_add_zone(names, route->zones.list[i].name, route->zones.list[i].size, index)) return false;
    return true;
}

static bool add_routes(struct names *names, const struct routes_options *routes)
{
    for (size_t i = 0; i < routes->count; i++)
        if (!add_route(names, &routes->list[i], (uint16_t)(i + 1))) return false;
    return true;
}

struct names *name_table_new(const struct config *config, const struct names *former, const struct log *log)
{
    struct names *names = names_new(config->names.special_use == SPECIAL_USE_LOCAL);
    if (!names) return NULL;
    bool good = add_records(names, &config->names.records) && add_routes(names, &config->routes);
    if (good && config->names.hosts_file[0]) good = hosts_file_add(config->names.hosts_file, names, former, log);
    if (good && names_finish(names)) return names;
    names_free(names);
    return NULL;
}
