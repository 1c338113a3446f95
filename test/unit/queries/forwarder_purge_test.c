/* A question that was asked before its name was purged is for those alone who wait for it. */
#include "forwarder_story.h"

/* Whether the name is answered without upstream, which fails otherwise. */
static bool is_kept(const char *name)
{
    unsigned asked = fake_pool.count;
    attempt(7, name);
    bool kept = fake_pool.count == asked;
    if (!kept) fake_fail(asked, EXCHANGE_TIMED_OUT);
    return kept;
}

/* The purger notes the name first and removes it then. */
static void what_was_asked_for_before_its_name_was_purged_is_not_kept(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1a\4test";
    for (unsigned all = 0; all < 2; all++) {
        begin();
        attempt(0, "a.test");
        attempt(2, "b.test");
        purges_note(&story.purges, all ? NULL : name, sizeof name, 1);
        fake_answer(0, 300, 1);
        fake_answer(1, 300, 2);
        assert_int_equal(reply_number(0), 1); /* who waited for it gets it */
        assert_false(is_kept("a.test"));
        assert_int_equal(is_kept("b.test"), !all);
        attempt(3, "c.test");
        fake_answer(fake_pool.count - 1, 300, 3);
        assert_true(is_kept("c.test"));
        end();
    }
}

static void who_asks_after_the_purge_does_not_wait_for_an_answer_from_before(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1a\4test";
    for (unsigned way = 0; way < 4; way++) { /* what is purged, and which question is answered first */
        bool all = way % 2, is_older_first = way / 2;
        begin();
        attempt(0, "a.test");
        attempt(1, "b.test");
        purges_note(&story.purges, all ? NULL : name, sizeof name, 1);
        attempt(2, "a.test");
        attempt(3, "a.test");
        attempt(4, "b.test");
        assert_int_equal(fake_pool.count, all ? 4 : 3);
        assert_int_equal(count(&story.counters->in_flight[0][0]), fake_pool.count);
        fake_answer(is_older_first ? 0 : 2, 300, is_older_first ? 1 : 7);
        fake_answer(is_older_first ? 2 : 0, 300, is_older_first ? 7 : 1);
        assert_int_equal(reply_number(0), 1);
        for (uint32_t client = 2; client < 4; client++) assert_int_equal(reply_number(client), 7);
        attempt(5, "a.test"); /* whichever came last */
        assert_int_equal(reply_number(5), 7);
        for (unsigned n = 0; n < fake_pool.count; n++)
            if (fake_pool.asked[n]) fake_answer(n, 300, 2);
        assert_int_equal(count(&story.counters->in_flight[0][0]), 0);
        end();
    }
}

static void a_failure_of_a_question_from_before_the_purge_is_not_kept(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1a\4test";
    begin();
    attempt(0, "a.test");
    purges_note(&story.purges, name, sizeof name, 1);
    attempt(1, "a.test");
    fake_answer(1, 300, 7);
    fake_fail(0, EXCHANGE_TIMED_OUT);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 7);
    end();
}

static void questions_from_before_the_purge_are_forgotten_with_the_forwarder(void **state)
{
    (void)state;
    begin();
    attempt(0, "a.test");
    purges_note(&story.purges, NULL, 0, 1);
    attempt(1, "a.test");
    assert_int_equal(fake_pool.count, 2);
    end(); /* it finds none that is still asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_for_before_its_name_was_purged_is_not_kept),
        cmocka_unit_test(who_asks_after_the_purge_does_not_wait_for_an_answer_from_before),
        cmocka_unit_test(a_failure_of_a_question_from_before_the_purge_is_not_kept),
        cmocka_unit_test(questions_from_before_the_purge_are_forgotten_with_the_forwarder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
