/* Questions to the store and answers for it: what is sent, what comes of it, and what is counted. */
#include "store_story.h"

static void assert_sent_get(unsigned number)
{
    char words[80];
    sprintf(words, "GET t:%s", digits_of(number));
    assert_sent(words);
}

/* ---- questions ---- */

static void an_entry_answers_a_question(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    pass_ms(0);
    assert_sent_get(0);
    say_entry(0, 77);
    assert_over(0, STORE_HIT);
    assert_int_equal(question(0)->stored_ms, 77);
    assert_int_equal(results(LABEL_SHARED_RESULT_HIT), 1);
    assert_int_equal(count(cell_shared_asked(story.counters)), 1);
    end();
}

static void questions_of_one_turn_leave_together_and_are_answered_in_order(void **state)
{
    (void)state;
    begin_in_use();
    for (unsigned i = 0; i < 3; i++) assert_true(ask(i));
    assert_sent(NULL); /* with the end of the turn */
    pass_ms(0);
    for (unsigned i = 0; i < 3; i++) assert_sent_get(i);
    say_entry(0, 1);
    fake_store_say("$-1\r\n");
    say_entry(2, 3);
    assert_over(0, STORE_HIT);
    assert_over(1, STORE_MISS);
    assert_over(2, STORE_HIT);
    assert_int_equal(question(2)->stored_ms, 3);
    end();
}

static void what_is_no_entry_of_the_question_is_a_miss_and_counted(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum label_shared_result result;
        enum store_outcome outcome;
    } cases[] = {
        {"$-1\r\n", LABEL_SHARED_RESULT_MISS, STORE_MISS},
        {"$0\r\n\r\n", LABEL_SHARED_RESULT_MISS, STORE_MISS}, /* withdrawn a millisecond ago */
        {"$5\r\nhello\r\n", LABEL_SHARED_RESULT_REJECTED, STORE_MISS},
        {"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", LABEL_SHARED_RESULT_FAILED,
         STORE_FAILED},
        {"-NOPERM no\r\n", LABEL_SHARED_RESULT_FAILED, STORE_FAILED},
    };
    begin_in_use();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = results(cases[i].result);
        assert_true(ask(0));
        pass_ms(0);
        assert_sent_get(0);
        fake_store_say(cases[i].reply);
        assert_over(0, cases[i].outcome);
        assert_int_equal(question(0)->entries, 0);
        assert_int_equal(results(cases[i].result), before + 1);
    }
    assert_int_equal(count(cell_shared_rejected(story.counters, LABEL_SHARED_REJECTED_FORMAT)), 1);
    assert_non_null(fake_store.connection);
    end();
}

static void the_entry_of_another_question_is_forged(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    say_entry(1, 5);
    assert_over(0, STORE_MISS);
    assert_int_equal(question(0)->entries, 0);
    assert_int_equal(results(LABEL_SHARED_RESULT_FORGED), 1);
    end();
}

static void an_entry_that_its_owner_rejects_is_a_miss(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    story.questions[0].use = STORE_REJECTED;
    say_entry(0, 5);
    assert_over(0, STORE_MISS);
    assert_int_equal(question(0)->entries, 1);
    assert_int_equal(results(LABEL_SHARED_RESULT_REJECTED), 1);
    end();
}

/* ---- late ---- */

static void a_question_is_late_once_and_an_answer_still_counts(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    assert_int_equal(store_deadline_ns(story.store), story.loop.now_ns + 5 * NS_PER_MS);
    pass_ms(4);
    assert_int_equal(question(0)->lates, 0);
    pass_ms(1);
    assert_int_equal(question(0)->lates, 1);
    assert_int_equal(count(cell_shared_late(story.counters)), 1);
    pass_ms(1);
    assert_int_equal(question(0)->lates, 1);
    say_entry(0, 5);
    assert_over(0, STORE_HIT);
    end();
}

