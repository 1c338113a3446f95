#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clients/cookie.h"

enum { DAY_S = 24 * 3600 };

/* The octets of a text of hexadecimal digits; returns their number. */
static size_t octets(const char *text, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        size_t high = (size_t)(strchr(digits, text[2 * i]) - digits);
        size_t low = (size_t)(strchr(digits, text[2 * i + 1]) - digits);
        out[i] = (uint8_t)(high << 4 | low);
    }
    return size;
}

static struct address client_at(const char *text)
{
    struct address address;
    assert_true(address_parse(text, 53, &address));
    return address;
}

static struct cookie_keys keys_of(const char *text)
{
    struct cookie_keys keys;
    char error[COOKIE_ERROR_BYTES];
    assert_true(cookie_keys_parse(text, strlen(text), &keys, error));
    return keys;
}

/* ---- RFC 9018, appendix A ---- */

struct vector {
    const char *secrets; /* as in a secret file */
    const char *client;
    const char *option; /* what came */
    bool valid;         /* when it was made; the RFC's A.3 comes too late, with an age of 6,715 s */
    uint32_t made_s;
    uint32_t now_s;
    const char *answer;
};

static const struct vector vectors[] = {
    /* A.1: learning a new server cookie */
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", "2464c4abcf10c957", false, 0, 1559731985,
     "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
    /* A.2: the same client a while later, renewed */
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", true,
     1559731985, 1559734385, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
    /* A.3: another client, with reserved octets that are not zero, which are hashed as they came */
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", true,
     1559727985, 1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
    /* A.4: IPv6, and a cookie of the former secret */
    {"445536bcd2513298075a5d379663c962\ndd3bdf9344b678b185a6f5cb60fca715\n", "2001:db8:220:1:59de:d0f4:8769:82b8",
     "22681ab97d52c298010000005cf7c57926556bd0934c72f8", true, 1559741817, 1559741961,
     "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
};

static void the_rfcs_vectors_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *vector = &vectors[i];
        const struct cookie_keys keys = keys_of(vector->secrets);
        const struct address client = client_at(vector->client);
        uint8_t option[64];
        uint8_t expected[COOKIE_BYTES];
        uint8_t answer[COOKIE_BYTES];
        size_t size = octets(vector->option, option);
        assert_int_equal(octets(vector->answer, expected), COOKIE_BYTES);
        bool valid = cookie_is_valid(&keys.current, option, size, &client, vector->made_s);
        assert_int_equal(valid, vector->valid);
        /* The vectors show a new cookie whatever the old one's age is; `false` asks for that. */
        cookie_answer(&keys.current, option, false, &client, vector->now_s, answer);
        assert_memory_equal(answer, expected, COOKIE_BYTES);
    }
}

/* ---- what is accepted ---- */

static const uint32_t now_s = 1559731985;

struct story {
    struct cookie_keys keys;
    struct address client;
    uint8_t cookie[COOKIE_BYTES];
};

