#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/udp_admission.h"
#include "common/clock.h"

#define NOW_NS (100 * NS_PER_S)

static const uint32_t now_s = 1559731985;
static const uint8_t client_cookie[COOKIE_CLIENT_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t name[] = "\7example\3com";

static struct story {
    struct udp_admission admission;
    struct cookie_service cookies;
    struct address client;
    struct question question;
    struct reply_profile profile;
    enum question_verdict verdict;
    size_t size;
    enum label_udp_source source;
} story;

static int begin(void **state)
{
    (void)state;
    static const struct hash_key hash_key = {1, 2};
    static const struct ratelimit_options limits = {
        .queries_per_s = 1, .burst = 2, .ipv4_prefix = 32, .ipv6_prefix = 64, .max_clients = 100};
    memset(&story, 0, sizeof story);
    story.cookies = (struct cookie_service){true, cookie_keys_draw(now_s), counters_new()};
    story.admission = (struct udp_admission){
        .options = {.max_size = 1232, .max_size_unverified = 512, .responses_per_s = 1, .slip = 2},
        .cookies = &story.cookies,
        .ratelimit = ratelimit_new(&limits, &hash_key),
    };
    story.question = (struct question){.name = name, .name_size = sizeof name, .edns = true, .udp_size = 4096};
    story.verdict = QUESTION_GOOD;
    story.size = 40;
    assert_true(address_parse("192.168.1.1:1234", 0, &story.client));
    return 0;
}

static int end(void **state)
{
    (void)state;
    ratelimit_free(story.admission.ratelimit);
    counters_free(story.cookies.counters);
    return 0;
}

static void comes_from(const char *text)
{
    assert_true(address_parse(text, 1234, &story.client));
}

static void has_cookie(const uint8_t *cookie, size_t size)
{
    story.question.cookie = cookie;
    story.question.cookie_size = (uint16_t)size;
}

static enum refusal admit(void)
{
    const struct udp_question asked = {&story.client, story.size, &story.question, story.verdict};
    story.profile = reply_profile_of(&story.question);
    return udp_admit(&story.admission, &asked, NOW_NS, now_s, &story.profile, &story.source);
}

static void without_limit(void)
{
    story.admission.options.responses_per_s = 0;
}

static void use_up_the_limit(void)
{
    const uint8_t *cookie = story.question.cookie;
    story.question.cookie = NULL;
    while (admit() == REFUSAL_NONE) continue;
    story.admission.over_limit = 0;
    story.question.cookie = cookie;
}

static void sources_are_recognised_by_their_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum label_udp_source source;
    } sources[] = {
        {"127.0.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"10.255.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"172.16.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"172.31.255.255", LABEL_UDP_SOURCE_PRIVATE},
        {"172.15.0.1", LABEL_UDP_SOURCE_FOREIGN},
        {"172.32.0.1", LABEL_UDP_SOURCE_FOREIGN},
        {"192.168.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"192.169.0.1", LABEL_UDP_SOURCE_FOREIGN},
        {"100.64.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"100.127.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"100.63.0.1", LABEL_UDP_SOURCE_FOREIGN},
        {"100.128.0.1", LABEL_UDP_SOURCE_FOREIGN},
        {"169.254.1.1", LABEL_UDP_SOURCE_PRIVATE},
        {"9.9.9.9", LABEL_UDP_SOURCE_FOREIGN},
        {"::1", LABEL_UDP_SOURCE_PRIVATE},
        {"fd00::1", LABEL_UDP_SOURCE_PRIVATE},
        {"fe80::1", LABEL_UDP_SOURCE_PRIVATE},
        {"febf::1", LABEL_UDP_SOURCE_PRIVATE},
        {"fec0::1", LABEL_UDP_SOURCE_FOREIGN},
        {"2001:db8::1", LABEL_UDP_SOURCE_FOREIGN},
        {"::ffff:10.0.0.1", LABEL_UDP_SOURCE_PRIVATE},
        {"fe00::1", LABEL_UDP_SOURCE_FOREIGN},
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        comes_from(sources[i].address);
        admit();
        assert_int_equal(story.source, sources[i].source);
    }
}

static void a_reply_is_as_large_as_client_and_settings_allow(void **state)
{
    (void)state;
    static const struct {
        uint16_t of_client;
        uint16_t size;
    } sizes[] = {{0, 512}, {511, 512}, {512, 512}, {1000, 1000}, {1232, 1232}, {65535, 1232}};
    without_limit();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        story.question.udp_size = sizes[i].of_client;
        admit();
        assert_int_equal(story.profile.max_bytes, sizes[i].size);
    }
}

