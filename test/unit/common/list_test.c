#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/list.h"

struct letter {
    char name;
    struct list node;
};

static struct list head;
static struct letter a = {.name = 'a'};
static struct letter b = {.name = 'b'};
static struct letter c = {.name = 'c'};

static int setup(void **state)
{
    (void)state;
    list_init(&head);
    list_init(&a.node);
    list_init(&b.node);
    list_init(&c.node);
    return 0;
}

static char name_of(struct list *node)
{
    return container_of(node, struct letter, node)->name;
}

static void assert_letters(struct list *list, const char *expected)
{
    char forward[8] = "";
    size_t size = 0;
    list_for_each (node, list) forward[size++] = name_of(node);
    assert_string_equal(forward, expected);
    struct list *node = list;
    while ((node = node->previous) != list) assert_int_equal(name_of(node), expected[--size]);
    assert_int_equal(size, 0);
}

static void an_empty_list_has_nothing(void **state)
{
    (void)state;
    assert_true(list_is_empty(&head));
    assert_null(list_first(&head));
    assert_null(list_take(&head));
    assert_letters(&head, "");
}

static void nodes_are_pushed_to_the_end_and_taken_from_the_front(void **state)
{
    (void)state;
    list_push(&head, &a.node);
    list_push(&head, &b.node);
    list_push(&head, &c.node);
    assert_false(list_is_empty(&head));
    assert_letters(&head, "abc");
    assert_ptr_equal(list_first(&head), &a.node);
    assert_ptr_equal(list_take(&head), &a.node);
    assert_letters(&head, "bc");
    assert_true(list_is_empty(&a.node)); /* it is in no list */
    assert_ptr_equal(list_take(&head), &b.node);
    assert_ptr_equal(list_take(&head), &c.node);
    assert_null(list_take(&head));
}

static void a_node_can_be_removed_anywhere_and_twice(void **state)
{
    (void)state;
    list_push(&head, &a.node);
    list_push(&head, &b.node);
    list_push(&head, &c.node);
    list_remove(&b.node);
    list_remove(&b.node);
    assert_letters(&head, "ac");
    list_remove(&c.node);
    assert_letters(&head, "a");
    list_remove(&a.node);
    assert_true(list_is_empty(&head));
    list_push(&head, &b.node);
    assert_letters(&head, "b");
}

static void one_list_is_appended_to_another(void **state)
{
    (void)state;
    struct list other;
    list_init(&other);
    list_append(&head, &other); /* nothing to nothing */
    assert_letters(&head, "");
    list_push(&other, &a.node);
    list_push(&other, &b.node);
    list_append(&head, &other);
    assert_letters(&head, "ab");
    assert_true(list_is_empty(&other));
    list_push(&other, &c.node);
    list_append(&head, &other);
    assert_letters(&head, "abc");
    list_append(&head, &other);
    assert_letters(&head, "abc");
}

static void nodes_may_be_removed_while_they_are_looked_at(void **state)
{
    (void)state;
    list_push(&head, &a.node);
    list_push(&head, &b.node);
    list_push(&head, &c.node);
    list_for_each_safe (node, &head)
        if (name_of(node) != 'b') list_remove(node);
    assert_letters(&head, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_list_has_nothing, setup),
        cmocka_unit_test_setup(nodes_are_pushed_to_the_end_and_taken_from_the_front, setup),
        cmocka_unit_test_setup(a_node_can_be_removed_anywhere_and_twice, setup),
        cmocka_unit_test_setup(one_list_is_appended_to_another, setup),
        cmocka_unit_test_setup(nodes_may_be_removed_while_they_are_looked_at, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
