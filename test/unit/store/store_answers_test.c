/* Answers for the store: what is written, what is dropped, and the room that commands have. */
#include "store_story.h"

static void an_answer_is_written_with_the_time_that_is_left(void **state)
{
    (void)state;
    char words[120];
    begin_in_use();
    write_answer(0, 300);
    pass_ms(0);
    sprintf(words, "SET t:%s <352 octets> PX 58500", digits_of(0));
    assert_sent(words);
    fake_store_say("+OK\r\n");
    assert_int_equal(count(cell_shared_written(story.counters)), 1);
    write_answer(0, 300);
    fake_store_say("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_int_equal(dropped(LABEL_SHARED_DROPPED_REFUSED), 1);
    assert_int_equal(count(cell_shared_written(story.counters)), 1);
    assert_non_null(fake_store.connection);
    end();
}

static void what_may_not_be_kept_is_removed_with_set_alone(void **state)
{
    (void)state;
    char words[120];
    const struct question_key key = key_of(0);
    begin_in_use();
    store_withdraw(story.store, &key);
    pass_ms(0);
    sprintf(words, "SET t:%s  PX 1", digits_of(0));
    assert_sent(words);
    fake_store_say("+OK\r\n");
    assert_int_equal(count(cell_shared_written(story.counters)), 0);
    end();
}

static void what_is_written_can_be_read(void **state)
{
    (void)state;
    begin_in_use();
    write_answer(0, 300);
    pass_ms(0);
    assert_true(ask(0)); /* the command's third part is the value */
    const char *value = strstr(fake_store.sent, "$352\r\n");
    assert_non_null(value);
    fake_store_say("+OK\r\n");
    fake_store_say_value(value + 6, 352);
    assert_over(0, STORE_HIT);
    assert_int_equal(question(0)->stored_ms, 100000);
    end();
}

static void what_finds_no_room_is_dropped_and_the_room_comes_back(void **state)
{
    (void)state;
    begin_in_use();
    for (unsigned i = 0; i < 3; i++) write_answer(i, 60000); /* of 128 KiB */
    assert_int_equal(dropped(LABEL_SHARED_DROPPED_FULL), 1);
    while (dropped(LABEL_SHARED_DROPPED_FULL) < 2) write_answer(3, 12);
    ask(3);
    ask(4);
    assert_false(ask(5));
    assert_in_range(count(cell_shared_skipped(story.counters, LABEL_SHARED_SKIPPED_FULL)), 1, 3);
    pass_ms(0);
    assert_true(ask(5));
    end();
}

static void commands_without_replies_fill_the_room_too(void **state)
{
    (void)state;
    begin_in_use();
    unsigned written = 0;
    while (dropped(LABEL_SHARED_DROPPED_FULL) == 0 && written < 100000) {
        write_answer(0, 12);
        pass_ms(0);
        fake_store.sent_size = 0;
        written++;
    }
    assert_in_range(written * sizeof(struct pending), 128 * 1024 - 1000, 128 * 1024 + 1000);
    end();
}

static void without_memory_nothing_is_asked(void **state)
{
    (void)state;
    begin_in_use();
    fake_store.no_memory = true;
    assert_false(ask(0));
    write_answer(1, 100);
    assert_int_equal(dropped(LABEL_SHARED_DROPPED_FULL), 1);
    fake_store.no_memory = false;
    assert_true(ask(0)); /* no reply is expected to what was not sent */
    say_entry(0, 5);
    assert_over(0, STORE_HIT);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_written_with_the_time_that_is_left),
        cmocka_unit_test(what_may_not_be_kept_is_removed_with_set_alone),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(what_finds_no_room_is_dropped_and_the_room_comes_back),
        cmocka_unit_test(commands_without_replies_fill_the_room_too),
        cmocka_unit_test(without_memory_nothing_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
