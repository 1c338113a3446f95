/* chain_anchors: the certificates of the CA bundle as libcrypto holds them: what chain.c trusts.
 *
 * Once made they are not changed, and any thread may use them. Dates do not matter here: a machine may start with a
 * wrong clock, and its bundle must be good when the clock is. */
#ifndef UPSTREAM_CHAIN_ANCHORS_H
#define UPSTREAM_CHAIN_ANCHORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHAIN_BUNDLE_BYTES_MAX = 16 * 1024 * 1024 }; /* the system's has 0.2 MiB */

/* A certificate in DER; the bytes are the caller's. */
struct chain_certificate {
    const uint8_t *der;
    size_t size;
};

struct chain_anchors;

/* Reads the PEM file. Blocks that hold no certificate, or a malformed one, are passed over. NULL: it cannot be
 * read, is not a regular file, is larger than CHAIN_BUNDLE_BYTES_MAX or has no certificate, or memory is short;
 * `ret_error` says which, without the path. */
struct chain_anchors *chain_anchors_load(const char *path, char *ret_error, size_t error_bytes);

/* The same for `size` bytes. */
struct chain_anchors *chain_anchors_parse(const void *pem, size_t size, char *ret_error, size_t error_bytes);
void chain_anchors_free(struct chain_anchors *anchors); /* NULL is fine */

unsigned chain_anchors_count(const struct chain_anchors *anchors);

/* True if the dates of at least one CA certificate include `now_s`, seconds since 1970. */
bool chain_anchors_valid_at(const struct chain_anchors *anchors, int64_t now_s);

/* Calls `visit` for each certificate; its bytes are valid until `visit` returns. False: memory was short. */
bool chain_anchors_visit(const struct chain_anchors *anchors,
                         void (*visit)(void *context, struct chain_certificate certificate), void *context);

/* For chain.c alone: libcrypto's X509_STORE of them. */
struct x509_store_st *chain_anchors_store(const struct chain_anchors *anchors);

#endif