static void where_upstream_is_first_the_reply_concerns_nobody(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    assert_true(ask(1));
    pass_ms(5);
    store_cancel(story.store, &story.questions[0].lookup);
    assert_int_equal(results(LABEL_SHARED_RESULT_OVERTAKEN), 1);
    memset(&story.questions[0].lookup, 0xa5, sizeof story.questions[0].lookup);
    say_entry(0, 5);
    say_entry(1, 6);
    assert_int_equal(question(0)->entries + question(0)->dones, 0);
    assert_over(1, STORE_HIT);
    assert_int_equal(question(1)->stored_ms, 6);
    memset(&story.questions[0], 0, sizeof story.questions[0]);
    end();
}

/* The store usually takes 1 ms: after 2 (the least) it is late, not after 5. */
static void the_wait_follows_what_the_store_usually_takes(void **state)
{
    (void)state;
    begin_in_use();
    for (unsigned i = 0; i < 30; i++) {
        assert_true(ask(0));
        pass_ms(1);
        fake_store_say("$-1\r\n");
    }
    assert_true(ask(0));
    pass_ms(1);
    assert_int_equal(question(0)->lates, 0);
    pass_ms(1);
    assert_int_equal(question(0)->lates, 1);
    end();
}

static void a_delay_of_our_own_makes_nobody_late(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    story.loop.own_delay_ns += 400 * NS_PER_MS; /* a turn took so long */
    pass_ms(401);
    assert_int_equal(question(0)->lates, 0);
    assert_int_equal(store_deadline_ns(story.store), story.loop.now_ns + 4 * NS_PER_MS);
    end();
}

/* A reload is about to change where owners ask. */
static void who_waits_can_be_told_at_once_that_the_store_is_late(void **state)
{
    (void)state;
    begin_in_use();
    store_hurry(story.store);
    assert_true(ask(0));
    assert_true(ask_kind(1, true));
    store_hurry(story.store);
    for (unsigned i = 0; i < 2; i++) assert_int_equal(question(i)->lates, 1);
    store_hurry(story.store);
    pass_ms(5);
    for (unsigned i = 0; i < 2; i++) assert_int_equal(question(i)->lates, 1); /* and not again */
    assert_int_equal(count(cell_shared_late(story.counters)), 2);
    say_entry(0, 5); /* it still counts */
    assert_over(0, STORE_HIT);
    end();
}

/* ---- refreshes ---- */

static void assert_sent_claim(unsigned number)
{
    char words[120];
    assert_sent_get(number);
    sprintf(words, "SET t:r%s 1 NX PX 2000", digits_of(number));
    assert_sent(words);
}

static void who_gets_the_claim_asks_upstream(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask_kind(0, true));
    pass_ms(0);
    assert_sent_claim(0);
    fake_store_say("$-1\r\n");
    assert_int_equal(question(0)->dones, 0);
    fake_store_say("+OK\r\n");
    assert_over(0, STORE_CLAIMED);
    end();
}

static void another_instance_has_the_claim(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask_kind(0, true));
    story.questions[0].use = STORE_OLD;
    say_entry(0, 5);
    fake_store_say("$-1\r\n");
    assert_over(0, STORE_LEFT);
    assert_int_equal(results(LABEL_SHARED_RESULT_MISS), 1);
    end();
}

static void a_newer_entry_ends_a_refresh_and_the_claim_concerns_nobody(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask_kind(0, true));
    say_entry(0, 5);
    assert_over(0, STORE_HIT);
    assert_true(ask(1));
    fake_store_say("+OK\r\n");
    say_entry(1, 6);
    assert_over(1, STORE_HIT);
    end();
}

static void a_claim_that_fails_keeps_nobody_from_asking(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask_kind(0, true));
    fake_store_say("$-1\r\n-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_over(0, STORE_FAILED);
    end();
}

/* ---- replies that cannot be ---- */

