/* Heads of the file and of its records are read as they were written, and nothing else is taken for one. */
#include "snapshot_story.h"

static const struct snapshot_head file_head = {.saved_ns = UINT64_C(1) << 60, .origin = 77, .salt = STORY_SALT};

static void heads_are_read_as_written(void **state)
{
    (void)state;
    uint8_t bytes[SNAPSHOT_HEAD_BYTES];
    struct snapshot_head head;
    snapshot_head_write(&file_head, bytes);
    assert_int_equal(snapshot_head_read(bytes, &head), SNAPSHOT_SOUND);
    assert_int_equal(head.saved_ns, file_head.saved_ns);
    assert_int_equal(head.origin, 77);
    assert_int_equal(head.salt, STORY_SALT);
}

static void a_record_has_a_kind_and_sizes_within_the_bounds(void **state)
{
    (void)state;
    static const struct snapshot_record wrong[] = {
        {.kind = (enum snapshot_kind)0},
        {.kind = (enum snapshot_kind)(SNAPSHOT_END + 1)},
        {.kind = SNAPSHOT_ANSWER, .key_size = SNAPSHOT_KEY_MAX + 1},
        {.kind = SNAPSHOT_ANSWER, .value_size = SNAPSHOT_VALUE_MAX + 1},
    };
    static const uint8_t value[2 * SNAPSHOT_VALUE_MAX];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[SNAPSHOT_RECORD_BYTES];
        struct snapshot_record record = wrong[i];
        record.key = record.value = value;
        snapshot_record_write(&record, 1, bytes);
        assert_false(snapshot_record_read(bytes, 1, &record));
    }
}

static void a_record_of_another_file_is_none(void **state)
{
    (void)state;
    uint8_t bytes[SNAPSHOT_RECORD_BYTES];
    struct snapshot_record record = {.kind = SNAPSHOT_NAME, .first = 9};
    snapshot_record_write(&record, 1, bytes);
    assert_true(snapshot_record_read(bytes, 1, &record));
    assert_int_equal(record.first, 9);
    assert_int_equal(snapshot_record_size(&record), SNAPSHOT_RECORD_BYTES);
    assert_false(snapshot_record_read(bytes, 2, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_as_written),
        cmocka_unit_test(a_record_has_a_kind_and_sizes_within_the_bounds),
        cmocka_unit_test(a_record_of_another_file_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
