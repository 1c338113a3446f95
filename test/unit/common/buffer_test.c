#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/buffer.h"

static struct buffers buffers;

static int setup(void **state)
{
    (void)state;
    buffers_init(&buffers);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffers_done(&buffers);
    return 0;
}

static void assert_waiting(const struct buffer *buffer, const char *text)
{
    assert_int_equal(buffer_size(buffer), strlen(text));
    assert_memory_equal(buffer_data(buffer), text, strlen(text));
}

static void what_is_added_waits_in_order(void **state)
{
    (void)state;
    struct buffer *buffer = buffers_borrow(&buffers);
    assert_int_equal(buffer_size(buffer), 0);
    assert_true(buffer_add(buffer, "one", 3));
    assert_true(buffer_add(buffer, "two", 3));
    assert_waiting(buffer, "onetwo");
    buffer_drop(buffer, 4);
    assert_waiting(buffer, "wo");
    assert_true(buffer_add(buffer, "three", 5));
    assert_waiting(buffer, "wothree");
    buffer_drop(buffer, 7);
    assert_int_equal(buffer_size(buffer), 0);
    buffers_give(&buffers, buffer);
}

static void nothing_can_be_added_to_an_empty_buffer(void **state)
{
    (void)state;
    struct buffer *buffer = buffers_borrow(&buffers);
    assert_true(buffer_add(buffer, "", 0));
    assert_int_equal(buffer_size(buffer), 0);
    assert_non_null(buffer_room(buffer, 0));
    buffers_give(&buffers, buffer);
}

static void room_is_used_as_far_as_it_was_filled(void **state)
{
    (void)state;
    struct buffer *buffer = buffers_borrow(&buffers);
    uint8_t *room = buffer_room(buffer, 100);
    memcpy(room, "abc", 3);
    buffer_use_room(buffer, 3);
    assert_waiting(buffer, "abc");
    buffers_give(&buffers, buffer);
}

static void room_is_made_by_moving_before_it_is_made_by_growing(void **state)
{
    (void)state;
    struct buffer *buffer = buffers_borrow(&buffers);
    assert_non_null(buffer_room(buffer, 1));
    size_t capacity = buffer->capacity;
    memset(buffer_room(buffer, capacity), 'x', capacity);
    buffer_use_room(buffer, capacity);
    memcpy(buffer->bytes + capacity - 3, "end", 3);
    buffer_drop(buffer, capacity - 3);
    assert_true(buffer_add(buffer, "more", 4));
    assert_int_equal(buffer->capacity, capacity);
    assert_waiting(buffer, "endmore");
    buffers_give(&buffers, buffer);
}

/* Against a model: what waits is always what was added less what was dropped. */
static void a_buffer_loses_nothing_when_it_grows(void **state)
{
    (void)state;
    struct buffer *buffer = buffers_borrow(&buffers);
    uint8_t added = 0;
    uint8_t dropped = 0;
    uint8_t chunk[1500];
    for (size_t round = 0; round < 500; round++) {
        size_t size = round * 37 % sizeof chunk;
        for (size_t i = 0; i < size; i++) chunk[i] = added++;
        assert_true(buffer_add(buffer, chunk, size));
        size_t gone = round * 61 % (buffer_size(buffer) + 1) * 3 / 4;
        for (size_t i = 0; i < gone; i++) assert_int_equal(buffer_data(buffer)[i], dropped++);
        buffer_drop(buffer, gone);
    }
    for (size_t i = 0; i < buffer_size(buffer); i++) assert_int_equal(buffer_data(buffer)[i], dropped++);
    assert_int_equal(added, dropped);
    buffers_give(&buffers, buffer);
}

static void a_buffer_given_back_is_borrowed_again_empty(void **state)
{
    (void)state;
    struct buffer *first = buffers_borrow(&buffers);
    assert_true(buffer_add(first, "left over", 9));
    size_t capacity = first->capacity;
    buffers_give(&buffers, first);
    assert_int_equal(buffers.spare_count, 1);
    struct buffer *second = buffers_borrow(&buffers);
    assert_ptr_equal(first, second);
    assert_int_equal(buffer_size(second), 0);
    assert_int_equal(second->capacity, capacity);
    assert_int_equal(buffers.spare_count, 0);
    buffers_give(&buffers, second);
}

