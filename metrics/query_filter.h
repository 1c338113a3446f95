/* query_filter: which of the notable queries are wanted: the parameters of /queries.json. Pure; any thread. */
#ifndef METRICS_QUERY_FILTER_H
#define METRICS_QUERY_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "metrics/query_ring.h"

enum { QUERY_LIST_MAX = 1000, QUERY_LIST_USUAL = 100, QUERY_FILTER_NAME_BYTES = 256 };

struct query_filter {
    bool has_client;
    struct prefix client;
    char name[QUERY_FILTER_NAME_BYTES]; /* part of the name as it is shown, in lower case; "": any */
    uint8_t kinds;                      /* a bit of 1 << enum query_kind each */
    uint64_t min_ns;                    /* it took at least so long */
    uint64_t after_ns;                  /* it ended later */
    unsigned limit;                     /* of the list, 1..QUERY_LIST_MAX */
};

/* Reads `query`, what stands behind the question mark, or NULL: client (an address or a prefix), name, kind (one or
 * more, commas between), min_ms, after_ms (of the clock of `now_ms`), limit. What is not given filters nothing; other
 * parameters are ignored. NULL, or what is wrong with it: a constant text. */
const char *query_filter_parse(const char *query, struct query_filter *ret_filter);

/* It asks for names or clients, so its answer tells something of them. */
bool query_filter_is_private(const struct query_filter *filter);

/* `name` as it is shown. */
bool query_filter_takes(const struct query_filter *filter, const struct query_note *note);
bool query_filter_takes_name(const struct query_filter *filter, const char *name);

#endif
