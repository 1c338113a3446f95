#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/slots.h"

/* Of a size that needs rounding up. */
struct object {
    struct slot slot;
    char bytes[37];
};

enum { MAX = 150 }; /* more than two chunks, and not whole ones */

static struct slots slots;

static int setup(void **state)
{
    (void)state;
    return slots_init(&slots, sizeof(struct object), MAX) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    slots_done(&slots);
    return 0;
}

static void an_object_is_taken_zeroed_and_found_by_its_handle(void **state)
{
    (void)state;
    struct object *object = slots_take(&slots);
    const char zeros[sizeof object->bytes] = {0};
    assert_memory_equal(object->bytes, zeros, sizeof zeros);
    assert_int_equal(slots.taken, 1);
    assert_ptr_equal(slots_find(&slots, slot_handle(object)), object);
}

static void a_handle_of_what_was_given_back_finds_nobody(void **state)
{
    (void)state;
    struct object *object = slots_take(&slots);
    struct slot_handle old = slot_handle(object);
    slots_give(&slots, object);
    assert_null(slots_find(&slots, old));
    assert_int_equal(slots.taken, 0);
    struct object *again = slots_take(&slots);
    assert_ptr_equal(again, object);
    assert_null(slots_find(&slots, old));
    assert_ptr_equal(slots_find(&slots, slot_handle(again)), again);
}

static void a_handle_taken_from_an_object_not_in_use_finds_nobody(void **state)
{
    (void)state;
    struct object *object = slots_take(&slots);
    slots_give(&slots, object);
    assert_null(slots_find(&slots, slot_handle(object)));
}

static void handles_that_never_were_find_nobody(void **state)
{
    (void)state;
    assert_null(slots_find(&slots, (struct slot_handle){0}));
    slots_take(&slots);
    assert_null(slots_find(&slots, (struct slot_handle){0, 0}));
    assert_null(slots_find(&slots, (struct slot_handle){0, 3}));
    assert_null(slots_find(&slots, (struct slot_handle){1, 1}));
    assert_null(slots_find(&slots, (struct slot_handle){UINT32_MAX, 1}));
}

static void an_object_comes_back_zeroed(void **state)
{
    (void)state;
    struct object *object = slots_take(&slots);
    memset(object->bytes, 'x', sizeof object->bytes);
    slots_give(&slots, object);
    object = slots_take(&slots);
    for (size_t i = 0; i < sizeof object->bytes; i++) assert_int_equal(object->bytes[i], 0);
}

static void there_are_as_many_as_the_bound_says_and_each_is_its_own(void **state)
{
    (void)state;
    struct object *taken[MAX];
    for (size_t i = 0; i < MAX; i++) {
        taken[i] = slots_take(&slots);
        assert_non_null(taken[i]);
        memset(taken[i]->bytes, (int)i, sizeof taken[i]->bytes);
    }
    assert_null(slots_take(&slots));
    assert_int_equal(slots.taken, MAX);
    for (size_t i = 0; i < MAX; i++) {
        for (size_t k = 0; k < sizeof taken[i]->bytes; k++) assert_int_equal((uint8_t)taken[i]->bytes[k], i);
        assert_int_equal((uintptr_t)taken[i] % _Alignof(max_align_t), 0);
        assert_ptr_equal(slots_find(&slots, slot_handle(taken[i])), taken[i]);
    }
    slots_give(&slots, taken[77]);
    assert_ptr_equal(slots_find(&slots, slot_handle(taken[78])), taken[78]); /* its neighbours are left alone */
    assert_int_equal(taken[76]->bytes[36], 76);
    assert_int_equal(taken[78]->bytes[0], 78);
    assert_ptr_equal(slots_take(&slots), taken[77]);
    assert_null(slots_take(&slots));
}

static void memory_grows_as_it_is_needed(void **state)
{
    (void)state;
    assert_int_equal(slots.made, 0);
    for (int i = 0; i < 1000; i++) slots_give(&slots, slots_take(&slots));
    assert_int_equal(slots.made, 1);
}

static void a_larger_bound_lets_more_be_taken_and_keeps_what_is_taken(void **state)
{
    (void)state;
    struct object *first = slots_take(&slots);
    struct slot_handle handle = slot_handle(first);
    for (int i = 1; i < MAX; i++) assert_non_null(slots_take(&slots));
    assert_null(slots_take(&slots));
    assert_true(slots_set_max(&slots, 10 * MAX));
    for (int i = MAX; i < 10 * MAX; i++) assert_non_null(slots_take(&slots));
    assert_null(slots_take(&slots));
    assert_ptr_equal(slots_find(&slots, handle), first);
}

static void a_smaller_bound_gives_nothing_until_enough_came_back(void **state)
{
    (void)state;
    struct object *taken[MAX];
    for (int i = 0; i < MAX; i++) taken[i] = slots_take(&slots);
    assert_true(slots_set_max(&slots, 2));
    for (int i = 0; i < MAX - 2; i++) {
        slots_give(&slots, taken[i]);
        assert_null(slots_take(&slots));
    }
    slots_give(&slots, taken[MAX - 2]);
    assert_non_null(slots_take(&slots));
    assert_null(slots_take(&slots));
}

static void a_bound_of_nothing_gives_nothing(void **state)
{
    (void)state;
    struct slots none;
    assert_true(slots_init(&none, sizeof(struct object), 0));
    assert_null(slots_take(&none));
    slots_done(&none);
    slots_done(&none); /* twice is harmless */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_taken_zeroed_and_found_by_its_handle, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handle_of_what_was_given_back_finds_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handle_taken_from_an_object_not_in_use_finds_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_that_never_were_find_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_comes_back_zeroed, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_as_many_as_the_bound_says_and_each_is_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_grows_as_it_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_larger_bound_lets_more_be_taken_and_keeps_what_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_smaller_bound_gives_nothing_until_enough_came_back, setup, teardown),
        cmocka_unit_test(a_bound_of_nothing_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