static void a_large_buffer_is_not_kept(void **state)
{
    (void)state;
    struct buffer *buffer = buffers_borrow(&buffers);
    assert_non_null(buffer_room(buffer, 200000));
    buffers_give(&buffers, buffer);
    assert_int_equal(buffers.spare_count, 0);
}

static void no_more_are_kept_than_a_turn_needs(void **state)
{
    (void)state;
    struct buffer *borrowed[500];
    for (size_t i = 0; i < 500; i++) borrowed[i] = buffers_borrow(&buffers);
    for (size_t i = 0; i < 500; i++) buffers_give(&buffers, borrowed[i]);
    assert_true(buffers.spare_count > 0 && buffers.spare_count < 500);
}

/* Each holds the largest message, as in time each spare one would. */
static void spare_buffers_take_little_however_large_messages_are(void **state)
{
    (void)state;
    struct buffer *borrowed[64];
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < 64; i++) {
            borrowed[i] = buffers_borrow(&buffers);
            assert_non_null(buffer_room(borrowed[i], turn == 1 ? 4000 : 65537));
        }
        for (size_t i = 0; i < 64; i++) buffers_give(&buffers, borrowed[i]);
        assert_in_range(buffers.spare_count, 1, 64);
        assert_in_range(buffers.memory_bytes, 1, 800 * 1024);
    }
}

/* Those of usual messages are kept beside them. */
static void large_spare_buffers_leave_room_for_small_ones(void **state)
{
    (void)state;
    struct buffer *borrowed[40];
    for (size_t i = 0; i < 40; i++) {
        borrowed[i] = buffers_borrow(&buffers);
        assert_non_null(buffer_room(borrowed[i], i < 20 ? 65537 : 4000));
    }
    for (size_t i = 0; i < 20; i++) buffers_give(&buffers, borrowed[i]);
    unsigned large = buffers.spare_count;
    assert_in_range(large, 1, 19);
    for (size_t i = 20; i < 40; i++) buffers_give(&buffers, borrowed[i]);
    assert_int_equal(buffers.spare_count, large + 20);
}

static void the_store_knows_the_memory_of_its_buffers(void **state)
{
    (void)state;
    struct buffer *lent[3];
    for (size_t i = 0; i < 3; i++) {
        lent[i] = buffers_borrow(&buffers);
        assert_non_null(buffer_room(lent[i], 1000 << i));
    }
    size_t sum = lent[0]->capacity + lent[1]->capacity + lent[2]->capacity + 3 * (size_t)BUFFER_OVERHEAD_BYTES;
    assert_int_equal(buffers.memory_bytes, sum);
    buffers_give(&buffers, lent[0]);
    assert_int_equal(buffers.memory_bytes, sum); /* spare ones count */
    sum -= lent[0]->capacity + BUFFER_OVERHEAD_BYTES;
    buffers_trim(&buffers);
    assert_int_equal(buffers.memory_bytes, sum);
    assert_non_null(buffer_room(lent[1], 300000));
    buffers_give(&buffers, lent[1]); /* too large to be kept */
    assert_int_equal(buffers.memory_bytes, lent[2]->capacity + BUFFER_OVERHEAD_BYTES);
    buffers_give(&buffers, lent[2]);
    buffers_trim(&buffers);
    assert_int_equal(buffers.memory_bytes, 0);
}

static void giving_nothing_is_fine(void **state)
{
    (void)state;
    buffers_give(&buffers, NULL);
    assert_int_equal(buffers.spare_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_added_waits_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_can_be_added_to_an_empty_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(room_is_used_as_far_as_it_was_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(room_is_made_by_moving_before_it_is_made_by_growing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buffer_loses_nothing_when_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buffer_given_back_is_borrowed_again_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_buffer_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_are_kept_than_a_turn_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(spare_buffers_take_little_however_large_messages_are, setup, teardown),
        cmocka_unit_test_setup_teardown(large_spare_buffers_leave_room_for_small_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(the_store_knows_the_memory_of_its_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(giving_nothing_is_fine, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
