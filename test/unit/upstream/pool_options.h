/* pool_options: the settings of a pool in tests: the defaults of the program, except that idle
 * sessions are replaced. */
#ifndef POOL_OPTIONS_H
#define POOL_OPTIONS_H

#include <string.h>

#include "common/clock.h"
#include "upstream/pool.h"

/* So many upstreams of one name, at ports 853 and following. */
static inline struct pool_options options_for(unsigned upstreams)
{
    struct pool_options options = {
        .upstream_count = upstreams,
        .query_timeout_ns = 4500 * NS_PER_MS,
        .connect_timeout_ns = 2 * NS_PER_S,
        .idle_timeout_ns = 8 * NS_PER_S,
        .revalidate_ns = 3600 * NS_PER_S,
        .probe_ns = 4 * NS_PER_S,
        .keep_warm = true,
        .max_in_flight = 1000,
        .max_sessions = 4,
        .max_handshakes = 4,
        .hedge_percent = 5,
    };
    for (unsigned i = 0; i < upstreams; i++) {
        address_parse("127.0.0.1:853", 0, &options.upstreams[i].address);
        options.upstreams[i].address.port = (uint16_t)(853 + i);
        strcpy(options.upstreams[i].name, "dns.example");
    }
    return options;
}

#endif
