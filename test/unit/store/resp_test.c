/* Replies of the store are read strictly, however they come, and never beyond what came. */
#include "store/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VALUE_MAX = 100 };

/* Reads from memory that ends where the text does, so that a sanitizer sees who reads beyond. */
static struct resp_reply read_bytes(const void *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    struct resp_reply reply = resp_read(exact, size, VALUE_MAX);
    if (reply.bytes) {
        assert_true(reply.bytes >= exact && reply.bytes + reply.size <= exact + size);
        reply.bytes = (const uint8_t *)bytes + (reply.bytes - exact);
    }
    assert_true(reply.used <= size);
    free(exact);
    return reply;
}

static void assert_reply(const char *text, enum resp_kind kind, const char *content, size_t used)
{
    struct resp_reply reply = read_bytes(text, strlen(text));
    assert_int_equal(reply.kind, kind);
    assert_int_equal(reply.used, used);
    assert_int_equal(reply.size, strlen(content));
    assert_memory_equal(reply.bytes ? (const char *)reply.bytes : "", content, strlen(content));
}

static void each_kind_of_reply_is_read(void **state)
{
    (void)state;
    assert_reply("+OK\r\n", RESP_STATUS, "OK", 5);
    assert_reply("$-1\r\n", RESP_NULL, "", 5);
    assert_reply("$5\r\nhello\r\n", RESP_VALUE, "hello", 11);
    assert_reply("$0\r\n\r\n", RESP_VALUE, "", 6);
    assert_reply("-WRONGPASS invalid\r\n", RESP_ERROR, "WRONGPASS invalid", 20);
    assert_reply("+\r\n", RESP_STATUS, "", 3);
}

static void a_value_may_hold_any_octet(void **state)
{
    (void)state;
    struct resp_reply reply = read_bytes("$4\r\n\r\n\0$\r\n", 10);
    assert_int_equal(reply.kind, RESP_VALUE);
    assert_int_equal(reply.size, 4);
    assert_memory_equal(reply.bytes, "\r\n\0$", 4);
}

static void what_follows_a_reply_is_left_alone(void **state)
{
    (void)state;
    assert_reply("+OK\r\n$-1\r\n", RESP_STATUS, "OK", 5);
    assert_reply("$2\r\nab\r\nrubbish", RESP_VALUE, "ab", 8);
}

static void a_reply_may_come_octet_by_octet(void **state)
{
    (void)state;
    static const char *const replies[] = {"+OK\r\n", "$-1\r\n", "$12\r\nhello\r\nthere\r\n", "$0\r\n\r\n",
                                          "-ERR no\r\n"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        size_t size = strlen(replies[i]);
        for (size_t cut = 0; cut < size; cut++) {
            struct resp_reply reply = read_bytes(replies[i], cut);
            assert_int_equal(reply.kind, RESP_PARTIAL);
            assert_int_equal(reply.used, 0);
        }
        assert_int_equal(read_bytes(replies[i], size).used, size);
    }
}

static void what_is_no_reply_is_refused_as_soon_as_it_is_known(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "*1\r\n", /* an array, however short or long it says it is */
        "*200000000\r\n",
        ":1\r\n", /* a number */
        "_\r\n",  /* RESP3 */
        "%1\r\n",
        ">2\r\n",
        "HTTP/1.1 400\r\n",
        "\r\n",
        " +OK\r\n",
        "$101\r\n", /* more than an entry can have */
        "$5000000000000\r\n",
        "$99999999999999999999\r\n",
        "$-2\r\n",
        "$-1x\r\n",
        "$\r\n",
        "$+5\r\nhello\r\n",
        "$05\r\nhello\r\n",
        "$5 \r\nhello\r\n",
        "$3\r\nabcXY", /* longer than it said */
        "$3\r\nabcX",
        "$3\r\nabc\rY",
        "$3\rXabc\r\n",
        "+OK\rX",
        "-ERR\r\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct resp_reply reply = read_bytes(bad[i], strlen(bad[i]));
        assert_int_equal(reply.kind, RESP_BAD);
        assert_int_equal(reply.used, 0);
    }
}

static void a_value_of_exactly_the_bound_is_read(void **state)
{
    (void)state;
    char text[VALUE_MAX + RESP_OVERHEAD_MAX];
    int head = sprintf(text, "$%d\r\n", VALUE_MAX);
    memset(text + head, 'v', VALUE_MAX);
    memcpy(text + head + VALUE_MAX, "\r\n", 3);
    assert_int_equal(read_bytes(text, strlen(text)).size, VALUE_MAX);
    assert_true(strlen(text) <= VALUE_MAX + RESP_OVERHEAD_MAX);
}

static void a_line_without_an_end_is_bounded(void **state)
{
    (void)state;
    char line[RESP_LINE_MAX + 1];
    memset(line, 'x', sizeof line);
    line[0] = '+';
    assert_int_equal(read_bytes(line, RESP_LINE_MAX - 1).kind, RESP_PARTIAL);
    assert_int_equal(read_bytes(line, RESP_LINE_MAX).kind, RESP_BAD);
    line[0] = '$';
    assert_int_equal(read_bytes(line, 20).kind, RESP_BAD);
    line[0] = '-';
    line[RESP_LINE_MAX - 1] = '\r';
    line[RESP_LINE_MAX] = '\n';
    assert_int_equal(read_bytes(line, RESP_LINE_MAX + 1).kind, RESP_ERROR);
}

static void commands_are_arrays_of_bulk_strings(void **state)
{
    (void)state;
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\na\r\nb\0cdefghi\r\n";
    const struct resp_part parts[] = {{"SET", 3}, {"", 0}, {"a\r\nb\0cdefghi", 12}};
    uint8_t out[sizeof expected];
    size_t size = resp_command_size(parts, 3);
    assert_int_equal(size, sizeof expected - 1);
    assert_int_equal(resp_write_command(parts, 3, out), size);
    assert_memory_equal(out, expected, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_reply_is_read),
        cmocka_unit_test(a_value_may_hold_any_octet),
        cmocka_unit_test(what_follows_a_reply_is_left_alone),
        cmocka_unit_test(a_reply_may_come_octet_by_octet),
        cmocka_unit_test(what_is_no_reply_is_refused_as_soon_as_it_is_known),
        cmocka_unit_test(a_value_of_exactly_the_bound_is_read),
        cmocka_unit_test(a_line_without_an_end_is_bounded),
        cmocka_unit_test(commands_are_arrays_of_bulk_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
