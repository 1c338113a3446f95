/* aes_gcm: AES-GCM (NIST SP 800-38D) with a nonce of 12 octets and a tag of 16, as records of TLS are protected, by
 * OpenSSL's libcrypto, which uses the processor's instructions for it. Only this file and chain*.c know OpenSSL.
 *
 * A key is good for one direction. It belongs to one thread at a time. No two messages may be sealed with the same
 * nonce; who calls counts them. */
#ifndef UPSTREAM_AES_GCM_H
#define UPSTREAM_AES_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AES_GCM_NONCE_BYTES = 12, AES_GCM_TAG_BYTES = 16, AES_GCM_KEY_MAX = 32 };

/* What sealing and opening have in common. `out` has room for `size` bytes and may be `in`; the two do not overlap
 * otherwise. */
struct aes_gcm_message {
    const uint8_t *nonce;      /* AES_GCM_NONCE_BYTES */
    const uint8_t *additional; /* authenticated, not encrypted */
    size_t additional_size;
    const uint8_t *in;
    size_t size; /* below 2^31 */
    uint8_t *out;
};

struct aes_gcm;

/* The processor has the instructions by which libcrypto computes AES-GCM at a tenth of the cost that it has otherwise.
 * Whether libcrypto was built to use them, as it is in all distributions, is not looked at. */
bool aes_gcm_has_instructions(void);

/* `key`: 16, 24 or 32 bytes, copied. `seals`: for aes_gcm_seal, else for aes_gcm_open. NULL if memory is short, or the
 * key has another size. */
struct aes_gcm *aes_gcm_new(const uint8_t *key, size_t key_size, bool seals);
void aes_gcm_free(struct aes_gcm *gcm); /* erases the key; NULL is fine */

/* False: the library failed, which it does without memory only; `out` is then of no use, nor is the nonce. */
bool aes_gcm_seal(struct aes_gcm *gcm, const struct aes_gcm_message *message,
                  uint8_t ret_tag[static AES_GCM_TAG_BYTES]);

/* False: the tag is not that of the message, and what `out` holds must not be used. */
bool aes_gcm_open(struct aes_gcm *gcm, const struct aes_gcm_message *message,
                  const uint8_t tag[static AES_GCM_TAG_BYTES]);

#endif
