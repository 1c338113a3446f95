/* setup: what the workers go by to use the store: settings, the keys of entries, credentials, trusted certificates.
 * Made by the main thread, at the start and by each reload, which reads the files; never changed afterwards, and shared
 * by all threads until the last owner frees it. */
#ifndef STORE_SETUP_H
#define STORE_SETUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "metrics/counters.h"
#include "store/entry.h"
#include "store/options.h"
#include "upstream/options.h"
#include "upstream/tls.h"

enum {
    SETUP_PASSWORD_MAX = 512,
    SETUP_ORIGIN_BYTES = UPSTREAMS_MAX * (UPSTREAM_NAME_MAX + 1) + 1,
    SETUP_ERROR_BYTES = 512
};

struct store_setup {
    atomic_uint owners;
    struct store_options options;
    struct entry_keys keys;
    char password[SETUP_PASSWORD_MAX + 1]; /* empty: none */
    char origin[SETUP_ORIGIN_BYTES];       /* see entry.h */
    struct tls_context *tls;               /* an owner's share; NULL: plain TCP */
};

/* Reads the files of `options`, whose address is set. `upstreams` are those of the default route. `tls` is shared, not
 * taken, and NULL for plain TCP. NULL, with the reason: a file cannot be read or is not as it must be, or memory is
 * short. */
struct store_setup *store_setup_new(const struct store_options *options, const struct upstream_options *upstreams,
                                    unsigned upstream_count, struct tls_context *tls,
                                    char ret_error[static SETUP_ERROR_BYTES]);

/* The same with other certificates trusted, which are shared, not taken. NULL if memory is short. */
struct store_setup *store_setup_with_tls(const struct store_setup *setup, struct tls_context *tls);

struct store_setup *store_setup_share(struct store_setup *setup); /* NULL is fine for both */
void store_setup_free(struct store_setup *setup);

/* Whether both are the same store, asked in the same way for the same entries, so that a connection may stay. What else
 * the settings say may differ. */
bool store_setup_is_same_store(const struct store_setup *setup, const struct store_setup *other);

/* ---- the files' contents; pure ---- */

/* 64 hexadecimal digits, with spaces and line ends around them alone. */
bool store_secret_parse(const char *text, size_t size, uint8_t ret_secret[static ENTRY_SECRET_BYTES]);

/* One line of 1 to SETUP_PASSWORD_MAX octets without NUL; its end is no part of the password. */
bool store_password_parse(const char *text, size_t size, char ret_password[static SETUP_PASSWORD_MAX + 1]);

/* The names of the upstreams, each once, sorted, a comma between two. An upstream without a name counts by its address.
 */
void store_origin_write(const struct upstream_options *upstreams, unsigned count,
                        char ret_origin[static SETUP_ORIGIN_BYTES]);

#endif
