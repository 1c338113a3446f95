/* Names to warm up with are taken in the order in which they were added, each once. */
#include "shared/warmup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void add(struct warmup *warmup, unsigned number)
{
    char key[32];
    int size = snprintf(key, sizeof key, "key-%u", number);
    warmup_add(warmup, (const uint8_t *)key, (size_t)size);
}

static void assert_next(struct warmup *warmup, unsigned number)
{
    char wanted[32];
    uint8_t key[WARMUP_KEY_MAX];
    int size = snprintf(wanted, sizeof wanted, "key-%u", number);
    assert_int_equal(warmup_take(warmup, key), size);
    assert_memory_equal(key, wanted, size);
}

static void keys_are_taken_once_in_their_order(void **state)
{
    (void)state;
    uint8_t key[WARMUP_KEY_MAX];
    struct warmup *warmup = warmup_new();
    for (unsigned i = 0; i < 3000; i++) add(warmup, i);
    for (unsigned i = 0; i < 2000; i++) assert_next(warmup, i);
    add(warmup, 3000); /* while some wait */
    for (unsigned i = 2000; i <= 3000; i++) assert_next(warmup, i);
    assert_int_equal(warmup_take(warmup, key), 0);
    add(warmup, 7); /* after all were taken */
    assert_next(warmup, 7);
    assert_int_equal(warmup_take(warmup, key), 0);
    warmup_free(warmup);
}

static void it_is_over_when_it_is_closed_and_all_are_taken(void **state)
{
    (void)state;
    uint8_t key[WARMUP_KEY_MAX];
    struct warmup *warmup = warmup_new();
    assert_false(warmup_is_over(warmup));
    add(warmup, 1);
    warmup_close(warmup);
    assert_false(warmup_is_over(warmup));
    assert_next(warmup, 1);
    assert_true(warmup_is_over(warmup));
    warmup_free(warmup);
    assert_true(warmup_is_over(NULL));
    assert_int_equal(warmup_take(NULL, key), 0);
}

static void a_key_without_room_is_left_out(void **state)
{
    (void)state;
    static const uint8_t large[WARMUP_KEY_MAX + 1];
    uint8_t key[WARMUP_KEY_MAX];
    struct warmup *warmup = warmup_new();
    warmup_add(warmup, large, sizeof large);
    warmup_add(warmup, large, 0);
    assert_int_equal(warmup_take(warmup, key), 0);
    warmup_add(warmup, large, WARMUP_KEY_MAX);
    assert_int_equal(warmup_take(warmup, key), WARMUP_KEY_MAX);
    warmup_free(warmup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_taken_once_in_their_order),
        cmocka_unit_test(it_is_over_when_it_is_closed_and_all_are_taken),
        cmocka_unit_test(a_key_without_room_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