static void a_reply_that_no_such_command_has_ends_the_connection(void **state)
{
    (void)state;
    static const struct {
        unsigned command; /* 0: GET, 1: a claim, 2: an answer */
        const char *reply;
    } cases[] = {{0, "+OK\r\n"}, {1, "$3\r\nabc\r\n"}, {2, "$-1\r\n"}, {2, "$3\r\nabc\r\n"},
                 {0, ":1\r\n"},  {0, "*0\r\n"},        {3, "+OK\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_in_use();
        if (cases[i].command == 0) assert_true(ask(0));
        if (cases[i].command == 1) {
            assert_true(ask_kind(0, true));
            fake_store_say("$-1\r\n");
        }
        if (cases[i].command == 2) write_answer(0, 100);
        fake_store_say(cases[i].reply);
        assert_null(fake_store.connection);
        assert_int_equal(count(cell_shared_failures(story.counters, LABEL_SHARED_FAILURE_PROTOCOL)), 1);
        if (cases[i].command < 2) assert_over(0, STORE_FAILED);
        end();
    }
}

/* ---- settings ---- */

static void without_settings_there_is_no_shared_cache(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    store_set_setup(story.store, NULL);
    assert_over(0, STORE_FAILED);
    assert_null(fake_store.connection);
    assert_false(ask(1));
    write_answer(1, 100);
    store_withdraw(story.store, &(struct question_key){.size = 4});
    assert_int_equal(count(cell_shared_skipped(story.counters, LABEL_SHARED_SKIPPED_UNAVAILABLE)), 0);
    assert_int_equal(dropped(LABEL_SHARED_DROPPED_UNAVAILABLE), 0);
    assert_int_equal(store_deadline_ns(story.store), CLOCK_NEVER);
    pass_ms(1000);
    assert_int_equal(fake_store.opened, 1);
    assert_null(store_setup(story.store));
    end();
}

static void other_settings_of_the_same_store_keep_the_connection(void **state)
{
    (void)state;
    begin_in_use();
    assert_true(ask(0));
    struct store_options options = usual_options();
    options.timeout_ns = 50 * NS_PER_MS;
    struct store_setup *setup = make_setup(&options, "");
    store_set_setup(story.store, setup);
    store_setup_free(setup);
    pass_ms(20);
    assert_int_equal(question(0)->lates, 0);
    say_entry(0, 5);
    assert_over(0, STORE_HIT);
    options.prefix[0] = 'u';
    setup = make_setup(&options, "");
    store_set_setup(story.store, setup);
    store_setup_free(setup);
    assert_null(fake_store.connection);
    pass_ms(0);
    assert_int_equal(fake_store.opened, 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_answers_a_question),
        cmocka_unit_test(questions_of_one_turn_leave_together_and_are_answered_in_order),
        cmocka_unit_test(what_is_no_entry_of_the_question_is_a_miss_and_counted),
        cmocka_unit_test(the_entry_of_another_question_is_forged),
        cmocka_unit_test(an_entry_that_its_owner_rejects_is_a_miss),
        cmocka_unit_test(a_question_is_late_once_and_an_answer_still_counts),
        cmocka_unit_test(where_upstream_is_first_the_reply_concerns_nobody),
        cmocka_unit_test(the_wait_follows_what_the_store_usually_takes),
        cmocka_unit_test(a_delay_of_our_own_makes_nobody_late),
        cmocka_unit_test(who_waits_can_be_told_at_once_that_the_store_is_late),
        cmocka_unit_test(who_gets_the_claim_asks_upstream),
        cmocka_unit_test(another_instance_has_the_claim),
        cmocka_unit_test(a_newer_entry_ends_a_refresh_and_the_claim_concerns_nobody),
        cmocka_unit_test(a_claim_that_fails_keeps_nobody_from_asking),
        cmocka_unit_test(a_reply_that_no_such_command_has_ends_the_connection),
        cmocka_unit_test(without_settings_there_is_no_shared_cache),
        cmocka_unit_test(other_settings_of_the_same_store_keep_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
