/* figures: what the server shows besides its counters, looked up on request. Called on an HTTP thread: reads
 * atomics, and the shared tables through their functions. */
#ifndef APP_FIGURES_H
#define APP_FIGURES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/figures.h"

struct server;

/* For endpoint_sources.read_figures; `context` is the struct server. */
void figures_read(void *context, uint64_t now_ns, bool with_names, struct figures *ret_figures);

/* The labels of the series of upstreams: those of the default route, those of the others, and of what is counted
 * together; "" where a series is free. Returns how many series may be in use. With server->config_lock, or on the main
 * thread. */
unsigned figures_label_upstreams(const struct server *server,
                                 char labels[static UPSTREAM_SERIES][UPSTREAM_LABEL_BYTES]);

/* Writes the configuration in force as --print-config does. HTTP thread. `context`: a struct server. */
void figures_write_config(void *context, FILE *out);

/* The endpoint's list_failing_routes. Any thread. */
void figures_list_failing_routes(void *server, char text[static FAILING_ROUTES_BYTES]);

#endif
