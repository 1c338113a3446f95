/* What was purged while a snapshot is read is known; too many names count as everything. */
#include "state/purged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t one[] = "\3one\4test";
static const uint8_t two[] = "\3two\4test";

static void a_noted_name_is_purged_and_no_other(void **state)
{
    (void)state;
    struct purged purged;
    purged_init(&purged);
    assert_int_equal(purged_look(&purged, one, sizeof one), PURGED_NOT);
    purged_note(&purged, one, sizeof one);
    assert_int_equal(purged_look(&purged, one, sizeof one), PURGED_NAME);
    assert_int_equal(purged_look(&purged, two, sizeof two), PURGED_NOT);
    assert_int_equal(purged_look(&purged, one, sizeof one - 1), PURGED_NOT);
    purged_note(&purged, NULL, 0);
    assert_int_equal(purged_look(&purged, two, sizeof two), PURGED_ALL);
    purged_done(&purged);
}

static void beyond_the_bound_everything_is_purged(void **state)
{
    (void)state;
    struct purged purged;
    purged_init(&purged);
    for (unsigned i = 0; i < PURGED_NAMES_MAX; i++) {
        char name[16];
        int size = snprintf(name, sizeof name, "%c%02u", 2, i);
        purged_note(&purged, (const uint8_t *)name, (size_t)size + 1);
        assert_int_equal(purged_look(&purged, (const uint8_t *)name, (size_t)size + 1), PURGED_NAME);
    }
    assert_int_equal(purged_look(&purged, two, sizeof two), PURGED_NOT);
    purged_note(&purged, one, sizeof one);
    assert_int_equal(purged_look(&purged, two, sizeof two), PURGED_ALL);
    purged_done(&purged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_noted_name_is_purged_and_no_other),
        cmocka_unit_test(beyond_the_bound_everything_is_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
