/* What was purged, and when: what was stored before that is not taken from elsewhere. */
#include "shared/purges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool concern(struct purges *purges, const char *name, uint64_t stored_ms)
{
    return purges_concern(purges, (const uint8_t *)name, strlen(name), stored_ms);
}

static void note(struct purges *purges, const char *name, uint64_t now_ms)
{
    purges_note(purges, (const uint8_t *)name, name ? strlen(name) : 0, now_ms);
}

static void what_was_stored_before_the_purge_of_its_name_is_concerned(void **state)
{
    (void)state;
    struct purges purges;
    purges_init(&purges);
    assert_false(concern(&purges, "a", 0));
    note(&purges, "a", 100);
    assert_true(concern(&purges, "a", 99));
    assert_true(concern(&purges, "a", 100));
    assert_false(concern(&purges, "a", 101));
    assert_false(concern(&purges, "ab", 99));
    assert_false(concern(&purges, "", 99));
    note(&purges, "a", 200);
    assert_true(concern(&purges, "a", 150));
    assert_int_equal(purges.count, 1);
    purges_done(&purges);
}

static void a_purge_of_everything_concerns_every_name(void **state)
{
    (void)state;
    struct purges purges;
    purges_init(&purges);
    note(&purges, "a", 300);
    note(&purges, NULL, 400);
    assert_true(concern(&purges, "b", 400));
    assert_false(concern(&purges, "b", 401));
    note(&purges, "a", 500);
    assert_true(concern(&purges, "a", 450));
    assert_false(concern(&purges, "b", 450));
    purges_done(&purges);
}

static void more_names_than_fit_make_the_oldest_a_purge_of_everything(void **state)
{
    (void)state;
    struct purges purges;
    char name[8];
    purges_init(&purges);
    for (unsigned i = 0; i <= PURGES_NAMES_MAX + 1; i++) {
        snprintf(name, sizeof name, "n%u", i);
        note(&purges, name, 1000 + i);
    }
    assert_int_equal(purges.count, PURGES_NAMES_MAX);
    assert_true(concern(&purges, "n0", 1000));
    assert_true(concern(&purges, "another", 1001)); /* when the second was purged */
    assert_false(concern(&purges, "another", 1002));
    assert_true(concern(&purges, name, 1000 + PURGES_NAMES_MAX + 1));
    purges_done(&purges);
}

static void what_was_asked_for_before_a_purge_is_told_by_its_number(void **state)
{
    (void)state;
    struct purges purges;
    purges_init(&purges);
    uint64_t begin = purges_number(&purges);
    assert_false(purges_since(&purges, (const uint8_t *)"a", 1, begin));
    note(&purges, "a", 100);
    uint64_t after_a = purges_number(&purges);
    assert_true(purges_since(&purges, (const uint8_t *)"a", 1, begin));
    assert_false(purges_since(&purges, (const uint8_t *)"a", 1, after_a));
    assert_false(purges_since(&purges, (const uint8_t *)"b", 1, begin));
    note(&purges, "b", 50); /* the wall clock was set back */
    assert_true(purges_since(&purges, (const uint8_t *)"b", 1, after_a));
    assert_false(purges_since(&purges, (const uint8_t *)"a", 1, after_a));
    note(&purges, NULL, 100);
    assert_true(purges_since(&purges, (const uint8_t *)"a", 1, after_a));
    assert_true(purges_since(&purges, (const uint8_t *)"c", 1, purges_number(&purges) - 1));
    assert_false(purges_since(&purges, (const uint8_t *)"c", 1, purges_number(&purges)));
    uint64_t before_many = purges_number(&purges);
    for (unsigned i = 0; i <= PURGES_NAMES_MAX; i++) note(&purges, (char[]){'0' + (char)i, 0}, 200);
    assert_true(purges_since(&purges, (const uint8_t *)"other", 5, before_many)); /* as if it was among those */
    assert_false(purges_since(&purges, (const uint8_t *)"other", 5, before_many + 1));
    purges_done(&purges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_before_the_purge_of_its_name_is_concerned),
        cmocka_unit_test(a_purge_of_everything_concerns_every_name),
        cmocka_unit_test(more_names_than_fit_make_the_oldest_a_purge_of_everything),
        cmocka_unit_test(what_was_asked_for_before_a_purge_is_told_by_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
