/* The value that holds for a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/presentation.h"
#include "queries/name_index.h"

enum { BOTH = NAME_INDEX_ITSELF | NAME_INDEX_BELOW };

static struct name_index name_index;

static void add(const char *text, unsigned entered_for, uint32_t itself, uint32_t below)
{
    uint8_t name[DNS_NAME_MAX];
    size_t size = presentation_parse_name(text, name);
    assert_int_not_equal(size, 0);
    name_index_add(&name_index, name, size, entered_for, itself, below);
}

static uint32_t find(const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    size_t size = presentation_parse_name(text, name);
    assert_int_not_equal(size, 0);
    return name_index_find(&name_index, name, size);
}

static void empty_index_has_no_values(void **state)
{
    (void)state;
    assert_true(name_index_init(&name_index, 0, 0));
    assert_int_equal(find("."), 0);
    assert_int_equal(find("a.example"), 0);
    name_index_done(&name_index);
}

static void longest_name_holds_for_those_below_it(void **state)
{
    (void)state;
    assert_true(name_index_init(&name_index, 4, 256));
    add("example", BOTH, 1, 2);
    add("b.c.example", BOTH, 3, 4);
    add("host.c.example", NAME_INDEX_ITSELF, 5, 2);
    add(".", NAME_INDEX_ITSELF, 6, 0);
    assert_int_equal(find("."), 6);
    assert_int_equal(find("example"), 1);
    assert_int_equal(find("c.example"), 2);
    assert_int_equal(find("b.c.example"), 3);
    assert_int_equal(find("x.b.c.example"), 4);
    assert_int_equal(find("y.x.b.c.example"), 4);
    assert_int_equal(find("xb.c.example"), 2);
    assert_int_equal(find("host.c.example"), 5);
    assert_int_equal(find("x.host.c.example"), 2);
    assert_int_equal(find("com"), 0);
    assert_int_equal(find("example.com"), 0);
    name_index_done(&name_index);
}

/* The longest name there is, of 127 labels, with values at each of them. */
static void every_label_of_a_long_name_may_have_a_value(void **state)
{
    uint8_t name[DNS_NAME_MAX];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof name; i += 2) memcpy(name + i, "\1a", 2);
    name[DNS_NAME_MAX - 1] = 0;
    assert_true(name_index_init(&name_index, 127, 127 * DNS_NAME_MAX));
    for (uint32_t labels = 1; labels <= 127; labels++)
        name_index_add(&name_index, name + DNS_NAME_MAX - 1 - 2 * labels, 1 + 2 * (size_t)labels, BOTH, labels,
                       1000 + labels);
    for (uint32_t labels = 1; labels <= 127; labels++) {
        uint8_t *at = name + DNS_NAME_MAX - 1 - 2 * labels;
        assert_int_equal(name_index_find(&name_index, at, 1 + 2 * (size_t)labels), labels);
        at[1] = 'b'; /* another name, whose ancestors have values */
        assert_int_equal(name_index_find(&name_index, at, 1 + 2 * (size_t)labels), labels > 1 ? 999 + labels : 0);
        at[1] = 'a';
    }
    name_index_done(&name_index);
}

/* Octets in the middle of a label that are those of a name with a value, before and behind a label that is one. */
static void octets_within_labels_are_no_labels(void **state)
{
    static const uint8_t asked[] = "\77aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\5inner\4zone\7example";
    (void)state;
    assert_true(name_index_init(&name_index, 3, 256));
    add("inner.zone.example", BOTH, 1, 2);
    assert_int_equal(name_index_find(&name_index, asked, sizeof asked), 0);
    add("example", BOTH, 3, 4);
    assert_int_equal(name_index_find(&name_index, asked, sizeof asked), 4);
    add("zone.example", BOTH, 5, 6);
    assert_int_equal(name_index_find(&name_index, asked, sizeof asked), 6);
    name_index_done(&name_index);
}

/* So many names of one size that begin alike that some of those asked have the hash of one that is there, and all pass
 * the filter. */
static void names_of_one_hash_are_told_apart(void **state)
{
    enum { ENTERED = 20000, ASKED = 2000000 };
    uint8_t name[] = "\12aaaaaaaaaa\10bbb00000\7example";
    uint8_t *number = name + 15;
    (void)state;
    assert_true(name_index_init(&name_index, ENTERED, ENTERED * sizeof name));
    for (uint32_t i = 0; i < ENTERED + ASKED; i++) {
        uint32_t left = i;
        for (unsigned digit = 0; digit < 5; digit++, left /= 26) number[digit] = (uint8_t)('a' + left % 26);
        if (i < ENTERED)
            name_index_add(&name_index, name, sizeof name, NAME_INDEX_ITSELF, i + 1, 0);
        else if (name_index_find(&name_index, name, sizeof name) != 0)
            fail_msg("%s is not there", (char *)number);
    }
    name_index_done(&name_index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_index_has_no_values),
        cmocka_unit_test(longest_name_holds_for_those_below_it),
        cmocka_unit_test(every_label_of_a_long_name_may_have_a_value),
        cmocka_unit_test(octets_within_labels_are_no_labels),
        cmocka_unit_test(names_of_one_hash_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
