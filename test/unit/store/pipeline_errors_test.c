/* A store that answers questions with errors: when that says something of the store, and when it does not. */
#include "store_story.h"

static void say_error(unsigned number, const char *error)
{
    assert_true(ask(number));
    fake_store_say(error);
    assert_over(number, STORE_FAILED);
}

/* Rights that were taken from the user, say: connections outlive that. */
static void three_questions_in_a_row_that_are_refused_end_the_use(void **state_)
{
    (void)state_;
    static const struct {
        const char *error;
        enum label_shared_failure label;
    } cases[] = {
        {"-NOPERM no\r\n", LABEL_SHARED_FAILURE_CREDENTIALS},
        {"-NOAUTH Authentication required.\r\n", LABEL_SHARED_FAILURE_CREDENTIALS},
        {"-LOADING Redis is loading the dataset in memory\r\n", LABEL_SHARED_FAILURE_REFUSED},
        {"-\r\n", LABEL_SHARED_FAILURE_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_in_use();
        assert_true(ask(0));
        assert_true(ask(1));
        assert_true(ask(2));
        assert_true(ask(3));
        fake_store_say(cases[i].error);
        fake_store_say(cases[i].error);
        assert_int_equal(state(), STORE_IN_USE);
        fake_store_say(cases[i].error);
        assert_int_equal(state(), STORE_REFUSED);
        assert_non_null(shared_error(story.counters));
        assert_null(fake_store.connection);
        assert_int_equal(failures(cases[i].label), 1);
        for (unsigned number = 0; number < 4; number++) assert_over(number, STORE_FAILED);
        assert_int_equal(results(LABEL_SHARED_RESULT_FAILED), 4);
        assert_false(ask(4));
        wait_for_try();
        fake_store_open();
        fake_store_say(cases[i].error); /* still */
        assert_int_equal(state(), STORE_REFUSED);
        wait_for_try();
        fake_store_open();
        fake_store_say("$-1\r\n");
        assert_int_equal(state(), STORE_IN_USE);
        say_error(0, cases[i].error); /* one again, not the fourth */
        assert_int_equal(state(), STORE_IN_USE);
        end();
    }
}

static void errors_that_say_nothing_of_the_store_are_borne(void **state_)
{
    (void)state_;
    begin_in_use();
    for (unsigned i = 0; i < 10; i++) {
        say_error(0, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        write_answer(0, DNS_HEADER_BYTES);
        fake_store_say("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    }
    for (unsigned i = 0; i < 5; i++) {
        say_error(0, "-NOPERM no\r\n");
        say_error(0, "-NOPERM no\r\n");
        assert_true(ask(1)); /* and now and then one is answered */
        fake_store_say("$-1\r\n");
    }
    assert_int_equal(state(), STORE_IN_USE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_questions_in_a_row_that_are_refused_end_the_use),
        cmocka_unit_test(errors_that_say_nothing_of_the_store_are_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
