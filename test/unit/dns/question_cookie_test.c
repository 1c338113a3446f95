/* The COOKIE option of a query (RFC 7873): found, bounded, and alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/question.h"

static const uint8_t head[] = {0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0};

/* A message without a question, with OPT and these options; returns its size. */
static size_t put(uint8_t *message, const uint8_t *options, size_t size)
{
    memcpy(message, head, sizeof head);
    memcpy(message + sizeof head, opt, sizeof opt);
    dns_put_u16(message + sizeof head + sizeof opt, (uint16_t)size);
    memcpy(message + sizeof head + sizeof opt + 2, options, size);
    return sizeof head + sizeof opt + 2 + size;
}

static void of_several_cookies_the_first_counts(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, 3, 0, 0, 0, 10, 0, 2, 'a', 'b', 0, 10, 0, 1, 'c'};
    uint8_t message[100];
    struct question question;
    size_t size = put(message, options, sizeof options);
    assert_int_equal(question_parse(message, size, &question), QUESTION_COOKIE);
    assert_int_equal(question.cookie_size, 2);
    assert_memory_equal(question.cookie, "ab", 2);
    assert_int_equal(question.udp_size, 4096);
    assert_null(question.name);
}

static void without_a_cookie_or_with_more_than_opt_it_is_formerr(void **state)
{
    (void)state;
    static const uint8_t padding[] = {0, 12, 0, 1, 0};
    static const uint8_t cookie[] = {0, 10, 0, 1, 'c'};
    uint8_t message[100] = {0};
    struct question question;
    size_t size = put(message, padding, sizeof padding);
    assert_int_equal(question_parse(message, size, &question), QUESTION_FORMERR);
    size = put(message, cookie, sizeof cookie);
    assert_int_equal(question_parse(message, size + 1, &question), QUESTION_FORMERR); /* trailing */
    for (size_t i = sizeof head; i < size; i++)
        assert_int_equal(question_parse(message, i, &question), QUESTION_FORMERR);
    message[7] = 1; /* ANCOUNT, which OPT then is the record of */
    message[11] = 0;
    assert_int_equal(question_parse(message, size, &question), QUESTION_FORMERR);
}

static void an_unknown_version_has_no_cookie(void **state)
{
    (void)state;
    static const uint8_t cookie[] = {0, 10, 0, 1, 'c'};
    uint8_t message[100];
    struct question question;
    size_t size = put(message, cookie, sizeof cookie);
    message[sizeof head + 6] = 1;
    assert_int_equal(question_parse(message, size, &question), QUESTION_FORMERR);
    assert_null(question.cookie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_several_cookies_the_first_counts),
        cmocka_unit_test(without_a_cookie_or_with_more_than_opt_it_is_formerr),
        cmocka_unit_test(an_unknown_version_has_no_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