static void a_reply_to_a_foreign_source_is_not_larger_than_its_question(void **state)
{
    (void)state;
    comes_from("198.51.100.1");
    without_limit();
    for (story.size = 12; story.size < 1500; story.size++) {
        admit();
        assert_int_equal(story.profile.max_bytes, story.size < 512 ? story.size : 512);
    }
}

static void a_cookie_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    const size_t least = 12 + sizeof name + 4 + 11 + 28;
    comes_from("198.51.100.1");
    has_cookie(client_cookie, sizeof client_cookie);
    story.size = least - 1;
    admit();
    assert_int_equal(story.profile.option_bytes, 0);
    story.size = least;
    admit();
    assert_int_equal(story.profile.option_bytes, 28);
    assert_memory_equal(story.profile.option + 4, client_cookie, sizeof client_cookie);
}

static void a_valid_cookie_lifts_all_limits(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_BYTES];
    comes_from("198.51.100.1");
    use_up_the_limit();
    cookie_answer(&story.cookies.keys.current, client_cookie, false, &story.client, now_s, cookie);
    has_cookie(cookie, sizeof cookie);
    assert_int_equal(admit(), REFUSAL_NONE);
    assert_int_equal(story.source, LABEL_UDP_SOURCE_VERIFIED);
    assert_int_equal(story.profile.max_bytes, 1232);
    cookie[COOKIE_BYTES - 1] ^= 1;
    assert_int_not_equal(admit(), REFUSAL_NONE);
    assert_int_equal(story.source, LABEL_UDP_SOURCE_FOREIGN);
}

static void over_the_limit_every_second_goes_to_tcp(void **state)
{
    (void)state;
    use_up_the_limit();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(admit(), REFUSAL_RATE_DROP);
        assert_int_equal(admit(), REFUSAL_RATE_TRUNCATE);
        assert_int_equal(story.profile.max_bytes, 0);
    }
    story.admission.options.slip = 0;
    for (int i = 0; i < 10; i++) assert_int_equal(admit(), REFUSAL_RATE_DROP);
    story.admission.options.slip = 1;
    for (int i = 0; i < 10; i++) assert_int_equal(admit(), REFUSAL_RATE_TRUNCATE);
}

static void over_the_limit_with_a_cookie_option_is_badcookie_where_that_fits(void **state)
{
    (void)state;
    has_cookie(client_cookie, sizeof client_cookie);
    use_up_the_limit();
    assert_int_equal(admit(), REFUSAL_RATE_BADCOOKIE);
    comes_from("198.51.100.1");
    use_up_the_limit();
    story.size = 60;
    assert_int_equal(admit(), REFUSAL_RATE_DROP);
    has_cookie(client_cookie, 3);
    assert_int_equal(admit(), REFUSAL_RATE_TRUNCATE);
}

static void a_malformed_cookie_is_formerr_below_the_limit(void **state)
{
    (void)state;
    has_cookie(client_cookie, 7);
    assert_int_equal(admit(), REFUSAL_FORMERR);
    assert_int_equal(story.profile.option_bytes, 0);
    story.cookies.enabled = false;
    assert_int_equal(admit(), REFUSAL_NONE);
}

static void a_cookie_alone_is_answered(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_BYTES] = {0};
    story.question.name = NULL;
    story.verdict = QUESTION_COOKIE;
    has_cookie(client_cookie, sizeof client_cookie);
    assert_int_equal(admit(), REFUSAL_COOKIE);
    has_cookie(cookie, sizeof cookie);
    assert_int_equal(admit(), REFUSAL_BADCOOKIE);
}

static void a_cookie_alone_is_formerr_where_cookies_are_off(void **state)
{
    (void)state;
    story.question.name = NULL;
    story.verdict = QUESTION_COOKIE;
    has_cookie(client_cookie, sizeof client_cookie);
    story.cookies.enabled = false;
    assert_int_equal(admit(), REFUSAL_FORMERR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(sources_are_recognised_by_their_ranges),
        TEST(a_reply_is_as_large_as_client_and_settings_allow),
        TEST(a_reply_to_a_foreign_source_is_not_larger_than_its_question),
        TEST(a_cookie_that_does_not_fit_is_left_out),
        TEST(a_valid_cookie_lifts_all_limits),
        TEST(over_the_limit_every_second_goes_to_tcp),
        TEST(over_the_limit_with_a_cookie_option_is_badcookie_where_that_fits),
        TEST(a_malformed_cookie_is_formerr_below_the_limit),
        TEST(a_cookie_alone_is_answered),
        TEST(a_cookie_alone_is_formerr_where_cookies_are_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
