/* http_request: where a head ends, which heads are refused, and what is forwarded of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/http_request.h"

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: x\r\n"

/* A copy of just that size, so that a sanitizer sees an access beyond its end. */
static uint8_t *copy_of(const char *text, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes + 1, text, size);
    return bytes;
}

static size_t head_size(const char *text, size_t size)
{
    uint8_t *bytes = copy_of(text, size);
    size_t found = http_request_head_size(bytes + 1, size);
    free(bytes);
    return found;
}

/* Parses, and writes what is forwarded into `out` where the head is accepted. */
static int parse_and_write(const char *text, size_t size, char *out)
{
    struct http_request request;
    uint8_t *bytes = copy_of(text, size);
    int status = http_request_parse(bytes + 1, size, &request);
    if (status == 0) {
        struct buffers buffers;
        buffers_init(&buffers);
        struct buffer *buffer = buffers_borrow(&buffers);
        assert_true(http_request_write(&request, buffer));
        assert_true(buffer_size(buffer) <= size + HTTP_WRITTEN_EXTRA);
        memcpy(out, buffer_data(buffer), buffer_size(buffer));
        out[buffer_size(buffer)] = '\0';
        buffers_give(&buffers, buffer);
        buffers_done(&buffers);
    }
    free(bytes);
    return status;
}

static void expect_refused(const char *text, size_t size, int status)
{
    char out[1024];
    int given = parse_and_write(text, size, out);
    if (given != status) fail_msg("%.*s\nis answered %d, not %d", (int)size, text, given, status);
}

static void a_head_ends_with_a_blank_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 27},
        {"GET / HTTP/1.1\r\n\r\nbody", 18},
        {"GET / HTTP/1.1\n\n", 16},
        {"GET / HTTP/1.1\r\nHost: a\n\nrest", 25},
        {"GET / HTTP/1.1\n\r\n", 17},
        {"\r\nGET / HTTP/1.1\r\n\r\n", 20},
        {"\r\n\r\n", 4},
        {"\r\n\r\nGET / HTTP/1.1\r\n\r\n", 4},
        {"\n\n", 2},
        {"a\n\r\n\n", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = head_size(cases[i].text, strlen(cases[i].text));
        if (size != cases[i].size) fail_msg("%zu: %zu, not %zu", i, size, cases[i].size);
    }
}

static void without_one_it_is_not_complete(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "\n",       "\r\n",          "\r\n\r",  "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r",
        "a\r\r\n", "a\n\r\rb", "a\r\nb\r\nc\n", "a\n\rb\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (head_size(texts[i], strlen(texts[i])) != 0) fail_msg("%zu is not complete", i);
}

