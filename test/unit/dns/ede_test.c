/* Extended DNS Errors: lists that are bounded and clean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/ede.h"
#include "dns/message.h"

static uint8_t options[8192];
static size_t options_size;
static uint8_t list[EDE_LIST_MAX];

static int setup(void **state)
{
    (void)state;
    options_size = 0;
    return 0;
}

static void add_option(unsigned option, const void *data, size_t size)
{
    dns_put_u16(options + options_size, (uint16_t)option);
    dns_put_u16(options + options_size + 2, (uint16_t)size);
    if (size > 0) memcpy(options + options_size + 4, data, size);
    options_size += 4 + size;
}

static void add_error(unsigned code, const char *text, size_t size)
{
    uint8_t data[2 + 1024];
    dns_put_u16(data, (uint16_t)code);
    memcpy(data + 2, text, size);
    add_option(15, data, 2 + size);
}

static size_t collect(void)
{
    return ede_collect(options, options_size, list);
}

/* What becomes of a text. */
static void assert_clean(const char *text, size_t size, const char *expected)
{
    setup(NULL);
    add_error(0, text, size);
    size_t written = collect();
    assert_int_equal(written, EDE_ITEM_MIN + strlen(expected));
    assert_memory_equal(list + EDE_ITEM_MIN, expected, strlen(expected));
}

static void all_errors_are_taken_in_their_order_and_nothing_else(void **state)
{
    (void)state;
    add_option(10, "cookie!!", 8);
    add_error(9, "no key", 6);
    add_option(12, "\0\0\0", 3);
    add_error(22, "", 0);
    add_option(15, "\0", 1); /* too short for a code */
    add_error(0xc000, "own", 3);
    static const uint8_t expected[] = "\0\17\0\10\0\11no key\0\17\0\2\0\26\0\17\0\5\xc0\0own";
    assert_int_equal(collect(), sizeof expected - 1);
    assert_memory_equal(list, expected, sizeof expected - 1);
    assert_true(ede_is_list(list, sizeof expected - 1));
    assert_true(ede_has(list, sizeof expected - 1, 22));
    assert_true(ede_has(list, sizeof expected - 1, 0xc000));
    assert_false(ede_has(list, sizeof expected - 1, 10));
    assert_true(ede_has_verdict(list, sizeof expected - 1));
    assert_false(ede_has_verdict(list + 12, sizeof expected - 1 - 12));
}

static void options_that_are_cut_end_the_list(void **state)
{
    (void)state;
    add_error(9, "no key", 6);
    size_t first = options_size;
    add_error(22, "unreachable", 11);
    for (size_t size = 0; size < options_size; size++) {
        size_t expected = size < first ? 0 : first;
        assert_int_equal(ede_collect(options, size, list), expected);
    }
}

static void texts_are_clean(void **state)
{
    (void)state;
    assert_clean("plain text", 10, "plain text");
    assert_clean("with NUL\0", 9, "with NUL");
    assert_clean("a\0b", 3, "a?b");
    assert_clean("line\r\nbreak\x1b[31m\x7f", 17, "line??break?[31m?");
    assert_clean("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15,
                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_clean("\xc0\xaf", 2, "??");           /* overlong */
    assert_clean("\xe0\x80\xaf", 3, "???");      /* overlong */
    assert_clean("\xed\xa0\x80", 3, "???");      /* a surrogate */
    assert_clean("\xf4\x90\x80\x80", 4, "????"); /* above U+10FFFF */
    assert_clean("\xff\xfe\x80", 3, "???");
    assert_clean("cut \xe2\x82", 6, "cut ??");
    assert_clean("\xc2\x85", 2, "?"); /* a C1 control */
    assert_clean("a\xe2\x80\xae"
                 "b",
                 5, "a?b");               /* right-to-left override */
    assert_clean("\xe2\x80\x8b", 3, "?"); /* invisible */
}

static void a_text_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[600];
    for (size_t i = 0; i < sizeof text; i += 2) memcpy(text + i, "\xc3\xbc", 2);
    add_error(0, text, sizeof text);
    assert_int_equal(collect(), EDE_ITEM_MIN + EDE_TEXT_MAX - 1);
    assert_int_equal(list[EDE_ITEM_MIN + EDE_TEXT_MAX - 2], 0xbc);
}

static void codes_matter_more_than_texts(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'x', sizeof text);
    for (unsigned code = 0; code < 20; code++) add_error(100 + code, text, sizeof text);
    size_t size = collect();
    assert_true(size <= EDE_LIST_MAX);
    assert_true(size > EDE_LIST_MAX - EDE_ITEM_MIN);
    for (uint16_t code = 0; code < 20; code++) assert_true(ede_has(list, size, (uint16_t)(100 + code)));
    uint8_t codes[EDE_LIST_MAX];
    assert_int_equal(ede_without_texts(list, size, codes), 20 * EDE_ITEM_MIN);
    assert_true(ede_has(codes, 20 * EDE_ITEM_MIN, 119));
    setup(NULL);
    for (unsigned code = 0; code < 1000; code++) add_error(code, "", 0);
    size = collect();
    assert_int_equal(size, EDE_CODES_MAX * EDE_ITEM_MIN);
    assert_true(size <= EDE_LIST_MAX);
}

static void lists_are_merged_without_repeating(void **state)
{
    (void)state;
    uint8_t more[EDE_LIST_MAX];
    add_error(22, "a", 1);
    add_error(23, "b", 1);
    size_t size = collect();
    memcpy(more, list, size);
    assert_int_equal(ede_merge(list, size, more, size), size);
    setup(NULL);
    add_error(23, "other", 5);
    add_error(23, "b", 1);
    size_t more_size = ede_collect(options, options_size, more);
    size_t merged = ede_merge(list, size, more, more_size);
    assert_int_equal(merged, size + EDE_ITEM_MIN + 5);
    assert_true(ede_is_list(list, merged));
    char text[250];
    memset(text, 'x', sizeof text);
    for (unsigned code = 100; code < 140; code++) { /* until it is full, and beyond */
        setup(NULL);
        add_error(code, text, sizeof text);
        more_size = ede_collect(options, options_size, more);
        merged = ede_merge(list, merged, more, more_size);
        assert_true(merged <= EDE_LIST_MAX && ede_is_list(list, merged));
    }
    assert_true(merged > EDE_LIST_MAX - EDE_ITEM_MIN);
}

static void bytes_that_are_no_list_are_seen(void **state)
{
    (void)state;
    assert_true(ede_is_list(list, 0));
    add_error(22, "a", 1);
    size_t size = collect();
    assert_false(ede_is_list(list, size - 1));
    list[1] = 10;
    assert_false(ede_is_list(list, size));
    list[1] = 15;
    list[3] = 1;
    assert_false(ede_is_list(list, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_errors_are_taken_in_their_order_and_nothing_else, setup),
        cmocka_unit_test_setup(options_that_are_cut_end_the_list, setup),
        cmocka_unit_test_setup(texts_are_clean, setup),
        cmocka_unit_test_setup(a_text_is_cut_at_a_character, setup),
        cmocka_unit_test_setup(codes_matter_more_than_texts, setup),
        cmocka_unit_test_setup(lists_are_merged_without_repeating, setup),
        cmocka_unit_test_setup(bytes_that_are_no_list_are_seen, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
