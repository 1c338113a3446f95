/* Saving ends as it is told, and reports what fails. That what is saved is right is seen by loading it (load_test.c).
 */
#include "state_story.h"

#include <errno.h>

enum { ANSWERS = 2000 };

static enum save_result save(struct tables *tables, struct pace *pace, FILE *out, uint64_t *ret_entries, int *ret_error)
{
    const struct save_source source = {.shared = &tables->shared, .top = STORY_TOP};
    return save_write(&source, pace, out, ret_entries, ret_error);
}

/* What a stop leaves off is nothing; what a deadline ends is a snapshot of fewer entries. */
static void a_stop_and_a_deadline_end_it(void **state)
{
    (void)state;
    struct tables tables = tables_new(16 << 20);
    struct memory memory = {NULL, 0};
    struct pace pace;
    uint64_t entries = 0;
    int error;
    for (unsigned i = 0; i < ANSWERS; i++) story_put(&tables, i, 0);
    FILE *out = open_memstream(&memory.bytes, &memory.size);
    pace_init(&pace);
    pace_hurry(&pace, 1);
    assert_int_equal(save(&tables, &pace, out, &entries, &error), SAVE_WRITTEN);
    assert_true(entries < ANSWERS);
    pace_stop(&pace);
    assert_int_equal(save(&tables, &pace, out, &entries, &error), SAVE_STOPPED);
    pace_done(&pace);
    fclose(out);
    free(memory.bytes);
    tables_free(&tables);
}

static void a_full_device_fails(void **state)
{
    (void)state;
    struct tables tables = tables_new(16 << 20);
    struct pace pace;
    uint64_t entries;
    int error = 0;
    for (unsigned i = 0; i < ANSWERS; i++) story_put(&tables, i, 0);
    FILE *out = fopen("/dev/full", "w");
    pace_init(&pace);
    pace_hurry(&pace, CLOCK_NEVER - 1);
    assert_int_equal(save(&tables, &pace, out, &entries, &error), SAVE_FAILED);
    assert_int_equal(error, ENOSPC);
    pace_done(&pace);
    fclose(out);
    tables_free(&tables);
}

/* A failure of upstream is remembered for a second, and not over a restart. */
static void failures_are_not_saved(void **state)
{
    (void)state;
    struct tables tables = tables_new(16 << 20);
    static uint8_t bytes[ANSWER_BYTES_MAX];
    uint8_t message[128];
    struct answer answer;
    uint64_t entries;
    const struct question_key key = story_key(1);
    const struct hashed_key hashed = story_hashed(&tables, &key);
    size_t size = story_response(&key, 1, message);
    message[3] |= DNS_RCODE_SERVFAIL;
    assert_int_equal(answer_parse(message, size, &key, bytes, &answer), ANSWER_GOOD);
    assert_true(cache_put(tables.shared.cache, &hashed, bytes, answer.size, NS_PER_S * 5, clock_now_ns()));
    struct memory memory = story_save(&tables, &entries);
    assert_int_equal(entries, 0);
    free(memory.bytes);
    tables_free(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_and_a_deadline_end_it),
        cmocka_unit_test(a_full_device_fails),
        cmocka_unit_test(failures_are_not_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
