/* tls_ciphers: the order in which cipher suites are offered to upstreams, by what they cost here, which library is to
 * compute AES-GCM, and which groups are offered for the key exchange.
 *
 * A TLS library with AES instructions encrypts with AES-GCM at a tenth of ChaCha20-Poly1305's cost; without them, or on
 * a processor that has none, it is ChaCha20 that costs a third. The library may be replaced without compiling the
 * program again, and the image may move to another processor, so both are measured when the program starts.
 * Pure functions except for the measurement; any thread. */
#ifndef UPSTREAM_TLS_CIPHERS_H
#define UPSTREAM_TLS_CIPHERS_H

#include <stdbool.h>
#include <stdint.h>

/* What it takes the TLS library to encrypt and authenticate the same number of bytes. */
struct tls_cipher_costs {
    uint64_t aes_gcm_ns;
    uint64_t chacha20_ns;
    bool libcrypto_has_instructions; /* for AES-GCM (aes_gcm.h) */
};

/* Measures both with the TLS library that is loaded; takes less than 10 ms, typically 1 ms. False, and `ret_costs` as
 * it was, if the library offers no way to call one of them by itself. */
bool tls_ciphers_measure(struct tls_cipher_costs *ret_costs);

/* Whether libcrypto, with the processor's instructions, computes AES-GCM faster than the TLS library any cipher: that
 * has none of these instructions, since ChaCha20 costs it less. `costs`: NULL if they could not be measured. */
bool tls_ciphers_want_libcrypto(const struct tls_cipher_costs *costs);

/* The cipher suites for wolfSSL_CTX_set_cipher_list, TLS 1.3 and 1.2, the cheaper AEAD first; `by_libcrypto`: libcrypto
 * computes AES-GCM. `costs`: NULL if they could not be measured, then ChaCha20 is first, whose cost depends least on
 * the processor. A constant string. */
const char *tls_ciphers_order(const struct tls_cipher_costs *costs, bool by_libcrypto);

enum { TLS_GROUPS_MAX = 4 };

/* The groups for wolfSSL_CTX_set_groups, with a library of this version (wolfSSL_lib_version_hex); returns how many, 0:
 * those that the library offers by itself. Up to 5.9.1 it frees memory twice where a server's key share for a hybrid
 * group (ML-KEM beside an elliptic curve) is malformed, so that whoever is on the way to an upstream could end the
 * process: then there are elliptic curves alone. Before 5.8 it offered no hybrid groups. */
int tls_ciphers_groups(uint32_t library_version, int ret_groups[static TLS_GROUPS_MAX]);

/* Sets these for the library that is loaded. False if it does not have one of them, or memory is short. */
struct WOLFSSL_CTX;
bool tls_ciphers_set_groups(struct WOLFSSL_CTX *ctx);

#endif
