/* shared_cache: what the workers go by to use the cache of a fleet, made from the configuration and its files; and what
 * the log says of the store. Main thread. */
#ifndef APP_SHARED_CACHE_H
#define APP_SHARED_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "app/file_mark.h"
#include "common/log.h"
#include "config/options.h"
#include "metrics/counters.h"
#include "store/setup.h"

struct shared_cache {
    struct store_setup *setup; /* owned; NULL: no cache is shared */
    struct file_mark bundle;   /* of shared_cache.ca_file, if there is one */
};

/* What TLS to the store is made of. */
struct shared_cache_tls {
    struct tls_context *upstreams; /* what is trusted for these, and for the store where it has no bundle of its own */
    struct tls_crypto *crypto;     /* as for tls_context_new */
};

/* Reads the files.
 * `current`: what is in use, whose bundle stays where its file is the same; NULL: nothing is. False: `ret_error` says
 * which file and why. */
bool shared_cache_make(const struct config *config, const struct shared_cache_tls *tls,
                       const struct shared_cache *current, struct shared_cache *ret_cache,
                       char ret_error[static SETUP_ERROR_BYTES]);
void shared_cache_free(struct shared_cache *cache);

/* The same where other certificates are trusted for upstreams, `tls` in place of `former`: for the store, too, if it
 * has no bundle of its own. Nothing is read. False if memory is short. */
bool shared_cache_retrust(const struct shared_cache *cache, const struct tls_context *former, struct tls_context *tls,
                          struct shared_cache *ret_cache);

/* For --check-config: false, and why, if a start would be refused. */
bool shared_cache_check(const struct config *config, FILE *errors);

/* Says once that whoever writes to the store decides what clients get, where that is so. */
void shared_cache_warn(const struct config *config, const struct log *log);

/* What was said of the store last. */
struct shared_cache_watch {
    uint64_t looked_ns;
    unsigned state;     /* enum store_state */
    const char *why;    /* it could not be used; NULL: it could */
    uint64_t forged;    /* entries, when that was said last */
    uint64_t forged_ns; /* when that was; 0: never */
};

/* Once a second, with the counters of `count` workers: one line where the store cannot be used any more, or for another
 * reason, one where it can again, and at most one a minute that entries are forged. */
void shared_cache_look(struct shared_cache_watch *watch, struct counters *const *blocks, unsigned count,
                       const struct store_options *options, const struct log *log, uint64_t now_ns);

#endif
