/* endpoint: what is served over HTTP: /metrics, /healthz, /readyz, the status page and its data, and POST /cache/purge,
 * which is accepted at a loopback listener only. Files do not exist.
 *
 * Names and clients are shown, on the page and in /metrics, only if the listener is a loopback address and the Host
 * is an address or "localhost" (against DNS rebinding), or if `show_names` is set.
 *
 * HTTP itself is http_server's. Answers are made on its threads: they read counters and figures through the
 * sources below and never touch the data path. */
#ifndef METRICS_ENDPOINT_H
#define METRICS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/address.h"
#include "common/log.h"
#include "metrics/counters.h"
#include "metrics/figures.h"
#include "metrics/health.h"
#include "metrics/query_filter.h"

struct endpoint_options {
    struct address listen; /* port 0: any free one; [::] takes IPv4, too */
    bool status_page;
    bool show_names; /* names and clients although the listener is not loopback */
};

/* Where the figures come from. All of it outlives the endpoint. */
struct endpoint_sources {
    struct counters *const *blocks;
    unsigned block_count;
    uint16_t civetweb_port; /* http_server.h */
    struct health *health;
    const struct log *log;
    void *context;
    /* Fills the server's figures (all but those of process_read, `ready`, and build.civetweb); `ret_figures` is zeroed.
     * Called on HTTP threads and on the one that records the history, on three at once at most. Top names and clients
     * only if `with_names`. */
    void (*read_figures)(void *context, uint64_t now_ns, bool with_names, struct figures *ret_figures);
    /* Writes the configuration in force as YAML; NULL: there is none to be shown. On an HTTP thread. */
    void (*write_config)(void *context, FILE *out);
    /* Writes the notable queries that the filter takes, as JSON; with names and clients only where `with_names`. False:
     * memory is short. NULL: there are none. On an HTTP thread. */
    bool (*write_queries)(void *context, const struct query_filter *filter, bool with_names, FILE *out);
    /* The first zones of the routes whose questions fail, ", " between them; NULL: there are no routes. */
    void (*list_failing_routes)(void *context, char text[static FAILING_ROUTES_BYTES]);
    /* Removes what is cached for a name (in presentation format), or, if NULL, everything. False: that is no name.
     * On an HTTP thread. */
    bool (*purge)(void *context, const char *name, uint64_t *ret_removed);
};

struct endpoint;

/* NULL if the address cannot be had or memory is short; `error` then says why, in a line. */
enum { ENDPOINT_ERROR_BYTES = 256 };
struct endpoint *endpoint_start(const struct endpoint_options *options, const struct endpoint_sources *sources,
                                char error[static ENDPOINT_ERROR_BYTES]);

/* What may be shown, from the next request on (reload). `listen` stays as it is. Any thread. */
void endpoint_set_options(struct endpoint *endpoint, const struct endpoint_options *options);

/* Ends its threads; a request being answered is cut off. NULL is fine. */
void endpoint_stop(struct endpoint *endpoint);

/* The port it listens on. */
uint16_t endpoint_port(const struct endpoint *endpoint);

#endif
