/* endpoint: the HTTP side of the program: /metrics, /healthz, /readyz and the status page. The only file that knows
 * civetweb.
 *
 * http_front stands before civetweb and minds the connections (http_front.h, http_connections.h have its thread and
 * bounds): civetweb sees whole requests only, on a port of IPv4 loopback that the kernel chooses. It brings its
 * threads, one that accepts and two that answer; they read counters and take snapshots through the sources below and
 * never touch the data path. GET and HEAD only, but for POST /cache/flush, which is taken at a loopback listener alone;
 * there are no files to be had.
 *
 * Threads inherit the signal mask, so the caller blocks signals first. civetweb ignores SIGPIPE for the whole process.
 */
#ifndef METRICS_ENDPOINT_H
#define METRICS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/log.h"
#include "metrics/counters.h"
#include "metrics/figures.h"
#include "metrics/health.h"

struct endpoint_options {
    struct address listen; /* port 0: any free one; [::] takes IPv4, too */
    bool status_page;
    bool show_names; /* names and clients on the page although the listener is not loopback */
};

/* Where the figures come from. All of it outlives the endpoint. */
struct endpoint_sources {
    struct counters *const *blocks;
    unsigned block_count;
    struct health *health;
    const struct log *log;
    void *context;
    /* Fills the server's figures (all but those of process_read, `ready`, and build.civetweb); `ret_figures` is zeroed.
     * Called on an HTTP thread, on two at once at the most. The top names only where `with_names`. */
    void (*read_figures)(void *context, uint64_t now_ns, bool with_names, struct figures *ret_figures);
    /* Forgets what is cached for a name (in presentation format), or, where NULL, everything. False: that is no name.
     * On an HTTP thread. */
    bool (*flush)(void *context, const char *name, uint64_t *ret_removed);
};

struct endpoint;

/* NULL where the address cannot be had or memory is short; `error` then says why, in a line. */
enum { ENDPOINT_ERROR_BYTES = 256 };
struct endpoint *endpoint_start(const struct endpoint_options *options, const struct endpoint_sources *sources,
                                char error[static ENDPOINT_ERROR_BYTES]);

/* Ends its threads; a request being answered is cut off. NULL is fine. */
void endpoint_stop(struct endpoint *endpoint);

/* The port it listens on. */
uint16_t endpoint_port(const struct endpoint *endpoint);

#endif
