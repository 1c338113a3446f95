/* AES-GCM is what NIST's examples say, and a message that was changed anywhere is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/aes_gcm.h"

enum { SIZE_MAX_TRIED = 600, ADDITIONAL_BYTES = 5 };

/* Test case 4 of "The Galois/Counter Mode of Operation" (McGrew, Viega), in SP 800-38D's examples, too. */
static const uint8_t case_key[] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                   0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
static const uint8_t case_nonce[] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
static const uint8_t case_additional[] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
                                          0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
static const uint8_t case_plain[] = {0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5,
                                     0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda,
                                     0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95,
                                     0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25,
                                     0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
static const uint8_t case_sealed[] = {0x42, 0x83, 0x1e, 0xc2, 0x21, 0x77, 0x74, 0x24, 0x4b, 0x72, 0x21, 0xb7,
                                      0x84, 0xd0, 0xd4, 0x9c, 0xe3, 0xaa, 0x21, 0x2f, 0x2c, 0x02, 0xa4, 0xe0,
                                      0x35, 0xc1, 0x7e, 0x23, 0x29, 0xac, 0xa1, 0x2e, 0x21, 0xd5, 0x14, 0xb2,
                                      0x54, 0x66, 0x93, 0x1c, 0x7d, 0x8f, 0x6a, 0x5a, 0xac, 0x84, 0xaa, 0x05,
                                      0x1b, 0xa3, 0x0b, 0x39, 0x6a, 0x0a, 0xac, 0x97, 0x3d, 0x58, 0xe0, 0x91};
static const uint8_t case_tag[AES_GCM_TAG_BYTES] = {0x5b, 0xc9, 0x4f, 0xbc, 0x32, 0x21, 0xa5, 0xdb,
                                                    0x94, 0xfa, 0xe9, 0x5a, 0xe7, 0x12, 0x1a, 0x47};

static void a_known_message_is_sealed_and_opened(void **state)
{
    (void)state;
    uint8_t out[sizeof case_plain];
    uint8_t tag[AES_GCM_TAG_BYTES];
    struct aes_gcm *seals = aes_gcm_new(case_key, sizeof case_key, true);
    struct aes_gcm *opens = aes_gcm_new(case_key, sizeof case_key, false);
    struct aes_gcm_message message = {.nonce = case_nonce,
                                      .additional = case_additional,
                                      .additional_size = sizeof case_additional,
                                      .in = case_plain,
                                      .size = sizeof case_plain,
                                      .out = out};
    assert_non_null(seals);
    assert_non_null(opens);
    for (int round = 0; round < 3; round++) { /* a key is used again and again */
        message.in = case_plain;
        assert_true(aes_gcm_seal(seals, &message, tag));
        assert_memory_equal(out, case_sealed, sizeof out);
        assert_memory_equal(tag, case_tag, sizeof tag);
        message.in = case_sealed;
        assert_true(aes_gcm_open(opens, &message, tag));
        assert_memory_equal(out, case_plain, sizeof out);
    }
    aes_gcm_free(seals);
    aes_gcm_free(opens);
}

/* Each size of a key and of a message, in place, as the records of TLS are. */
static void what_was_sealed_in_place_is_opened_in_place(void **state)
{
    (void)state;
    static const size_t key_sizes[] = {16, 24, 32};
    uint8_t key[AES_GCM_KEY_MAX] = {9};
    uint8_t text[SIZE_MAX_TRIED];
    uint8_t tag[AES_GCM_TAG_BYTES];
    for (size_t i = 0; i < sizeof key_sizes / sizeof *key_sizes; i++) {
        struct aes_gcm *seals = aes_gcm_new(key, key_sizes[i], true);
        struct aes_gcm *opens = aes_gcm_new(key, key_sizes[i], false);
        for (size_t size = 1; size <= SIZE_MAX_TRIED; size++) {
            uint8_t nonce[AES_GCM_NONCE_BYTES] = {(uint8_t)size, (uint8_t)(size >> 8)};
            struct aes_gcm_message message = {nonce, key, ADDITIONAL_BYTES, text, size, text};
            memset(text, (int)size, size);
            assert_true(aes_gcm_seal(seals, &message, tag));
            assert_true(aes_gcm_open(opens, &message, tag));
            for (size_t at = 0; at < size; at++) assert_int_equal(text[at], (uint8_t)size);
        }
        aes_gcm_free(seals);
        aes_gcm_free(opens);
    }
}

/* One octet of each part in turn. */
static void a_message_changed_anywhere_is_refused(void **state)
{
    (void)state;
    struct aes_gcm *opens = aes_gcm_new(case_key, sizeof case_key, false);
    uint8_t sealed[sizeof case_sealed];
    uint8_t additional[sizeof case_additional];
    uint8_t nonce[sizeof case_nonce];
    uint8_t tag[sizeof case_tag];
    uint8_t out[sizeof case_plain];
    struct part {
        uint8_t *octets;
        size_t size;
    } parts[] = {{sealed, sizeof sealed}, {additional, sizeof additional}, {nonce, sizeof nonce}, {tag, sizeof tag}};
    const struct aes_gcm_message message = {nonce, additional, sizeof additional, sealed, sizeof sealed, out};
    memcpy(sealed, case_sealed, sizeof sealed);
    memcpy(additional, case_additional, sizeof additional);
    memcpy(nonce, case_nonce, sizeof nonce);
    memcpy(tag, case_tag, sizeof tag);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (size_t at = 0; at < parts[i].size; at++) {
            parts[i].octets[at] ^= 0x10;
            assert_false(aes_gcm_open(opens, &message, tag));
            parts[i].octets[at] ^= 0x10;
            assert_true(aes_gcm_open(opens, &message, tag)); /* a refusal does not spoil the key */
        }
    const struct aes_gcm_message shorter = {nonce, additional, sizeof additional, sealed, sizeof sealed - 1, out};
    assert_false(aes_gcm_open(opens, &shorter, tag));
    aes_gcm_free(opens);
}

static void a_key_of_another_size_is_none(void **state)
{
    (void)state;
    const uint8_t key[AES_GCM_KEY_MAX + 1] = {0};
    for (size_t size = 0; size <= sizeof key; size++) {
        struct aes_gcm *gcm = aes_gcm_new(key, size, true);
        assert_int_equal(gcm != NULL, size == 16 || size == 24 || size == 32);
        aes_gcm_free(gcm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_message_is_sealed_and_opened),
        cmocka_unit_test(what_was_sealed_in_place_is_opened_in_place),
        cmocka_unit_test(a_message_changed_anywhere_is_refused),
        cmocka_unit_test(a_key_of_another_size_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
