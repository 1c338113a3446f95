#include "common/hash.h"

#include <string.h>
#include <sys/random.h>

#include "common/clock.h"

struct hash_key hash_key_draw(void)
{
    struct hash_key key;
    if (getrandom(&key, sizeof key, 0) != sizeof key) /* only before the kernel's source exists at all */
        key = (struct hash_key){clock_now_ns(), (uint64_t)clock_wall_s()};
    return key;
}

/* The compiler must know both numbers of rounds, so that it unrolls the loops: 100 instructions less for a name. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static ALWAYS_INLINE void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static ALWAYS_INLINE void sip_rounds(struct sip *s, int count)
{
    for (int i = 0; i < count; i++) sip_round(s);
}

static ALWAYS_INLINE void sip_word(struct sip *s, uint64_t word, int rounds)
{
    s->v3 ^= word;
    sip_rounds(s, rounds);
    s->v0 ^= word;
}

/* The up to seven octets behind the last whole word, the first of them lowest. */
static ALWAYS_INLINE uint64_t last_octets(const uint8_t *bytes, size_t size)
{
    size_t count = size % 8;
    uint64_t word = 0;
    if (count == 0) return 0;
    if (size >= 8) { /* one read that ends with them, instead of one for each */
        memcpy(&word, bytes + size - 8, 8);
        return word >> (64 - 8 * count);
    }
    for (size_t i = 0; i < count; i++) word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

/* SipHash-c-d; inlined, so that both numbers of rounds are constants. */
static ALWAYS_INLINE uint64_t sip_hash(const struct hash_key *key, const void *bytes, size_t size, int c, int d)
{
    struct sip s = {
        key->k0 ^ UINT64_C(0x736f6d6570736575),
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *at = bytes;
    const uint8_t *end = at + size / 8 * 8;
    uint64_t word;
    for (; at < end; at += 8) {
        memcpy(&word, at, 8); /* little-endian, as the reference */
        sip_word(&s, word, c);
    }
    sip_word(&s, (uint64_t)size << 56 | last_octets(bytes, size), c);
    s.v2 ^= 0xff;
    sip_rounds(&s, d);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t size)
{
    return sip_hash(key, bytes, size, 1, 3);
}

uint64_t hash_bytes_strong(const uint8_t key[static HASH_KEY_BYTES], const void *bytes, size_t size)
{
    struct hash_key words;
    _Static_assert(sizeof words == HASH_KEY_BYTES, "the key's two words, little-endian");
    memcpy(&words, key, sizeof words);
    return sip_hash(&words, bytes, size, 2, 4);
}
