/* response: the header of an answer, and what it says of the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/response.h"

static const char *head_of(int status, size_t size, bool close, char out[static RESPONSE_HEAD_BYTES])
{
    const struct response response = {status, "text/plain", "", size, close};
    size_t head_size = response_write_head(&response, 0, out);
    assert_int_equal(strlen(out), head_size);
    assert_string_equal(out + head_size - 4, "\r\n\r\n");
    return out;
}

static void the_header_says_what_comes(void **state)
{
    (void)state;
    char out[RESPONSE_HEAD_BYTES];
    const char *head = head_of(200, 17, false, out);
    assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(head, "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Length: 17\r\n"));
    assert_null(strstr(head, "Connection:"));
    assert_null(strstr(head, "Allow:"));
    assert_non_null(strstr(head_of(405, 0, false, out), "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(head_of(431, 0, true, out), " 431 Request Header Fields Too Large\r\n"));
    assert_non_null(strstr(out, "\r\nConnection: close\r\n"));
}

static bool is_last(const char *text)
{
    return response_is_last((const uint8_t *)text, strlen(text));
}

static void it_is_the_last_when_it_says_so(void **state)
{
    (void)state;
    char out[RESPONSE_HEAD_BYTES];
    assert_false(is_last(head_of(200, 0, false, out)));
    assert_false(is_last(head_of(404, 12345, false, out)));
    assert_true(is_last(head_of(200, 0, true, out)));
    assert_true(is_last(head_of(400, 5, true, out)));
}

static void what_a_body_says_does_not_count(void **state)
{
    (void)state;
    assert_false(is_last("HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n\r\nConnection: close\r\n\r\nxx"));
    assert_true(is_last("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\nContent-Length: 25\r\n\r\n"));
}

static void what_is_no_response_of_ours_is_the_last(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "rubbish", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
                                        "HTTP/1.1 200 OK\r\n\r\nwithout a length", "\r\n\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_true(is_last(texts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_says_what_comes),
        cmocka_unit_test(it_is_the_last_when_it_says_so),
        cmocka_unit_test(what_a_body_says_does_not_count),
        cmocka_unit_test(what_is_no_response_of_ours_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
