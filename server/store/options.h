/* options: what of the configuration the shared cache of a fleet uses. Data only. */
#ifndef STORE_OPTIONS_H
#define STORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "upstream/options.h"

enum { STORE_PATH_MAX = 4096, STORE_WORD_MAX = 64, STORE_PORT_USUAL = 6379 };

/* The value of shared_cache.secret_file that stands for no secret. */
#define STORE_UNSIGNED "none"

struct store_options {
    struct address address;               /* of the store; port 0: there is no shared cache */
    uint64_t timeout_ns;                  /* how long a question waits for it at most */
    uint32_t queue_bytes;                 /* answers of one worker that wait to be written, at most */
    bool routes;                          /* answers of routes are shared, too */
    char prefix[STORE_WORD_MAX + 1];      /* of the keys */
    char user[STORE_WORD_MAX + 1];        /* of the access list; empty: the default one */
    char password_file[STORE_PATH_MAX];   /* empty: none is asked for */
    char tls_name[UPSTREAM_NAME_MAX + 1]; /* of its certificate; empty: plain TCP */
    char ca_file[STORE_PATH_MAX];         /* trusted for it; empty: those trusted for upstreams */
    char secret_file[STORE_PATH_MAX];     /* or STORE_UNSIGNED */
};

#endif
