/* What was written is read; of a damaged file, every record that is not damaged. */
#include "snapshot_story.h"

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct story story = story_new();
    struct story_read read = story_read(story.bytes, story.size);
    assert_int_equal(read.verdict, SNAPSHOT_SOUND);
    assert_int_equal(read.head.saved_ns, 5000);
    assert_int_equal(read.head.origin, UINT64_MAX - 1);
    assert_int_equal(read.found, STORY_ALL);
    assert_int_equal(read.damaged, 0);
    assert_true(read.is_complete);
    free(story.bytes);
}

/* Cut at every byte: the records before are there, and the file is known to be incomplete. */
static void a_cut_file_has_the_records_before_the_cut(void **state)
{
    (void)state;
    struct story story = story_new();
    for (size_t size = 0; size < story.size; size++) {
        struct story_read read = story_read(story.bytes, size);
        unsigned whole = 0;
        while (whole < STORY_RECORDS && story.starts[whole + 1] <= size) whole++;
        if (size < SNAPSHOT_HEAD_BYTES) {
            assert_int_equal(read.verdict, SNAPSHOT_FOREIGN);
            continue;
        }
        assert_int_equal(read.verdict, SNAPSHOT_SOUND);
        assert_int_equal(read.found, (1u << whole) - 1);
        assert_int_equal(read.damaged, 1);
        assert_false(read.is_complete);
    }
    free(story.bytes);
}

/* Every bit flipped in turn: at most its own record is lost, and none is read other than it was written. */
static void a_flipped_bit_costs_one_record_at_most(void **state)
{
    (void)state;
    struct story story = story_new();
    for (size_t bit = 0; bit < 8 * story.size; bit++) {
        story.bytes[bit / 8] ^= (char)(1 << bit % 8);
        struct story_read read = story_read(story.bytes, story.size);
        unsigned at = 0;
        while (at <= STORY_RECORDS && story.starts[at + 1] <= bit / 8) at++;
        if (bit / 8 < SNAPSHOT_HEAD_BYTES) {
            assert_int_not_equal(read.verdict, SNAPSHOT_SOUND);
        } else {
            assert_int_equal(read.verdict, SNAPSHOT_SOUND);
            assert_int_equal(read.found, STORY_ALL & ~(1u << at));
            assert_int_equal(read.damaged, 1);
            assert_int_equal(read.is_complete, at < STORY_RECORDS);
        }
        story.bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(story.bytes);
}

/* A stretch of any length overwritten, from any byte on. */
static void an_overwritten_stretch_costs_the_records_it_touches(void **state)
{
    (void)state;
    struct story story = story_new();
    char *copy = malloc(story.size);
    assert_non_null(copy);
    for (size_t from = SNAPSHOT_HEAD_BYTES; from < story.size; from += 3)
        for (size_t size = 1; from + size <= story.size; size = size * 3 + 1) {
            unsigned wanted = STORY_ALL;
            memcpy(copy, story.bytes, story.size);
            memset(copy + from, SNAPSHOT_MARK_FIRST, size);
            for (unsigned i = 0; i < STORY_RECORDS; i++)
                if (from < story.starts[i + 1] && from + size > story.starts[i]) wanted &= ~(1u << i);
            struct story_read read = story_read(copy, story.size);
            assert_int_equal(read.found | wanted, read.found); /* an octet may have had that value before */
        }
    free(copy);
    free(story.bytes);
}

static void another_version_is_told_from_no_snapshot_at_all(void **state)
{
    (void)state;
    struct story story = story_new();
    story.bytes[11]++;
    assert_int_equal(story_read(story.bytes, story.size).verdict, SNAPSHOT_OTHER_VERSION);
    story.bytes[0]++;
    assert_int_equal(story_read(story.bytes, story.size).verdict, SNAPSHOT_FOREIGN);
    free(story.bytes);
}

/* Who can put octets into an answer does not know the salt, so a record among them is none. */
static void a_record_inside_a_value_is_not_found_without_the_salt(void **state)
{
    (void)state;
    uint8_t forged[256];
    char *bytes = NULL;
    size_t size = 0;
    const struct snapshot_head head = {.salt = STORY_SALT};
    const struct snapshot_record inner = {.kind = SNAPSHOT_ANSWER, .first = 99};
    struct snapshot_record record;
    struct snapshot_writer writer;
    struct snapshot_reader reader;
    snapshot_record_write(&inner, STORY_SALT + 1, forged);
    FILE *out = open_memstream(&bytes, &size);
    snapshot_writer_begin(&writer, out, &head);
    record = (struct snapshot_record){
        .kind = SNAPSHOT_ANSWER, .value_size = SNAPSHOT_RECORD_BYTES, .key = forged, .value = forged};
    snapshot_writer_add(&writer, &record);
    assert_true(snapshot_writer_end(&writer));
    fclose(out);
    bytes[SNAPSHOT_HEAD_BYTES]++; /* so that the reader searches */
    FILE *in = fmemopen(bytes, size, "r");
    assert_int_equal(snapshot_reader_begin(&reader, in), SNAPSHOT_SOUND);
    assert_false(snapshot_reader_next(&reader, &record));
    assert_int_equal(reader.damaged, 1);
    assert_true(reader.is_complete);
    snapshot_reader_done(&reader);
    fclose(in);
    free(bytes);
}

static void the_largest_record_is_read(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    uint8_t *value = calloc(1, SNAPSHOT_VALUE_MAX);
    const struct snapshot_head head = {.salt = 1};
    struct snapshot_record record = {.kind = SNAPSHOT_ANSWER,
                                     .key_size = SNAPSHOT_KEY_MAX,
                                     .value_size = SNAPSHOT_VALUE_MAX,
                                     .key = value,
                                     .value = value};
    struct snapshot_writer writer;
    struct snapshot_reader reader;
    FILE *out = open_memstream(&bytes, &size);
    snapshot_writer_begin(&writer, out, &head);
    for (unsigned i = 0; i < 9; i++) snapshot_writer_add(&writer, &record);
    assert_true(snapshot_writer_end(&writer));
    fclose(out);
    FILE *in = fmemopen(bytes, size, "r");
    assert_int_equal(snapshot_reader_begin(&reader, in), SNAPSHOT_SOUND);
    unsigned count = 0;
    while (snapshot_reader_next(&reader, &record)) count += record.value_size == SNAPSHOT_VALUE_MAX;
    assert_int_equal(count, 9);
    assert_true(reader.is_complete);
    snapshot_reader_done(&reader);
    fclose(in);
    free(bytes);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_cut_file_has_the_records_before_the_cut),
        cmocka_unit_test(a_flipped_bit_costs_one_record_at_most),
        cmocka_unit_test(an_overwritten_stretch_costs_the_records_it_touches),
        cmocka_unit_test(another_version_is_told_from_no_snapshot_at_all),
        cmocka_unit_test(a_record_inside_a_value_is_not_found_without_the_salt),
        cmocka_unit_test(the_largest_record_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
