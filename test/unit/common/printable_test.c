/* Whatever bytes a text has, what is shown of it is printable ASCII on one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/printable.h"

static void assert_written(const char *text, const char *expected)
{
    char *written;
    size_t size;
    FILE *out = open_memstream(&written, &size);
    assert_non_null(out);
    printable_write(out, text);
    fclose(out);
    assert_string_equal(written, expected);
    free(written);
}

static void assert_masked(const char *text, const char *kept, const char *expected)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    assert_ptr_equal(printable_mask(copy, kept), copy);
    assert_string_equal(copy, expected);
}

static void printable_text_stays(void **state)
{
    (void)state;
    assert_written("", "");
    assert_written(" a\\b \"c\" ~", " a\\b \"c\" ~");
    assert_masked("", "", "");
    assert_masked(" a\\b \"c\" ~", "", " a\\b \"c\" ~");
}

static void other_bytes_are_written_in_hexadecimal(void **state)
{
    (void)state;
    assert_written("a\nb\tc\x1b[31m", "a\\x0ab\\x09c\\x1b[31m");
    assert_written("\x7f\xc2\x9b\xff", "\\x7f\\xc2\\x9b\\xff");
}

static void other_bytes_are_masked(void **state)
{
    (void)state;
    assert_masked("a\nb\tc\x1b[31m", "", "a?b?c?[31m");
    assert_masked("a\nb\tc\x1b[31m", "\n", "a\nb?c?[31m");
    assert_masked("\x7f\xc2\x9b\xff", "\n", "????");
}

static void a_byte_is_printable_from_space_to_tilde(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) assert_int_equal(printable_is((char)byte), byte >= 0x20 && byte <= 0x7e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_text_stays),
        cmocka_unit_test(other_bytes_are_written_in_hexadecimal),
        cmocka_unit_test(other_bytes_are_masked),
        cmocka_unit_test(a_byte_is_printable_from_space_to_tilde),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
