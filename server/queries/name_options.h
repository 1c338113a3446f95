/* name_options: what of the configuration concerns names: local records, the hosts file, and routes. Plain data. */
#ifndef QUERIES_NAME_OPTIONS_H
#define QUERIES_NAME_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"
#include "queries/record_list.h"
#include "queries/zone_set.h"
#include "upstream/upstream.h"

/* In the order of the words of the setting names.special_use. */
enum special_use { SPECIAL_USE_LOCAL, SPECIAL_USE_FORWARD };

enum {
    NAMES_PATH_MAX = 4096,
    NAMES_RECORDS_MAX = 65536,
    ROUTES_MAX = 1024,
    ROUTE_ZONES_MAX = 1024, /* of one route */
};

struct name_options {
    uint8_t special_use;             /* enum special_use */
    char hosts_file[NAMES_PATH_MAX]; /* empty: none */
    struct record_list records;      /* owned by the configuration */
};

struct route_zone {
    uint8_t size;
    uint8_t name[DNS_NAME_MAX]; /* on the wire, in lower case */
};

/* Zones with upstreams of their own; the lists are owned by the configuration. */
struct route_options {
    struct {
        struct route_zone *list;
        size_t count;
    } zones;
    struct {
        struct upstream_options *list; /* in order of preference */
        size_t count;
    } upstreams;
};

/* Route i of the configuration has the index i + 1; 0 is the default route (queries/names.h). */
struct routes_options {
    struct route_options *list;
    size_t count;
    struct zone_set zones; /* of all routes: a zone is in one only */
};

#endif
