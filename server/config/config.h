/* config: what the operator decides: the YAML file and the command line, read into the options of each part.
 *
 * Beside it: settings (the table: key, kind, place, bounds, default, help), value (texts to values), document (YAML to
 * a tree with places), walker (tree to options, by the table), faults, command_line, manual (docs/CONFIG.md and the
 * example file, by the table). Every fault of a file is found in one go, each as "FILE:LINE:COLUMN: 'key': what is
 * wrong, what is allowed". Main thread only. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "acceptor.h"
#include "clients.h"
#include "common/log.h"
#include "config/command_line.h"
#include "metrics/endpoint.h"
#include "queries/forwarder.h"
#include "shared/cache.h"
#include "shared/connections.h"
#include "shared/ratelimit.h"
#include "shared/topnames.h"
#include "upstream/pool.h"
#include "upstream/tls.h"

/* Prefixes of access.allow, in the order of the file; none: nobody is allowed. */
struct access_options {
    struct prefix *allow; /* owned by the config */
    size_t allow_count;
};

struct config {
    unsigned workers; /* 1..WORKERS_MAX: `auto` is worked out */
    struct acceptor_options acceptor;
    struct connections_options connections;
    struct client_options client;
    struct access_options access;
    struct ratelimit_options ratelimit;
    struct forwarder_options forwarder;
    struct cache_options cache;
    struct topnames_options topnames;
    struct pool_options pool;
    struct tls_options tls;
    struct endpoint_options endpoint; /* listen.port 0: no HTTP */
    struct log_options log;
    uint64_t drain_timeout_ns;
};

/* The largest file read: 10,000 prefixes with a comment each fit well. */
enum { CONFIG_FILE_BYTES = 1 << 20 };

/* Defaults, then the file (if any), then the flags. False: every fault was written to `errors`, a line each;
 * `ret_config` is untouched and nothing needs freeing. */
bool config_load(const struct command_line *command, struct config *ret_config, FILE *errors);
void config_free(struct config *config);

/* The same for a file's text, which need not end with a NUL; `name` stands in the faults. */
bool config_parse(const char *text, size_t size, const char *name, struct config *ret_config, FILE *errors);

#endif
