/* Commands wait for their replies in order, and are found by their number until then. */
#include "store/pending.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void push(struct pendings *pendings, uint64_t asked_ns)
{
    const struct pending pending = {COMMAND_LOOKUP, asked_ns, NULL};
    assert_true(pendings_push(pendings, &pending));
}

static void they_are_taken_in_order_while_others_come(void **state)
{
    (void)state;
    struct pendings pendings;
    uint64_t pushed = 0, taken = 0;
    pendings_init(&pendings);
    for (unsigned round = 0; round < 100; round++) { /* three come, two go: it grows while it goes round */
        for (unsigned i = 0; i < 3; i++) push(&pendings, pushed++);
        for (unsigned i = 0; i < 2; i++) assert_int_equal(pendings_take(&pendings).asked_ns, taken++);
        assert_int_equal(pendings_count(&pendings), pushed - taken);
    }
    while (taken < pushed) assert_int_equal(pendings_take(&pendings).asked_ns, taken++);
    assert_int_equal(pendings_count(&pendings), 0);
    pendings_done(&pendings);
}

static void one_is_found_by_its_number_until_it_is_taken(void **state)
{
    (void)state;
    struct pendings pendings;
    pendings_init(&pendings);
    assert_null(pendings_find(&pendings, pendings.next));
    for (uint64_t i = 0; i < 1000; i++) push(&pendings, i);
    for (uint64_t i = 0; i < 400; i++) pendings_take(&pendings);
    assert_null(pendings_find(&pendings, 0));
    assert_null(pendings_find(&pendings, 400));
    for (uint64_t number = 401; number <= 1000; number++)
        assert_int_equal(pendings_find(&pendings, number)->asked_ns, number - 1);
    assert_null(pendings_find(&pendings, 1001));
    pendings_done(&pendings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_taken_in_order_while_others_come),
        cmocka_unit_test(one_is_found_by_its_number_until_it_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
