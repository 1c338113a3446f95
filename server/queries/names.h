/* names: what is done with a name before the cache is asked: records of the configuration and of the hosts file answer
 * it, a route names its upstreams, or it is a special-use name (dns/special_names.h).
 *
 * Precedence: the longest of the configured names and zones that holds for the name, records before routes; then
 * special-use names; then the upstreams of the configuration. A name that has records has no others: what it is asked
 * for and has not is NODATA. A name without records is not hidden by records of its neighbours: it takes the rest of
 * this path. A wildcard record answers as in RFC 4592, names beside it count as existing if they have records.
 *
 * Made by the main thread with names_add_* and names_finish, then never changed, and shared by the workers by reference
 * count: a reload makes another. */
#ifndef QUERIES_NAMES_H
#define QUERIES_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/question.h"
#include "dns/special_names.h"

struct names;

/* The index of the default route: the upstreams of the configuration. */
enum { NAMES_ROUTE_DEFAULT = 0 };

/* `special_use` false: special-use names are forwarded like others. NULL if memory is short. */
struct names *names_new(bool special_use);

/* One more owner; names_free by the last owner frees it. Any thread. */
struct names *names_share(struct names *names);
void names_free(struct names *names);

/* Records of a hosts file that one name has at most; more are left out and counted (names_figures). No client needs so
 * many addresses, and a file that gives one name to all of them must not take for ever to read. */
enum { NAMES_HOSTS_MAX = 512 };

/* A record to answer with. All names are on the wire, uncompressed and in lower case (of the data: in any case).
 * `overrides` false: it is left out if the name has records that override, as a hosts file's beside those of the
 * configuration; these are added first. False if memory is short. */
struct names_record {
    const uint8_t *owner;
    uint8_t owner_size;
    uint16_t type;
    uint16_t data_size;
    uint32_t ttl_s;
    const uint8_t *data;
    bool overrides;
};
bool names_add_record(struct names *names, const struct names_record *record);

/* Adds the records of a hosts file that `former` has, where the file itself cannot be read now. False where memory is
 * short. */
bool names_add_hosts_of(struct names *names, const struct names *former);

/* A zone whose names take the route of that index (not NAMES_ROUTE_DEFAULT). False where memory is short. */
bool names_add_zone(struct names *names, const uint8_t *zone, size_t size, uint16_t route);

/* The identity of a route, which is not 0: the same for a route that a reload leaves as it is, and never that of
 * another (queries/routes.h). Indexes are given in order, from 1. False if memory is short. */
bool names_add_route(struct names *names, uint32_t identity);
uint32_t names_route_identity(const struct names *names, uint16_t route);

/* The index of a route by its identity; 0 is that of the default route. False if there is none. */
bool names_route_of(const struct names *names, uint32_t identity, uint16_t *ret_route);

/* Decides for each name that was added what is done with it and with those below it (RFC 4592 for wildcards), so that
 * names_find need not. To be called after the last names_add_* and before the first names_find; takes a time that grows
 * with the number of names, and none where nothing was added since the last time. False where memory is short. */
bool names_finish(struct names *names);

enum names_verdict {
    NAMES_RESOLVE, /* by the cache and the upstreams of `route` */
    NAMES_RECORD,  /* the name, or a wildcard that holds for it, has records */
    NAMES_SPECIAL,
};

struct names_found {
    enum names_verdict verdict;
    uint16_t route;   /* of NAMES_RESOLVE */
    bool is_wildcard; /* of NAMES_RECORD: the records are those of a wildcard */
    bool overrides;   /* of NAMES_RECORD: not from the hosts file */
    uint32_t node;    /* of NAMES_RECORD */
    enum special_verdict special;
    struct special_match match; /* of NAMES_SPECIAL */
    size_t zone_at;             /* where the route's zone begins in the name */
};

/* What is done with a name (on the wire, in lower case) that is asked for `type`. Any thread; allocates nothing. */
void names_find(const struct names *names, const uint8_t *name, size_t size, uint16_t type,
                struct names_found *ret_found);

/* What a CNAME record of ours leads to, if it is resolved by upstreams. */
struct names_alias {
    uint8_t name_size; /* 0: the answer is complete */
    uint8_t name[DNS_NAME_MAX];
    uint16_t route;
};

/* Writes the answer to a question that is NAMES_RECORD or NAMES_SPECIAL to `out`, as local_answer.h does. Returns its
 * bytes; 0 if it finds no room or follows too many CNAME records: that is SERVFAIL. If a CNAME record leads to a
 * name that upstreams resolve, `ret_alias` has that name, and the answer has the records so far. */
size_t names_write(const struct names *names, const struct names_found *found, const struct question *question,
                   uint8_t *out, size_t capacity, struct names_alias *ret_alias);

/* How much there is, for the log. */
struct names_figures {
    uint32_t records;
    uint32_t zones;
    uint32_t left_out; /* beyond NAMES_HOSTS_MAX */
};
struct names_figures names_figures(const struct names *names);

#endif
