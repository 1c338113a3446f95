#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/hash.h"

/* The key of the reference's own test vectors: the octets 0 to 15. */
static const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void it_is_siphash_1_3(void **state)
{
    (void)state;
    /* Of the octets 0, 1, 2 ...; from an implementation that gives the published vectors of SipHash-2-4. */
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0xabac0158050fc4dc)},  {1, UINT64_C(0xc9f49bf37d57ca93)},  {7, UINT64_C(0xd3927d989bb11140)},
        {8, UINT64_C(0x369095118d299a8e)},  {9, UINT64_C(0x25a48eb36c063de4)},  {15, UINT64_C(0xd320d86d2a519956)},
        {16, UINT64_C(0xcc4fdd1a7d908b66)}, {63, UINT64_C(0x9d199062b7bbb3a8)}, {255, UINT64_C(0xf76214e3153c4a15)},
    };
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(hash_bytes(&key, bytes, vectors[i].size) == vectors[i].hash);
}

static void the_strong_one_is_siphash_2_4(void **state)
{
    (void)state;
    /* The published vectors, of the octets 0, 1, 2 ... */
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},  {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)}, {15, UINT64_C(0xa129ca6149be45e5)}, {63, UINT64_C(0x958a324ceb064572)},
    };
    uint8_t key_bytes[HASH_KEY_BYTES];
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof key_bytes; i++) key_bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(hash_bytes_strong(key_bytes, bytes, vectors[i].size) == vectors[i].hash);
}

static void it_does_not_matter_where_the_bytes_lie(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0};
    uint64_t expected = hash_bytes(&key, bytes, 30);
    for (size_t at = 1; at < 16; at++) assert_true(hash_bytes(&key, bytes + at, 30) == expected);
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    struct hash_key other = key;
    other.k1 ^= 1;
    assert_true(hash_bytes(&key, "example", 7) != hash_bytes(&other, "example", 7));
    other = key;
    other.k0 ^= 1;
    assert_true(hash_bytes(&key, "example", 7) != hash_bytes(&other, "example", 7));
}

static void keys_are_drawn_again(void **state)
{
    (void)state;
    struct hash_key a = hash_key_draw();
    struct hash_key b = hash_key_draw();
    assert_true(a.k0 != b.k0 && a.k1 != b.k1);
    assert_true(a.k0 != a.k1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash_1_3),
        cmocka_unit_test(the_strong_one_is_siphash_2_4),
        cmocka_unit_test(it_does_not_matter_where_the_bytes_lie),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(keys_are_drawn_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
