/* http_response: the header of an answer, and what it says of the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/http_response.h"

static const char *head_of(int status, size_t size, bool close, char out[static HTTP_RESPONSE_HEAD_BYTES])
{
    const struct http_response response = {
        .status = status, .content_type = "text/plain", .body = "", .size = size, .close = close};
    size_t head_size = http_response_write_head(&response, 0, out);
    assert_int_equal(strlen(out), head_size);
    assert_string_equal(out + head_size - 4, "\r\n\r\n");
    return out;
}

static void the_header_says_what_comes(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_HEAD_BYTES];
    const char *head = head_of(200, 17, false, out);
    assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(head, "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Length: 17\r\n"));
    assert_null(strstr(head, "Connection:"));
    assert_null(strstr(head, "Allow:"));
    assert_null(strstr(head, "Content-Encoding:"));
    assert_null(strstr(head, "Vary:"));
    assert_non_null(strstr(head_of(431, 0, true, out), " 431 Request Header Fields Too Large\r\n"));
    assert_non_null(strstr(out, "\r\nConnection: close\r\n"));
}

static void optional_fields_are_written_where_they_are_set(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_HEAD_BYTES];
    const struct http_response response = {
        .status = 405, .allow = "GET, HEAD", .content_encoding = "gzip", .varies = true, .content_type = "a/b"};
    http_response_write_head(&response, 0, out);
    assert_non_null(strstr(out, "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(out, "\r\nContent-Encoding: gzip\r\n"));
    assert_non_null(strstr(out, "\r\nVary: Accept-Encoding\r\n"));
    assert_non_null(strstr(out, "\r\nContent-Length: 0\r\n"));
    assert_null(strstr(out, "Content-Type:")); /* there is no body */
}

static void a_status_alone_has_a_line_that_names_it(void **state)
{
    (void)state;
    struct http_response response = {
        .status = 200, .allow = "GET", .close = true, .owned = malloc(3), .content_encoding = "gzip"};
    response.body = response.owned;
    http_response_set_status(&response, 414);
    assert_int_equal(response.status, 414);
    assert_null(response.owned);
    assert_null(response.content_encoding);
    assert_string_equal(response.body, "414 URI Too Long\n");
    assert_int_equal(response.size, strlen(response.body));
    assert_true(response.close);
    assert_string_equal(response.allow, "GET");
}

static bool is_last(const char *text)
{
    return http_response_is_last((const uint8_t *)text, strlen(text));
}

static void it_is_the_last_when_it_says_so(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_HEAD_BYTES];
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
        cmocka_unit_test(optional_fields_are_written_where_they_are_set),
        cmocka_unit_test(a_status_alone_has_a_line_that_names_it),
        cmocka_unit_test(it_is_the_last_when_it_says_so),
        cmocka_unit_test(what_a_body_says_does_not_count),
        cmocka_unit_test(what_is_no_response_of_ours_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
