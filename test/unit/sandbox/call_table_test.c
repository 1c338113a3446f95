/* call_table: rows are complete, and none is there twice or can never hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <seccomp.h>

#include "sandbox/call_table.h"

static void every_row_says_who_makes_the_call(void **state)
{
    (void)state;
    size_t count;
    const struct call_row *rows = call_table(&count);
    assert_true(count > 60);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(rows[i].name);
        assert_true(rows[i].user && strlen(rows[i].user) > 2);
    }
}

/* A name that libseccomp does not know would be left out without a word. */
static void every_name_is_a_call_of_one_of_the_processors(void **state)
{
    (void)state;
    size_t count;
    const struct call_row *rows = call_table(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_known = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, rows[i].name) >= 0 ||
                        seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, rows[i].name) >= 0;
        if (!is_known) print_error("%s\n", rows[i].name);
        assert_true(is_known);
    }
}

static void no_row_is_there_twice(void **state)
{
    (void)state;
    size_t count;
    const struct call_row *rows = call_table(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            bool same = strcmp(rows[i].name, rows[j].name) == 0 && rows[i].needs == rows[j].needs &&
                        memcmp(rows[i].checks, rows[j].checks, sizeof rows[i].checks) == 0;
            if (same) print_error("%s\n", rows[i].name);
            assert_false(same);
        }
}

/* A value with bits that its mask cuts off would never be met. */
static void every_check_can_hold(void **state)
{
    (void)state;
    size_t count;
    const struct call_row *rows = call_table(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < CALL_CHECKS_MAX; j++) {
            const struct call_check *check = &rows[i].checks[j];
            assert_true(check->argument < 6);
            assert_true(check->value == CALL_OWN_PROCESS || (check->value & ~check->mask) == 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_says_who_makes_the_call),
        cmocka_unit_test(every_name_is_a_call_of_one_of_the_processors),
        cmocka_unit_test(no_row_is_there_twice),
        cmocka_unit_test(every_check_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
