/* When the store is used, when it is left alone, and how it comes back. */
#include "store_story.h"

/* ---- connecting and greeting ---- */

static void it_is_used_once_it_has_answered_a_question_of_our_own(void **state_)
{
    (void)state_;
    begin();
    assert_int_equal(state(), STORE_UNREACHABLE);
    pass_ms(0);
    assert_false(ask(0));
    fake_store_open();
    assert_false(ask(0));
    pass_ms(0);
    assert_sent("GET t:probe");
    assert_sent(NULL);
    assert_int_equal(state(), STORE_UNREACHABLE);
    fake_store_say("$-1\r\n");
    assert_int_equal(state(), STORE_IN_USE);
    assert_int_equal(count(cell_shared_connections(story.counters)), 1);
    assert_true(ask(0));
    assert_int_equal(count(cell_shared_skipped(story.counters, LABEL_SHARED_SKIPPED_UNAVAILABLE)), 2);
    assert_int_equal(count(cell_shared_connects(story.counters)), 1);
    end();
}

static void a_password_comes_first_with_the_user_if_there_is_one(void **state_)
{
    (void)state_;
    struct store_options options = usual_options();
    for (unsigned has_user = 0; has_user < 2; has_user++) {
        strcpy(options.user, has_user ? "dns" : "");
        begin_with(&options, "secret");
        pass_ms(0);
        fake_store_open();
        pass_ms(0);
        assert_sent(has_user ? "AUTH dns secret" : "AUTH secret");
        assert_sent("GET t:probe");
        fake_store_say("+OK\r\n");
        assert_false(ask(0));
        fake_store_say("$3\r\nabc\r\n"); /* the key may exist */
        assert_true(ask(0));
        end();
    }
}

static void a_store_that_refuses_us_is_named_and_left_alone(void **state_)
{
    (void)state_;
    static const struct {
        const char *password, *replies;
        enum label_shared_failure label;
    } cases[] = {
        {"wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
         LABEL_SHARED_FAILURE_CREDENTIALS},
        {"good", "+OK\r\n-NOPERM no\r\n", LABEL_SHARED_FAILURE_CREDENTIALS},
        {"", "-NOAUTH Authentication required.\r\n", LABEL_SHARED_FAILURE_CREDENTIALS},
        {"", "-LOADING Redis is loading the dataset in memory\r\n", LABEL_SHARED_FAILURE_REFUSED},
        {"", "+OK\r\n", LABEL_SHARED_FAILURE_PROTOCOL},
        {"good", "$-1\r\n", LABEL_SHARED_FAILURE_PROTOCOL},
        {"", "SSH-2.0-OpenSSH_9.2\r\n", LABEL_SHARED_FAILURE_PROTOCOL},
    };
    const struct store_options options = usual_options();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_with(&options, cases[i].password);
        pass_ms(0);
        fake_store_open();
        fake_store_say(cases[i].replies);
        assert_null(fake_store.connection);
        assert_int_equal(failures(cases[i].label), 1);
        assert_int_equal(state(), STORE_REFUSED);
        assert_non_null(shared_error(story.counters));
        wait_for_try();
        end();
    }
}

