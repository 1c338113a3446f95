#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/message.h"

static void half_a_length_is_partial_and_says_nothing_of_the_size(void **state)
{
    (void)state;
    const uint8_t stream[] = {0x01};
    struct frame frame;
    assert_int_equal(frame_next(stream, 0, &frame), FRAME_PARTIAL);
    assert_int_equal(frame.size, 0);
    assert_int_equal(frame_next(stream, 1, &frame), FRAME_PARTIAL);
    assert_int_equal(frame.size, 0);
}

static void a_cut_message_is_partial_and_says_how_long_it_will_be(void **state)
{
    (void)state;
    const uint8_t stream[] = {0x01, 0x02, 'a', 'b'};
    struct frame frame;
    for (size_t size = 2; size <= sizeof stream; size++) {
        assert_int_equal(frame_next(stream, size, &frame), FRAME_PARTIAL);
        assert_int_equal(frame.size, 0x0102);
    }
}

static void a_message_is_whole_with_its_last_octet(void **state)
{
    (void)state;
    const uint8_t stream[] = {0, 3, 'a', 'b', 'c'};
    struct frame frame;
    assert_int_equal(frame_next(stream, 4, &frame), FRAME_PARTIAL);
    assert_int_equal(frame_next(stream, 5, &frame), FRAME_WHOLE);
    assert_int_equal(frame.size, 3);
    assert_ptr_equal(frame.message, stream + 2);
}

static void messages_in_a_row_come_one_by_one(void **state)
{
    (void)state;
    const uint8_t stream[] = {0, 1, 'a', 0, 2, 'b', 'c', 0};
    struct frame frame;
    size_t at = 0;
    assert_int_equal(frame_next(stream, sizeof stream, &frame), FRAME_WHOLE);
    at += FRAME_LENGTH_BYTES + frame.size;
    assert_int_equal(frame_next(stream + at, sizeof stream - at, &frame), FRAME_WHOLE);
    assert_memory_equal(frame.message, "bc", 2);
    at += FRAME_LENGTH_BYTES + frame.size;
    assert_int_equal(at, 7);
    assert_int_equal(frame_next(stream + at, sizeof stream - at, &frame), FRAME_PARTIAL);
}

static void an_empty_message_is_whole_so_that_the_caller_can_refuse_it(void **state)
{
    (void)state;
    const uint8_t stream[] = {0, 0};
    struct frame frame = {.size = 7};
    assert_int_equal(frame_next(stream, sizeof stream, &frame), FRAME_WHOLE);
    assert_int_equal(frame.size, 0);
}

static void the_longest_message_is_read_and_written(void **state)
{
    (void)state;
    static uint8_t stream[2 + 65535];
    struct frame frame;
    frame_put_length(stream, 65535);
    assert_int_equal(stream[0], 0xff);
    assert_int_equal(stream[1], 0xff);
    assert_int_equal(frame_next(stream, sizeof stream - 1, &frame), FRAME_PARTIAL);
    assert_int_equal(frame_next(stream, sizeof stream, &frame), FRAME_WHOLE);
    assert_int_equal(frame.size, 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_length_is_partial_and_says_nothing_of_the_size),
        cmocka_unit_test(a_cut_message_is_partial_and_says_how_long_it_will_be),
        cmocka_unit_test(a_message_is_whole_with_its_last_octet),
        cmocka_unit_test(messages_in_a_row_come_one_by_one),
        cmocka_unit_test(an_empty_message_is_whole_so_that_the_caller_can_refuse_it),
        cmocka_unit_test(the_longest_message_is_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