static struct story a_cookie(void)
{
    struct story story = {.keys = keys_of("e5e973e5a6b2a43f48e7dc849e37bfcf"), .client = client_at("192.0.2.1")};
    static const uint8_t from_client[COOKIE_CLIENT_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
    cookie_answer(&story.keys.current, from_client, false, &story.client, now_s, story.cookie);
    return story;
}

static bool is_valid_at(const struct story *story, uint32_t at_s)
{
    return cookie_is_valid(&story->keys.current, story->cookie, COOKIE_BYTES, &story->client, at_s);
}

static void its_own_cookie_is_valid(void **state)
{
    (void)state;
    const struct story story = a_cookie();
    assert_true(is_valid_at(&story, now_s));
}

static void any_bit_changed_makes_it_invalid(void **state)
{
    (void)state;
    struct story story = a_cookie();
    for (size_t bit = 0; bit < 8 * COOKIE_BYTES; bit++) {
        story.cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(is_valid_at(&story, now_s));
        story.cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(is_valid_at(&story, now_s));
}

static void another_address_makes_it_invalid(void **state)
{
    (void)state;
    struct story story = a_cookie();
    story.client = client_at("192.0.2.2");
    assert_false(is_valid_at(&story, now_s));
    story.client = client_at("2001:db8::1");
    assert_false(is_valid_at(&story, now_s));
}

static void the_port_does_not_matter(void **state)
{
    (void)state;
    struct story story = a_cookie();
    story.client.port = 4711;
    assert_true(is_valid_at(&story, now_s));
}

static void it_is_valid_for_an_hour_and_for_clocks_that_differ_by_five_minutes(void **state)
{
    (void)state;
    const struct story story = a_cookie();
    assert_true(is_valid_at(&story, now_s + 3600));
    assert_false(is_valid_at(&story, now_s + 3601));
    assert_true(is_valid_at(&story, now_s - 300));
    assert_false(is_valid_at(&story, now_s - 301));
}

static void time_may_wrap(void **state)
{
    (void)state;
    struct story story = a_cookie();
    static const uint8_t from_client[COOKIE_CLIENT_BYTES] = {9};
    cookie_answer(&story.keys.current, from_client, false, &story.client, UINT32_MAX - 5, story.cookie);
    assert_true(is_valid_at(&story, 10));
    assert_false(is_valid_at(&story, 3600));
    assert_false(is_valid_at(&story, UINT32_MAX / 2));
}

static void another_length_is_not_of_version_1(void **state)
{
    (void)state;
    const struct story story = a_cookie();
    uint8_t option[64] = {0};
    memcpy(option, story.cookie, COOKIE_BYTES);
    for (size_t size = 0; size <= 40; size++)
        assert_int_equal(cookie_is_valid(&story.keys.current, option, size, &story.client, now_s),
                         size == COOKIE_BYTES);
}

static void lengths_are_as_the_rfc_says(void **state)
{
    (void)state;
    for (size_t size = 0; size < 100; size++)
        assert_int_equal(cookie_is_well_formed(size), size == 8 || (size >= 16 && size <= 40));
}

/* ---- what is answered ---- */

static void a_young_cookie_is_answered_with_itself(void **state)
{
    (void)state;
    const struct story story = a_cookie();
    uint8_t answer[COOKIE_BYTES];
    cookie_answer(&story.keys.current, story.cookie, true, &story.client, now_s + 1800, answer);
    assert_memory_equal(answer, story.cookie, COOKIE_BYTES);
    cookie_answer(&story.keys.current, story.cookie, true, &story.client, now_s - 300, answer);
    assert_memory_equal(answer, story.cookie, COOKIE_BYTES);
}

static void an_old_one_is_answered_with_a_new_one(void **state)
{
    (void)state;
    struct story story = a_cookie();
    uint8_t answer[COOKIE_BYTES];
    cookie_answer(&story.keys.current, story.cookie, true, &story.client, now_s + 1801, answer);
    assert_memory_not_equal(answer, story.cookie, COOKIE_BYTES);
    memcpy(story.cookie, answer, COOKIE_BYTES);
    assert_true(is_valid_at(&story, now_s + 1801 + 3600));
}

static void an_invalid_one_is_answered_with_a_new_one(void **state)
{
    (void)state;
    struct story story = a_cookie();
    uint8_t answer[COOKIE_BYTES];
    story.cookie[COOKIE_BYTES - 1] ^= 1;
    cookie_answer(&story.keys.current, story.cookie, false, &story.client, now_s, answer);
    assert_memory_equal(answer, story.cookie, COOKIE_CLIENT_BYTES);
    memcpy(story.cookie, answer, COOKIE_BYTES);
    assert_true(is_valid_at(&story, now_s));
}

/* ---- keys ---- */

static void two_secrets_are_accepted_and_the_first_makes_cookies(void **state)
{
    (void)state;
    const struct cookie_keys old = keys_of("000102030405060708090a0b0c0d0e0f");
    const struct cookie_keys both = keys_of("# the new one\nFFEEDDCCBBAA99887766554433221100\r\n\n"
                                            "000102030405060708090a0b0c0d0e0f");
    const struct cookie_keys new = keys_of("ffeeddccbbaa99887766554433221100");
    struct story story = a_cookie();
    static const uint8_t from_client[COOKIE_CLIENT_BYTES] = {1};
    assert_int_equal(both.current.count, 2);

    cookie_answer(&old.current, from_client, false, &story.client, now_s, story.cookie);
    story.keys = both;
    assert_true(is_valid_at(&story, now_s));
    story.keys = new;
    assert_false(is_valid_at(&story, now_s));

    cookie_answer(&both.current, from_client, false, &story.client, now_s, story.cookie);
    assert_true(is_valid_at(&story, now_s));
}

static void a_file_that_holds_no_secret_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } texts[] = {
        {"", "no secret in it"},
        {"# nothing\n\n", "no secret in it"},
        {"00112233445566778899aabbccddeef", "line 1: a secret is 32 hexadecimal digits"},
        {"\n00112233445566778899aabbccddeeffa\n", "line 2: a secret is 32 hexadecimal digits"},
        {"00112233445566778899aabbccddeefg\n", "line 1: a secret is 32 hexadecimal digits"},
        {"00112233445566778899aabbccddeeff\n00112233445566778899aabbccddeef0\n00112233445566778899aabbccddeef1\n",
         "line 3: more than two secrets"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cookie_keys keys;
        char error[COOKIE_ERROR_BYTES];
        assert_false(cookie_keys_parse(texts[i].text, strlen(texts[i].text), &keys, error));
        assert_string_equal(error, texts[i].error);
    }
}

static void keys_of_a_process_are_its_own(void **state)
{
    (void)state;
    struct story story = a_cookie();
    static const uint8_t from_client[COOKIE_CLIENT_BYTES] = {1};
    story.keys = cookie_keys_draw(now_s);
    cookie_answer(&story.keys.current, from_client, false, &story.client, now_s, story.cookie);
    assert_true(is_valid_at(&story, now_s));
    story.keys = cookie_keys_draw(now_s);
    assert_false(is_valid_at(&story, now_s));
}

static void each_day_has_a_secret_and_yesterdays_is_accepted(void **state)
{
    (void)state;
    struct story story = a_cookie();
    static const uint8_t from_client[COOKIE_CLIENT_BYTES] = {1};
    uint32_t midnight_s = now_s / DAY_S * DAY_S + DAY_S;
    story.keys = cookie_keys_draw(midnight_s - 60);
    const struct cookie_secrets before = story.keys.current;
    cookie_answer(&before, from_client, false, &story.client, midnight_s - 60, story.cookie);

    cookie_keys_update(&story.keys, midnight_s - 1);
    assert_memory_equal(&story.keys.current, &before, sizeof before);
    cookie_keys_update(&story.keys, midnight_s);
    assert_memory_not_equal(story.keys.current.secrets[0], before.secrets[0], COOKIE_SECRET_BYTES);
    assert_memory_equal(story.keys.current.secrets[1], before.secrets[0], COOKIE_SECRET_BYTES);
    assert_true(is_valid_at(&story, midnight_s + 60));

    cookie_keys_update(&story.keys, midnight_s + DAY_S);
    assert_memory_not_equal(story.keys.current.secrets[1], before.secrets[0], COOKIE_SECRET_BYTES);
}

static void secrets_of_a_file_do_not_change_by_themselves(void **state)
{
    (void)state;
    struct cookie_keys keys = keys_of("00112233445566778899aabbccddeeff");
    const struct cookie_secrets before = keys.current;
    cookie_keys_update(&keys, now_s + 10 * DAY_S);
    assert_memory_equal(&keys.current, &before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_vectors_hold),
        cmocka_unit_test(its_own_cookie_is_valid),
        cmocka_unit_test(any_bit_changed_makes_it_invalid),
        cmocka_unit_test(another_address_makes_it_invalid),
        cmocka_unit_test(the_port_does_not_matter),
        cmocka_unit_test(it_is_valid_for_an_hour_and_for_clocks_that_differ_by_five_minutes),
        cmocka_unit_test(time_may_wrap),
        cmocka_unit_test(another_length_is_not_of_version_1),
        cmocka_unit_test(lengths_are_as_the_rfc_says),
        cmocka_unit_test(a_young_cookie_is_answered_with_itself),
        cmocka_unit_test(an_old_one_is_answered_with_a_new_one),
        cmocka_unit_test(an_invalid_one_is_answered_with_a_new_one),
        cmocka_unit_test(two_secrets_are_accepted_and_the_first_makes_cookies),
        cmocka_unit_test(a_file_that_holds_no_secret_is_refused),
        cmocka_unit_test(keys_of_a_process_are_its_own),
        cmocka_unit_test(each_day_has_a_secret_and_yesterdays_is_accepted),
        cmocka_unit_test(secrets_of_a_file_do_not_change_by_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
