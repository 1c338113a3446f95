/* hash: SipHash-1-3, a keyed hash (Aumasson, Bernstein 2012): without the key nobody can choose inputs that share a
 * bucket of a table.
 *
 * One key is drawn at start and shared by all tables. Pure; any thread. */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

/* A key from the kernel's random source. */
struct hash_key hash_key_draw(void);

/* The key of a table entry: bytes and their hash, computed once and used for all tables. Does not own the bytes. */
struct hashed_key {
    const uint8_t *bytes;
    uint16_t size;
    uint64_t hash;
};

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t size);

/* SipHash-2-4, a message authentication code for what others are shown and give back (RFC 9018, 4.4). Its eight octets
 * on the wire are the value in little-endian order. */
enum { HASH_KEY_BYTES = 16 };
uint64_t hash_bytes_strong(const uint8_t key[static HASH_KEY_BYTES], const void *bytes, size_t size);

#endif
