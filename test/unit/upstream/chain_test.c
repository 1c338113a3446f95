/* The second check of certificate chains. The table of all kinds of chains is in test/integration/test_chains.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../fuzz/chain_material.h"
#include "dns/edns.h"
#include "upstream/chain.h"

#define NAME "cloudflare-dns.com"
#define CERTIFICATE(bytes)                                                                                             \
    (struct chain_certificate)                                                                                         \
    {                                                                                                                  \
        bytes, sizeof bytes                                                                                            \
    }

static const int64_t late_s = 8000000000; /* in 2223, when all of them have expired */

static int set_up(void **state)
{
    char error[64];
    *state = chain_anchors_parse(material_root, sizeof material_root - 1, error, sizeof error);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    chain_anchors_free(*state);
    return 0;
}

static void a_chain_to_the_root_is_good(void **state)
{
    const struct chain_certificate sent[] = {CERTIFICATE(material_server), CERTIFICATE(material_intermediate)};
    const struct chain_certificate single[] = {CERTIFICATE(material_ed25519)};
    assert_int_equal(chain_judge(*state, NAME, sent, 2, MATERIAL_TIME_S), CHAIN_GOOD);
    assert_int_equal(chain_judge(*state, NAME, single, 1, MATERIAL_TIME_S), CHAIN_GOOD);
}

static void nothing_is_remembered_of_earlier_chains(void **state)
{
    const struct chain_certificate sent[] = {CERTIFICATE(material_server), CERTIFICATE(material_intermediate)};
    assert_int_equal(chain_judge(*state, NAME, sent, 2, MATERIAL_TIME_S), CHAIN_GOOD);
    assert_int_equal(chain_judge(*state, NAME, sent, 1, MATERIAL_TIME_S), CHAIN_UNKNOWN_CA);
}

static void the_name_must_be_the_one_wanted(void **state)
{
    const struct chain_certificate sent[] = {CERTIFICATE(material_wildcard), CERTIFICATE(material_limited)};
    assert_int_equal(chain_judge(*state, "a.com", sent, 2, MATERIAL_TIME_S), CHAIN_GOOD);
    assert_int_equal(chain_judge(*state, "one.example.com", sent, 2, MATERIAL_TIME_S), CHAIN_GOOD);
    static const char *const others[] = {"example.com", "a.one.example.com", "b.com", "a.com.",
                                         "com",         "*.example.com.x"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(chain_judge(*state, others[i], sent, 2, MATERIAL_TIME_S), CHAIN_NAME);
}

static void names_that_libcrypto_takes_for_patterns_are_refused(void **state)
{
    const struct chain_certificate sent[] = {CERTIFICATE(material_server), CERTIFICATE(material_intermediate)};
    assert_int_equal(chain_judge(*state, "", sent, 2, MATERIAL_TIME_S), CHAIN_NAME);
    assert_int_equal(chain_judge(*state, ".com", sent, 2, MATERIAL_TIME_S), CHAIN_NAME);
}

static void dates_are_those_of_the_moment(void **state)
{
    const struct chain_certificate sent[] = {CERTIFICATE(material_server), CERTIFICATE(material_intermediate)};
    assert_true(chain_anchors_valid_at(*state, MATERIAL_TIME_S));
    assert_false(chain_anchors_valid_at(*state, 0));
    assert_false(chain_anchors_valid_at(*state, late_s));
    assert_int_equal(chain_judge(*state, NAME, sent, 2, 0), CHAIN_CLOCK);
    assert_int_equal(chain_judge(*state, NAME, sent, 2, late_s), CHAIN_CLOCK);
    assert_int_equal(chain_judge(*state, NAME, sent, 2, MATERIAL_TIME_S), CHAIN_GOOD);
}

static void each_changed_bit_makes_it_bad(void **state)
{
    uint8_t changed[sizeof material_ed25519];
    const struct chain_certificate sent[] = {{changed, sizeof changed}};
    for (size_t bit = 0; bit < 8 * sizeof changed; bit++) {
        memcpy(changed, material_ed25519, sizeof changed);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(chain_judge(*state, NAME, sent, 1, MATERIAL_TIME_S), CHAIN_GOOD);
    }
}

static void what_is_no_certificate_is_malformed(void **state)
{
    const struct chain_certificate cut[] = {{material_ed25519, sizeof material_ed25519 - 1}};
    const struct chain_certificate odd[] = {CERTIFICATE(material_ed25519), {(const uint8_t *)"odd", 3}};
    uint8_t longer[sizeof material_ed25519 + 1] = {0};
    const struct chain_certificate trailing[] = {CERTIFICATE(longer)};
    struct chain_certificate many[CHAIN_SENT_MAX + 1];
    memcpy(longer, material_ed25519, sizeof material_ed25519);
    for (unsigned i = 0; i <= CHAIN_SENT_MAX; i++) many[i] = CERTIFICATE(material_ed25519);
    assert_int_equal(chain_judge(*state, NAME, cut, 1, MATERIAL_TIME_S), CHAIN_MALFORMED);
    assert_int_equal(chain_judge(*state, NAME, trailing, 1, MATERIAL_TIME_S), CHAIN_MALFORMED);
    assert_int_equal(chain_judge(*state, NAME, odd, 2, MATERIAL_TIME_S), CHAIN_MALFORMED);
    assert_int_equal(chain_judge(*state, NAME, NULL, 0, MATERIAL_TIME_S), CHAIN_MALFORMED);
    assert_int_equal(chain_judge(*state, NAME, many, CHAIN_SENT_MAX, MATERIAL_TIME_S), CHAIN_GOOD);
    assert_int_equal(chain_judge(*state, NAME, many, CHAIN_SENT_MAX + 1, MATERIAL_TIME_S), CHAIN_MALFORMED);
}

static void every_verdict_has_a_text_that_fits_an_extended_error(void **state)
{
    (void)state;
    for (int verdict = 0; verdict < CHAIN_VERDICT_COUNT; verdict++) {
        size_t size = strlen(chain_verdict_text((enum chain_verdict)verdict));
        assert_in_range(size, 10, EDNS_TEXT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_to_the_root_is_good),
        cmocka_unit_test(nothing_is_remembered_of_earlier_chains),
        cmocka_unit_test(the_name_must_be_the_one_wanted),
        cmocka_unit_test(names_that_libcrypto_takes_for_patterns_are_refused),
        cmocka_unit_test(dates_are_those_of_the_moment),
        cmocka_unit_test(each_changed_bit_makes_it_bad),
        cmocka_unit_test(what_is_no_certificate_is_malformed),
        cmocka_unit_test(every_verdict_has_a_text_that_fits_an_extended_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