static void no_part_of_a_head_is_complete(void **state)
{
    (void)state;
    static const char head[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
    for (size_t size = 0; size < sizeof head - 1; size++) assert_int_equal(head_size(head, size), 0);
    assert_int_equal(head_size(head, sizeof head - 1), sizeof head - 1);
}

static void any_byte_may_be_in_what_is_not_checked_yet(void **state)
{
    (void)state;
    assert_int_equal(head_size("\0\xff\r\n\0\r\n\r\n\0", 10), 9);
}

static void what_was_understood_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written;
    } cases[] = {
        {GET HOST "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"\r\n" GET HOST "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"GET / HTTP/1.9\r\n" HOST "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"},
        {GET "host:\t[::1]:5000 \t\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:5000\r\n\r\n"},
        {GET "Host:\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
        {GET HOST "Content-Length: 0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GET HOST "Content-Length: 000\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GET HOST "content-length:47 \r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
        {GET HOST "Content-Length: 007\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
        {GET HOST "Transfer-Encoding: Chunked\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
        {GET HOST "Connection: TE, Close\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
        {GET HOST "Connection: a\r\nConnection:close\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
        {GET HOST "Connection: not-close, closed\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GET HOST "Connection: Content-Length, Host\r\nContent-Length: 4\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
        {GET HOST "Accept: a\r\nX: y\r\naccept-encoding: gzip\r\nACCEPT:  b;q=1\t\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: x\r\nAccept: a, b;q=1\r\nAccept-Encoding: gzip\r\n\r\n"},
        {GET HOST "Origin: null\r\nUpgrade: h2c\r\nCookie: a=\xc3\xa4\r\nX:\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: x\r\nOrigin: null\r\n\r\n"},
        {"GET http://a.example:80/b/c?d=e HTTP/1.1\r\n" HOST "\r\n",
         "GET /b/c?d=e HTTP/1.1\r\nHost: a.example:80\r\n\r\n"},
        {"GET HTTPS://[::1] HTTP/1.1\r\n" HOST "\r\n", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"},
        {"GET http://a?b HTTP/1.1\r\n" HOST "\r\n", "GET /?b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET http://a/http://b/ HTTP/1.0\r\n\r\n", "GET /http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS /* HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"OPTIONS http://a:1 HTTP/1.1\r\n" HOST "\r\n", "OPTIONS /* HTTP/1.1\r\nHost: a:1\r\n\r\n"},
        {"OPTIONS http://a/ HTTP/1.1\r\n" HOST "\r\n", "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET //a HTTP/1.1\r\n" HOST "\r\n", "GET //a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"POST /a%20b;c?d&e HTTP/1.1\r\n" HOST "\r\n", "POST /a%20b;c?d&e HTTP/1.1\r\nHost: x\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[1024] = "";
        int status = parse_and_write(cases[i].text, strlen(cases[i].text), out);
        if (status != 0) fail_msg("%s\nis refused with %d", cases[i].text, status);
        if (strcmp(out, cases[i].written) != 0) fail_msg("%s\nis written\n%s", cases[i].text, out);
    }
}

/* Two servers that read one of these differently see different requests behind it. */
static void what_could_frame_a_body_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "Content-Length: 0x2f",
        "Content-Length: 0, 47",
        "Content-Length: 47, 47",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length:",
        "Content-Length: ",
        "Content-Length: 5 5",
        "Content-Length: 5;",
        "Content-Length: 5.0",
        "Content-Length: 1e2",
        "Content-Length: \"5\"",
        "Content-Length: 0\t0",
        "Content-Length: 9999999999999999999",
        "Content-Length: 18446744073709551616",
        "Content-Length: 00000000000000000000000000000005",
        "Content-Length: ,5",
        "Content-Length: 5,",
        "Content-Length: \xb2",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 0\r\nContent-Length: 47",
        "Content-Length: 0\r\ncontent-length: 0",
        "Content-Length:\r\n 47",
        "Content-Length: 4\r\n 7",
        "Content-Length: 0\r\n\tX: y",
        "Content-Length : 47",
        "Content-Length\t: 47",
        " Content-Length: 47",
        "Content-Length",
        "Content-Length 47",
        ": 47",
        "Content\x80Length: 47",
        "Content(Length: 47",
        "Transfer-Encoding: chunked\r\nContent-Length: 47",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nContent-Length: 47",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: a\rContent-Length: 47",
        "X: a\r\r\nContent-Length: 47",
        "X: a\nContent-Length: 47",
        "X: a\x7f",
        "X: a\x0b",
        "X: \x01",
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char text[256];
        int size = snprintf(text, sizeof text, GET HOST "%s\r\n\r\n", fields[i]);
        expect_refused(text, (size_t)size, 400);
    }
    static const char with_nul[] = GET HOST "Content-Length: 0\0\r\n\r\n";
    expect_refused(with_nul, sizeof with_nul - 1, 400);
    static const char with_nul_in_name[] = GET HOST "Content-\0Length: 4\r\n\r\n";
    expect_refused(with_nul_in_name, sizeof with_nul_in_name - 1, 400);
}

static void codings_nobody_knows_are_refused(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "gzip, chunked", "chunked, chunked", "xchunked", "chunked;a=b",
                                          "",     "identity",      "\"chunked\"",      "chunked,"};
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, GET HOST "Transfer-Encoding: %s\r\n\r\n", codings[i]);
        expect_refused(text, (size_t)size, 501);
    }
    static const char old[] = "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect_refused(old, sizeof old - 1, 400);
}

static void malformed_request_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"", 400},
        {"GET", 400},
        {"GET /", 400},
        {"GET /\r", 400},
        {"GET  / HTTP/1.1", 400},
        {"GET /  HTTP/1.1", 400},
        {"GET / HTTP/1.1 ", 400},
        {" GET / HTTP/1.1", 400},
        {"GET\t/ HTTP/1.1", 400},
        {"GET /a b HTTP/1.1", 400},
        {"GET / HTTP/1.1\rX: y", 400},
        {"GET / HTTP/1.1\n", 400},
        {"GET / http/1.1", 400},
        {"GET / HTTP/1", 400},
        {"GET / HTTP/1.10", 400},
        {"GET / HTTP/+1.1", 400},
        {"GET / HTTP/01.1", 400},
        {"GET / HTTP/3.7", 505},
        {"GET / HTTP/0.9", 505},
        {"PRI * HTTP/2.0", 505},
        {"G@T / HTTP/1.1", 400},
        {"get / HTTP/1.1", 501},
        {"BREW / HTTP/1.1", 501},
        {"CONNECT a:80 HTTP/1.1", 501},
        {"TRACE / HTTP/1.1", 501},
        {"GET * HTTP/1.1", 400},
        {"GET a HTTP/1.1", 400},
        {"GET a:80 HTTP/1.1", 400},
        {"GET ftp://a/ HTTP/1.1", 400},
        {"GET file:///etc/passwd HTTP/1.1", 400},
        {"GET http:/a HTTP/1.1", 400},
        {"GET http:// HTTP/1.1", 400},
        {"GET http:///a HTTP/1.1", 400},
        {"GET http://a@b/ HTTP/1.1", 400},
        {"GET http://a\"b/ HTTP/1.1", 400},
        {"GET /a#b HTTP/1.1", 400},
        {"GET /\xc3\xa4 HTTP/1.1", 400},
        {"GET /\x7f HTTP/1.1", 400},
        {"OPTIONS ** HTTP/1.1", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, "%s\r\n" HOST "\r\n", cases[i].line);
        expect_refused(text, (size_t)size, cases[i].status);
    }
}

static void a_host_is_demanded_once_and_well_formed(void **state)
{
    (void)state;
    static const char *const hosts[] = {"",
                                        "Host: a\r\nHost: a\r\n",
                                        "Host: a\r\nhost: b\r\n",
                                        "Host: a b\r\n",
                                        "Host: a/b\r\n",
                                        "Host: u@a\r\n",
                                        "Host: a,b\r\nHost:\r\n",
                                        "Host: a\\b\r\n"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, GET "%s\r\n", hosts[i]);
        expect_refused(text, (size_t)size, 400);
        size = snprintf(text, sizeof text, "GET http://a/ HTTP/1.1\r\n%s\r\n", hosts[i]);
        expect_refused(text, (size_t)size, 400);
    }
}

