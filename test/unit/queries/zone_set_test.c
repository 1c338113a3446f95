#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "dns/presentation.h"
#include "queries/zone_set.h"

static struct zone_set set;

static bool has(const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    size_t size = presentation_parse_name(text, name);
    return zone_set_has(&set, name, size);
}

static void add(const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    size_t size = presentation_parse_name(text, name);
    assert_true(zone_set_add(&set, name, size));
}

static void empty_set_has_nothing(void **state)
{
    (void)state;
    assert_false(has("."));
    assert_false(has("example"));
    zone_set_clear(&set);
}

static void names_are_members_and_their_ancestors_are_not(void **state)
{
    (void)state;
    add("a.b.example");
    add("a.b.example");
    assert_true(has("a.b.example"));
    assert_true(has("A.b.Example"));
    assert_false(has("b.example"));
    assert_false(has("example"));
    assert_false(has("."));
    assert_false(has("x.a.b.example"));
    add("example");
    assert_true(has("example"));
    assert_false(has("b.example"));
    zone_set_clear(&set);
    assert_false(has("a.b.example"));
}

static void many_names_are_told_apart(void **state)
{
    char text[32];
    (void)state;
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "zone%d.dept%d.example", i, i % 70);
        add(text);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "zone%d.dept%d.example", i, i % 70);
        assert_true(has(text));
        snprintf(text, sizeof text, "zone%d.dept%d.example", i, (i + 1) % 70);
        assert_false(has(text));
    }
    zone_set_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_set_has_nothing),
        cmocka_unit_test(names_are_members_and_their_ancestors_are_not),
        cmocka_unit_test(many_names_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
