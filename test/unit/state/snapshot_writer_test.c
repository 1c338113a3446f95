/* A stream that takes no more makes the writer fail, with the reason. */
#include "snapshot_story.h"

#include <errno.h>

static void a_full_device_is_reported(void **state)
{
    (void)state;
    struct snapshot_writer writer;
    char text[64];
    const struct snapshot_head head = {.salt = 1};
    const struct snapshot_record record = story_record(1, text, sizeof text);
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    snapshot_writer_begin(&writer, out, &head);
    for (unsigned i = 0; i < 1000; i++) snapshot_writer_add(&writer, &record);
    assert_false(snapshot_writer_end(&writer));
    assert_int_equal(writer.error, ENOSPC);
    fclose(out);
}

static void what_fits_the_buffer_alone_is_reported_at_the_end(void **state)
{
    (void)state;
    struct snapshot_writer writer;
    const struct snapshot_head head = {.salt = 1};
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    snapshot_writer_begin(&writer, out, &head);
    assert_false(writer.failed);
    assert_false(snapshot_writer_end(&writer));
    assert_int_equal(writer.error, ENOSPC);
    fclose(out);
}

/* What could not be flushed is lost to the stream; that more can be written later does not mend it. */
static void what_could_not_be_flushed_is_not_forgotten(void **state)
{
    (void)state;
    struct snapshot_writer writer;
    const struct snapshot_head head = {.salt = 1};
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    snapshot_writer_begin(&writer, out, &head);
    assert_false(snapshot_writer_flush(&writer));
    writer.out = fopen("/dev/null", "w");
    assert_non_null(writer.out);
    assert_false(snapshot_writer_end(&writer));
    assert_int_equal(writer.error, ENOSPC);
    fclose(writer.out);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_device_is_reported),
        cmocka_unit_test(what_fits_the_buffer_alone_is_reported_at_the_end),
        cmocka_unit_test(what_could_not_be_flushed_is_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
