/* options: the configuration in force: the option structs that the other components declare, together. Plain data;
 * a copy of a `struct config` takes over the ownership of its lists. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "clients/acceptor.h"
#include "clients/tcp_clients.h"
#include "clients/udp_options.h"
#include "common/log.h"
#include "metrics/dnstap.h"
#include "metrics/endpoint.h"
#include "queries/forwarder.h"
#include "queries/name_options.h"
#include "sandbox/options.h"
#include "shared/cache.h"
#include "shared/connections.h"
#include "shared/ratelimit.h"
#include "shared/topnames.h"
#include "state/options.h"
#include "store/options.h"
#include "upstream/pool.h"
#include "upstream/tls.h"

/* Prefixes of access.allow, in the order of the file; none: nobody is allowed. */
struct access_options {
    struct prefix *allow; /* owned by the config */
    size_t allow_count;
};

struct config {
    unsigned workers;     /* 1..WORKERS_MAX: `auto` is worked out */
    unsigned min_workers; /* active at any load; may be more than `workers` */
    struct acceptor_options acceptor;
    struct connections_options connections;
    struct tcp_client_options client;
    struct udp_options udp;
    struct access_options access;
    struct ratelimit_options ratelimit;
    struct forwarder_options forwarder;
    struct cache_options cache;
    struct topnames_options topnames;
    struct pool_options pool; /* its upstreams are those of the configuration: some may have a name alone */
    struct bootstrap_options bootstrap;
    struct name_options names;
    struct routes_options routes;
    struct tls_options tls;
    struct endpoint_options endpoint; /* listen.port 0: no HTTP */
    struct log_options log;
    struct dnstap_options dnstap;
    struct state_options state;
    struct store_options store;
    struct sandbox_options sandbox;
    uint32_t recent_queries; /* kept by each worker, of each kind; 0: none */
    uint64_t drain_timeout_ns;
};

#endif