static void a_target_too_long_is_refused(void **state)
{
    (void)state;
    enum { SIZE = HTTP_TARGET_BYTES_MAX + 64 };
    char *text = calloc(1, SIZE);
    char *out = malloc(2 * SIZE);
    for (size_t target = HTTP_TARGET_BYTES_MAX; target <= HTTP_TARGET_BYTES_MAX + 1; target++) {
        memset(text, 'a', SIZE);
        memcpy(text, "GET /", 5);
        int end = snprintf(text + 4 + target, SIZE - 4 - target, " HTTP/1.1\r\n" HOST "\r\n");
        int status = parse_and_write(text, 4 + target + (size_t)end, out);
        assert_int_equal(status, target > HTTP_TARGET_BYTES_MAX ? 414 : 0);
    }
    free(out);
    free(text);
}

static void nothing_is_returned_of_what_is_refused(void **state)
{
    (void)state;
    struct http_request request;
    struct http_request before;
    memset(&request, 0x5a, sizeof request);
    before = request;
    assert_int_equal(http_request_parse((const uint8_t *)GET "\r\n", sizeof GET + 1, &request), 400);
    assert_memory_equal(&request, &before, sizeof request);
    assert_int_equal(http_request_parse((const uint8_t *)"GET", 3, &request), 400); /* not complete */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_ends_with_a_blank_line),
        cmocka_unit_test(without_one_it_is_not_complete),
        cmocka_unit_test(no_part_of_a_head_is_complete),
        cmocka_unit_test(any_byte_may_be_in_what_is_not_checked_yet),
        cmocka_unit_test(what_was_understood_is_written),
        cmocka_unit_test(what_could_frame_a_body_in_two_ways_is_refused),
        cmocka_unit_test(codings_nobody_knows_are_refused),
        cmocka_unit_test(malformed_request_lines_are_refused),
        cmocka_unit_test(a_host_is_demanded_once_and_well_formed),
        cmocka_unit_test(a_target_too_long_is_refused),
        cmocka_unit_test(nothing_is_returned_of_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