static void a_key_of_another_type_is_no_reason_to_refuse_the_store(void **state_)
{
    (void)state_;
    begin();
    pass_ms(0);
    fake_store_open();
    fake_store_say("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    assert_int_equal(state(), STORE_IN_USE);
    end();
}

static void a_store_that_cannot_be_reached_is_tried_again(void **state_)
{
    (void)state_;
    begin();
    fake_store.refuse = true;
    pass_ms(0);
    assert_int_equal(failures(LABEL_SHARED_FAILURE_CONNECT), 1);
    assert_int_equal(state(), STORE_UNREACHABLE);
    for (unsigned i = 0; i < 20; i++) wait_for_try();
    uint64_t pause_ns = store_deadline_ns(story.store) - story.loop.now_ns;
    assert_in_range(pause_ns, BREAKER_MAX_NS / 4 * 3, BREAKER_MAX_NS);
    fake_store.refuse = false;
    wait_for_try();
    fake_store_open();
    fake_store_say("$-1\r\n");
    assert_int_equal(state(), STORE_IN_USE);
    assert_null(shared_error(story.counters));
    end();
}

static void a_connection_that_is_never_made_is_given_up(void **state_)
{
    (void)state_;
    begin();
    pass_ms(0);
    assert_int_equal(store_deadline_ns(story.store), story.loop.now_ns + PIPELINE_CONNECT_NS);
    pass_ms(1999);
    assert_non_null(fake_store.connection);
    pass_ms(1);
    assert_null(fake_store.connection);
    assert_int_equal(failures(LABEL_SHARED_FAILURE_CONNECT_TIMEOUT), 1);
    end();
}

static void a_greeting_that_is_not_answered_is_given_up(void **state_)
{
    (void)state_;
    begin();
    pass_ms(0);
    fake_store_open();
    assert_int_equal(store_deadline_ns(story.store), story.loop.now_ns + PIPELINE_CONNECT_NS);
    pass_ms(1999);
    assert_non_null(fake_store.connection);
    pass_ms(1);
    assert_null(fake_store.connection);
    assert_int_equal(failures(LABEL_SHARED_FAILURE_SLOW), 1);
    assert_int_equal(state(), STORE_LEFT_ALONE);
    end();
}

/* Of so many probes the last one is answered in time, or none. */
static void a_store_that_is_late_once_may_be_used_and_one_that_always_is_may_not(void **state_)
{
    (void)state_;
    for (unsigned late = 1; late <= PIPELINE_PROBES_MAX; late++) {
        begin();
        pass_ms(0);
        fake_store_open();
        for (unsigned i = 0; i < late; i++) {
            pass_ms(0);
            assert_sent("GET t:probe");
            pass_ms(6);
            assert_false(ask(0));
            fake_store_say("$-1\r\n");
        }
        if (late == PIPELINE_PROBES_MAX) {
            assert_null(fake_store.connection);
            assert_int_equal(state(), STORE_LEFT_ALONE);
        } else {
            pass_ms(5);
            fake_store_say("$-1\r\n");
            assert_true(ask(0));
        }
        end();
    }
}

/* ---- time-outs ---- */

/* Three questions, one after another, each without a reply for the time-out. */
static void time_out_thrice(void)
{
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(state(), STORE_IN_USE);
        assert_true(ask(i));
        assert_int_equal(store_deadline_ns(story.store), story.loop.now_ns + 5 * NS_PER_MS);
        pass_ms(5);
    }
}

static void three_questions_in_a_row_without_a_reply_end_the_use(void **state_)
{
    (void)state_;
    begin_in_use();
    time_out_thrice();
    assert_int_equal(state(), STORE_LEFT_ALONE);
    assert_null(fake_store.connection);
    for (unsigned i = 0; i < 3; i++) assert_over(i, STORE_FAILED);
    assert_int_equal(question(1)->lates, 1);
    assert_int_equal(question(2)->lates, 0); /* its owner goes on by the failure */
    assert_false(ask(3));
    end();
}

static void one_pause_of_the_store_is_one_time_out(void **state_)
{
    (void)state_;
    begin_in_use();
    for (unsigned i = 0; i < 4; i++) {
        assert_true(ask(i));
        pass_ms(1);
    }
    pass_ms(5);
    for (unsigned i = 0; i < 4; i++) assert_int_equal(question(i)->lates, 1);
    assert_int_equal(state(), STORE_IN_USE);
    end();
}

static void a_reply_in_time_forgives_time_outs(void **state_)
{
    (void)state_;
    begin_in_use();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2; i++) {
            assert_true(ask(0));
            pass_ms(6);
            fake_store_say("$-1\r\n"); /* late */
        }
        assert_int_equal(state(), STORE_IN_USE);
        assert_true(ask(2));
        pass_ms(1);
        fake_store_say("$-1\r\n"); /* in time */
    }
    end();
}

static void late_replies_forgive_nothing(void **state_)
{
    (void)state_;
    begin_in_use();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(state(), STORE_IN_USE);
        assert_true(ask(0));
        pass_ms(6);
        if (fake_store.connection) fake_store_say("$-1\r\n");
    }
    assert_int_equal(state(), STORE_LEFT_ALONE);
    end();
}

static void answers_that_are_slowly_written_are_no_time_outs(void **state_)
{
    (void)state_;
    static const uint8_t message[100];
    const struct question_key key = key_of(0);
    const struct entry entry = {100000, 160000, message, sizeof message};
    begin_in_use();
    for (unsigned i = 0; i < 5; i++) store_write(story.store, &key, &entry, 101500);
    pass_ms(6);
    assert_int_equal(state(), STORE_IN_USE);
    assert_int_equal(store_deadline_ns(story.store), CLOCK_NEVER);
    for (unsigned i = 0; i < 5; i++) fake_store_say("+OK\r\n");
    assert_int_equal(count(cell_shared_written(story.counters)), 5);
    end();
}

