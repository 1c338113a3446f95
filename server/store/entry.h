/* entry: what the store holds under one key: a response of upstream with its times, signed. docs/ARCHITECTURE.md has
 * the whole; here is the layout.
 *
 * Keys. Of the fleet's secret two keys are derived, so that no code of one kind is a code of the other:
 *   K_name  = HMAC-SHA256(secret, "dns-tls-proxy shared cache 1 name")
 *   K_value = HMAC-SHA256(secret, "dns-tls-proxy shared cache 1 value")
 * A question is found under its digest, which tells nobody without the secret what was asked:
 *   digest  = HMAC-SHA256(K_name, origin, a zero octet, the question's key as in dns/question.h)
 * `origin` stands for the upstreams that are asked: answers of others are not to be given. In the store the first half
 * of the digest is written as 32 hexadecimal digits.
 *
 * Values, numbers big-endian:
 *   0   "DTP", and the version, 1
 *   4   8 octets: when upstream answered, ms since 1970; the TTLs count from then
 *   12  8 octets: when the answer is over, ms since 1970
 *   20  the response, as a client with EDNS gets it
 *   -32 HMAC-SHA256(K_value, the whole digest, all octets before)
 * Another version has other keys, too, so that versions do not overwrite each other's entries while a fleet is updated.
 *
 * Nothing here is believed before the code is right, and the response not even then: the owner judges it like one of an
 * upstream. Without a secret (`none`) the keys come of a secret of zeros, which everybody knows. Pure; any thread. */
#ifndef STORE_ENTRY_H
#define STORE_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "dns/question.h"
#include "store/mac.h"

enum {
    ENTRY_HEAD_BYTES = 20,
    ENTRY_BYTES_MIN = ENTRY_HEAD_BYTES + DNS_HEADER_BYTES + MAC_BYTES,
    ENTRY_BYTES_MAX = ENTRY_HEAD_BYTES + DNS_MESSAGE_MAX + MAC_BYTES,
    ENTRY_KEY_DIGITS = MAC_BYTES, /* of the first half of the digest */
    ENTRY_SECRET_BYTES = 32
};

struct entry_keys {
    struct mac_key name;
    struct mac_key value;
};
void entry_keys_derive(const uint8_t secret[static ENTRY_SECRET_BYTES], struct entry_keys *ret_keys);

struct entry_digest {
    uint8_t bytes[MAC_BYTES];
};
void entry_digest_make(const struct entry_keys *keys, const char *origin, const struct question_key *key,
                       struct entry_digest *ret_digest);

/* Writes the digits of the store's key; no NUL behind them. */
void entry_key_write(const struct entry_digest *digest, char out[static ENTRY_KEY_DIGITS]);

struct entry {
    uint64_t stored_ms;
    uint64_t expires_ms;
    const uint8_t *message; /* DNS_HEADER_BYTES to DNS_MESSAGE_MAX octets */
    size_t message_size;
};

/* Writes the value of at most ENTRY_BYTES_MAX octets; returns its size. */
size_t entry_write(const struct entry_keys *keys, const struct entry_digest *digest, const struct entry *entry,
                   uint8_t *out);

enum entry_verdict {
    ENTRY_GOOD,
    ENTRY_FORMAT, /* no entry of this version */
    ENTRY_FORGED, /* its code is wrong: damaged, of another secret or for another question */
};

/* `ret_entry` points into `bytes`; untouched unless ENTRY_GOOD. */
enum entry_verdict entry_read(const struct entry_keys *keys, const struct entry_digest *digest, const uint8_t *bytes,
                              size_t size, struct entry *ret_entry);

#endif
