/* The cheaper AEAD is offered first, whatever library and processor the program meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/tls_ciphers.h"

static bool stands_before(const char *list, const char *first, const char *second)
{
    const char *a = strstr(list, first);
    const char *b = strstr(list, second);
    assert_non_null(a);
    assert_non_null(b);
    return a < b;
}

static void aes_gcm_is_first_where_it_is_cheaper(void **state)
{
    (void)state;
    const char *list = tls_ciphers_order(&(struct tls_cipher_costs){.aes_gcm_ns = 10, .chacha20_ns = 11}, false);
    assert_true(stands_before(list, "TLS13-AES128-GCM", "TLS13-CHACHA20"));
    assert_true(stands_before(list, "ECDHE-ECDSA-AES128-GCM", "ECDHE-ECDSA-CHACHA20"));
    assert_true(stands_before(list, "ECDHE-RSA-AES128-GCM", "ECDHE-RSA-CHACHA20"));
}

static void chacha20_is_first_where_aes_gcm_is_not_cheaper(void **state)
{
    (void)state;
    const struct tls_cipher_costs dear = {.aes_gcm_ns = 30, .chacha20_ns = 10};
    const struct tls_cipher_costs equal = {.aes_gcm_ns = 10, .chacha20_ns = 10};
    const char *lists[] = {tls_ciphers_order(&dear, false), tls_ciphers_order(&equal, false),
                           tls_ciphers_order(NULL, false)};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_true(stands_before(lists[i], "TLS13-CHACHA20", "TLS13-AES128-GCM"));
        assert_true(stands_before(lists[i], "ECDHE-ECDSA-CHACHA20", "ECDHE-ECDSA-AES128-GCM"));
        assert_true(stands_before(lists[i], "ECDHE-RSA-CHACHA20", "ECDHE-RSA-AES128-GCM"));
    }
}

static void libcrypto_computes_aes_gcm_where_only_it_has_instructions_for_it(void **state)
{
    (void)state;
    const struct tls_cipher_costs with = {30, 10, true};
    const struct tls_cipher_costs without = {30, 10, false};
    const struct tls_cipher_costs both = {1, 10, true};
    assert_true(tls_ciphers_want_libcrypto(&with));
    assert_false(tls_ciphers_want_libcrypto(&without));
    assert_false(tls_ciphers_want_libcrypto(&both));
    assert_false(tls_ciphers_want_libcrypto(NULL));
    assert_true(stands_before(tls_ciphers_order(&with, true), "TLS13-AES128-GCM", "TLS13-CHACHA20"));
    assert_true(stands_before(tls_ciphers_order(&with, false), "TLS13-CHACHA20", "TLS13-AES128-GCM"));
}

static void suites_of_tls_1_3_stand_before_those_of_1_2_and_128_bits_before_256(void **state)
{
    (void)state;
    for (uint64_t aes_ns = 1; aes_ns <= 3; aes_ns++) {
        const char *list = tls_ciphers_order(&(struct tls_cipher_costs){.aes_gcm_ns = aes_ns, .chacha20_ns = 2}, false);
        assert_true(stands_before(list, "TLS13-AES256", "ECDHE-"));
        assert_true(stands_before(list, "TLS13-AES128", "TLS13-AES256"));
        assert_true(stands_before(list, "TLS13-CHACHA20", "TLS13-AES256"));
    }
}

static void both_are_measured_with_the_library_that_is_loaded(void **state)
{
    (void)state;
    struct tls_cipher_costs costs = {0};
    assert_true(tls_ciphers_measure(&costs));
    print_message("16 KiB: AES-GCM %llu ns, ChaCha20-Poly1305 %llu ns\n", (unsigned long long)costs.aes_gcm_ns,
                  (unsigned long long)costs.chacha20_ns);
    assert_int_not_equal(costs.aes_gcm_ns, 0);
    assert_int_not_equal(costs.chacha20_ns, 0);
    assert_true(costs.aes_gcm_ns < UINT64_MAX && costs.chacha20_ns < UINT64_MAX);
}

static void hybrid_groups_are_left_out_where_the_library_frees_them_twice(void **state)
{
    (void)state;
    int groups[TLS_GROUPS_MAX] = {0};
    assert_int_equal(tls_ciphers_groups(0x05005004, groups), 0); /* 5.5.4 has none */
    assert_int_equal(tls_ciphers_groups(0x05007002, groups), 0);
    assert_int_equal(tls_ciphers_groups(0x05009002, groups), 0); /* mended */
    assert_int_equal(groups[0], 0);
    const uint32_t affected[] = {0x05008000, 0x05008004, 0x05009000, 0x05009001};
    for (size_t i = 0; i < sizeof affected / sizeof *affected; i++) {
        assert_int_equal(tls_ciphers_groups(affected[i], groups), TLS_GROUPS_MAX);
        for (int j = 0; j < TLS_GROUPS_MAX; j++) assert_in_range(groups[j], 1, 0xff); /* hybrids are above 0x200 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aes_gcm_is_first_where_it_is_cheaper),
        cmocka_unit_test(chacha20_is_first_where_aes_gcm_is_not_cheaper),
        cmocka_unit_test(libcrypto_computes_aes_gcm_where_only_it_has_instructions_for_it),
        cmocka_unit_test(suites_of_tls_1_3_stand_before_those_of_1_2_and_128_bits_before_256),
        cmocka_unit_test(both_are_measured_with_the_library_that_is_loaded),
        cmocka_unit_test(hybrid_groups_are_left_out_where_the_library_frees_them_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
