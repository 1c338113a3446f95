/* request: where a head ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/request.h"

/* A copy of just that size, so that a sanitizer sees a byte too far. */
static size_t head_size(const char *text, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes + 1, text, size);
    size_t found = request_head_size(bytes + 1, size);
    free(bytes);
    return found;
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
        {"\r\n\r\n", 4},
        {"\n\n", 2},
        {"a\n\r\n\n", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = head_size(cases[i].text, strlen(cases[i].text));
        if (size != cases[i].size) fail_msg("%zu: %zu, not %zu", i, size, cases[i].size);
    }
}

static void without_one_it_is_not_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "\n",       "\r\n",          "\r\n\r",  "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r",
        "a\r\r\n", "a\n\r\nb", "a\r\nb\r\nc\n", "a\n\rb\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (head_size(texts[i], strlen(texts[i])) != 0) fail_msg("%zu is not whole", i);
}

static void no_part_of_a_head_is_whole(void **state)
{
    (void)state;
    static const char head[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
    for (size_t size = 0; size < sizeof head - 1; size++) assert_int_equal(head_size(head, size), 0);
    assert_int_equal(head_size(head, sizeof head - 1), sizeof head - 1);
}

static void any_byte_may_be_in_it(void **state)
{
    (void)state;
    assert_int_equal(head_size("\0\xff\r\n\0\r\n\r\n\0", 10), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_ends_with_a_blank_line),
        cmocka_unit_test(without_one_it_is_not_whole),
        cmocka_unit_test(no_part_of_a_head_is_whole),
        cmocka_unit_test(any_byte_may_be_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
