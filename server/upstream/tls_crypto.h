/* tls_crypto: by what the TLS library encrypts on this machine: the cipher suites that are offered first, and who
 * computes AES-GCM (docs/decisions/0031-libcrypto-encrypts.md).
 *
 * wolfSSL as Debian builds it does not use the processor's instructions for AES; OpenSSL's libcrypto, which is there
 * for certificates, does. wolfSSL offers each operation to a callback first, its "device", which this file registers
 * where libcrypto is the faster. It gives the callback no connection, only its own key object. So a key that the
 * callback makes waits here, unclaimed, until the connection for which its thread called the library takes it.
 *
 * One at a time in a process: made before the first context of tls.h and before other threads use the library, freed
 * after the last. All else: any thread. */
#ifndef UPSTREAM_TLS_CRYPTO_H
#define UPSTREAM_TLS_CRYPTO_H

#include "common/list.h"
#include "upstream/tls_ciphers.h"

struct tls_crypto;

/* `costs`: NULL: they are measured, which takes some 2 ms. NULL if memory is short. */
struct tls_crypto *tls_crypto_new(const struct tls_cipher_costs *costs);
void tls_crypto_free(struct tls_crypto *crypto); /* NULL is fine */

/* For wolfSSL_CTX_set_cipher_list; a constant string. `crypto` NULL: nothing is known of the costs. */
const char *tls_crypto_ciphers(const struct tls_crypto *crypto);

/* For wolfSSL_CTX_SetDevId: what registers the callback, or that there is none. `crypto` NULL: none. */
int tls_crypto_device(const struct tls_crypto *crypto);

/* Moves the keys that this thread made to `keys`, the list of the connection for which it called the library just now:
 * after each call that may encrypt or decrypt. A key of `keys` whose object the library uses for another one by now is
 * freed, so that there are never more than the library has: one for each direction. `crypto` NULL: does nothing. */
void tls_crypto_claim(struct tls_crypto *crypto, struct list *keys);

/* Frees the keys of a connection that the library has freed. */
void tls_crypto_free_keys(struct list *keys);

#endif