static void a_slow_store_comes_back_when_it_answers_in_time(void **state_)
{
    (void)state_;
    begin_in_use();
    time_out_thrice();
    uint64_t pause_ns = store_deadline_ns(story.store) - story.loop.now_ns;
    assert_in_range(pause_ns, BREAKER_SLOW_NS / 4 * 3, BREAKER_SLOW_NS);
    wait_for_try();
    fake_store_open();
    pass_ms(2000); /* not yet */
    assert_int_equal(state(), STORE_LEFT_ALONE);
    wait_for_try();
    fake_store_open();
    pass_ms(1);
    fake_store_say("$-1\r\n");
    assert_int_equal(state(), STORE_IN_USE);
    assert_true(ask(0));
    end();
}

static void our_own_delay_is_not_the_stores(void **state_)
{
    (void)state_;
    begin_in_use();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(state(), STORE_IN_USE);
        assert_true(ask(i));
        story.loop.own_delay_ns += 400 * NS_PER_MS;
        pass_ms(404);
        assert_int_equal(question(i)->lates, 0);
        pass_ms(1);
    }
    assert_int_equal(state(), STORE_LEFT_ALONE);
    end();
}

/* ---- the end of a connection ---- */

static void what_has_no_reply_when_a_connection_ends_is_told(void **state_)
{
    (void)state_;
    static const uint8_t message[100];
    const struct question_key key = key_of(0);
    const struct entry entry = {100000, 160000, message, sizeof message};
    begin_in_use();
    assert_true(ask(0));
    assert_true(ask_kind(1, true));
    store_write(story.store, &key, &entry, 101500);
    assert_true(ask(2));
    store_cancel(story.store, &story.questions[2].lookup);
    memset(&story.questions[2], 0, sizeof story.questions[2]);
    fake_store_end(CONNECTION_RESET);
    assert_over(0, STORE_FAILED);
    assert_over(1, STORE_FAILED);
    assert_int_equal(results(LABEL_SHARED_RESULT_FAILED), 2);
    assert_int_equal(count(cell_shared_dropped(story.counters, LABEL_SHARED_DROPPED_LOST)), 1);
    assert_int_equal(failures(LABEL_SHARED_FAILURE_RESET), 1);
    assert_int_equal(state(), STORE_UNREACHABLE);
    assert_int_equal(count(cell_shared_connections(story.counters)), 0);
    end();
}

static void a_connection_that_was_good_is_made_again_at_once(void **state_)
{
    (void)state_;
    begin_in_use();
    story.loop.now_ns += BREAKER_GOOD_NS;
    fake_store_end(CONNECTION_CLOSED);
    assert_in_range(store_deadline_ns(story.store) - story.loop.now_ns, 1, BREAKER_LOST_NS);
    wait_for_try();
    end();
}

static void a_connection_with_more_to_read_is_resumed_at_once(void **state_)
{
    (void)state_;
    begin_in_use();
    fake_store.has_more = true;
    assert_int_equal(store_deadline_ns(story.store), 0);
    pass_ms(0);
    assert_int_equal(fake_store.resumed, 1);
    assert_int_equal(store_deadline_ns(story.store), CLOCK_NEVER);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_used_once_it_has_answered_a_question_of_our_own),
        cmocka_unit_test(a_password_comes_first_with_the_user_if_there_is_one),
        cmocka_unit_test(a_store_that_refuses_us_is_named_and_left_alone),
        cmocka_unit_test(a_key_of_another_type_is_no_reason_to_refuse_the_store),
        cmocka_unit_test(a_store_that_cannot_be_reached_is_tried_again),
        cmocka_unit_test(a_connection_that_is_never_made_is_given_up),
        cmocka_unit_test(a_greeting_that_is_not_answered_is_given_up),
        cmocka_unit_test(a_store_that_is_late_once_may_be_used_and_one_that_always_is_may_not),
        cmocka_unit_test(three_questions_in_a_row_without_a_reply_end_the_use),
        cmocka_unit_test(one_pause_of_the_store_is_one_time_out),
        cmocka_unit_test(a_reply_in_time_forgives_time_outs),
        cmocka_unit_test(late_replies_forgive_nothing),
        cmocka_unit_test(answers_that_are_slowly_written_are_no_time_outs),
        cmocka_unit_test(a_slow_store_comes_back_when_it_answers_in_time),
        cmocka_unit_test(our_own_delay_is_not_the_stores),
        cmocka_unit_test(what_has_no_reply_when_a_connection_ends_is_told),
        cmocka_unit_test(a_connection_that_was_good_is_made_again_at_once),
        cmocka_unit_test(a_connection_with_more_to_read_is_resumed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
