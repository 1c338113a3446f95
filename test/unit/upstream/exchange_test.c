/* The bounds and the end of one exchange. What its pool does with it is in dispatch_test and pool_test. */
#include "pool_story.h"

static struct exchange one;
static struct session first, second;

static struct {
    unsigned calls;
    enum exchange_result result;
} done;

static void note(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    assert_ptr_equal(exchange, &one);
    assert_int_equal(answer != NULL, result == EXCHANGE_ANSWERED);
    done.calls++;
    done.result = result;
}

static int setup(void **state)
{
    (void)state;
    memset(&one, 0, sizeof one);
    memset(&done, 0, sizeof done);
    first = second = (struct session){.state = SESSION_READY};
    one.on_done = note;
    exchange_begin(&one, 7);
    return 0;
}

/* An owner may submit the same memory again: nothing of the former question must be left. */
static void a_new_exchange_has_no_past(void **state)
{
    (void)state;
    one.attempts_made = EXCHANGE_ATTEMPTS_TOTAL;
    one.lost = one.deaths = 2;
    one.invalid = EXCHANGE_INVALID_MAX;
    one.slow = one.asked = true;
    one.waiting_ns = 1;
    one.tried = one.met_silence = 3;
    one.failed_at = 1;
    one.opinions.failed = true;
    exchange_begin(&one, 8);
    assert_int_equal(one.number, 8);
    assert_int_equal(one.attempts_made + one.lost + one.deaths + one.invalid, 0);
    assert_false(one.slow || one.asked || one.opinions.failed);
    assert_int_equal(one.waiting_ns, 0);
    assert_int_equal(one.tried | one.met_silence, 0);
    assert_int_equal(one.failed_at, 0);
    assert_false(exchange_is_live(&one) || exchange_is_waiting(&one));
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) assert_ptr_equal(one.attempts[i].exchange, &one);
    assert_int_equal(exchange_class(&one), EXCHANGE_CLEAN);
    assert_true(exchange_may_try(&one));
}

static void attempts_are_bounded(void **state)
{
    (void)state;
    one.attempts_made = EXCHANGE_ATTEMPTS_TOTAL - 1;
    assert_true(exchange_may_try(&one));
    one.attempts_made = EXCHANGE_ATTEMPTS_TOTAL;
    assert_false(exchange_may_try(&one));
}

static void invalid_responses_are_bounded(void **state)
{
    (void)state;
    one.invalid = EXCHANGE_INVALID_MAX - 1;
    assert_true(exchange_may_try(&one));
    one.invalid = EXCHANGE_INVALID_MAX;
    assert_false(exchange_may_try(&one));
}

/* Only with two in flight: with fewer, none would be abandoned. */
static void attempts_are_kept_for_failures(void **state)
{
    (void)state;
    one.attempts_made = EXCHANGE_HASTE_MAX;
    assert_false(exchange_is_spent(&one));
    one.attempts[0].session = &first;
    assert_false(exchange_is_spent(&one));
    one.attempts[1].session = &second;
    assert_true(exchange_is_spent(&one));
    one.attempts_made = EXCHANGE_HASTE_MAX - 1;
    assert_false(exchange_is_spent(&one));
    one.attempts[0].session = one.attempts[1].session = NULL;
}

/* Sessions on which it is in flight may end, too, and count. */
static void lost_sessions_are_bounded_with_those_in_use(void **state)
{
    (void)state;
    one.lost = EXCHANGE_SESSIONS_MAX - 1;
    assert_true(exchange_may_try(&one));
    one.attempts[0].session = &first;
    assert_int_equal(exchange_in_flight(&one), 1);
    assert_false(exchange_may_try(&one));
    one.lost = EXCHANGE_SESSIONS_MAX - 2;
    assert_true(exchange_may_try(&one));
    one.attempts[1].session = &second;
    assert_int_equal(exchange_in_flight(&one), 2);
    assert_false(exchange_may_try(&one));
    one.attempts[0].session = one.attempts[1].session = NULL;
    one.lost = EXCHANGE_SESSIONS_MAX;
    assert_false(exchange_may_try(&one));
}

static void its_class_follows_from_what_it_met(void **state)
{
    (void)state;
    one.deaths = one.lost = 1;
    assert_int_equal(exchange_class(&one), EXCHANGE_SUSPECT);
    one.deaths = 0;
    assert_int_equal(exchange_class(&one), EXCHANGE_CLEAN); /* it cannot have caused the loss */
    one.lost = EXCHANGE_ALONE;
    assert_int_equal(exchange_class(&one), EXCHANGE_SOLITARY);
    one.lost = 0;
    one.slow = true;
    assert_int_equal(exchange_class(&one), EXCHANGE_SOLITARY);
}

static void an_answer_is_expected_of_sessions_that_are_not_silent(void **state)
{
    (void)state;
    assert_false(exchange_may_be_answered(&one));
    one.attempts[1].session = &second;
    assert_true(exchange_may_be_answered(&one));
    second.doubted = true;
    assert_false(exchange_may_be_answered(&one));
    one.attempts[0].session = &first;
    assert_true(exchange_may_be_answered(&one));
    one.attempts[0].session = one.attempts[1].session = NULL;
}

static void failures_that_upstreams_admit_are_the_result_of_any_other(void **state)
{
    (void)state;
    one.opinions.failed = true;
    exchange_finish(&one, EXCHANGE_UNREACHABLE, NULL);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.result, EXCHANGE_FAILED);
    struct answer answer = {.size = 0};
    exchange_begin(&one, 8);
    one.opinions.failed = true;
    struct timeouts deadlines;
    timeouts_init(&deadlines, NS_PER_S);
    timeouts_start(&deadlines, &one.deadline, 0);
    exchange_finish(&one, EXCHANGE_ANSWERED, &answer);
    assert_int_equal(done.result, EXCHANGE_ANSWERED);
}

static void a_cancelled_exchange_is_not_reported(void **state)
{
    (void)state;
    exchange_cancel(&one);
    assert_int_equal(done.calls, 0);
}

static void each_result_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < EXCHANGE_RESULTS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(exchange_result_text((enum exchange_result)i),
                                    exchange_result_text((enum exchange_result)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_exchange_has_no_past, setup),
        cmocka_unit_test_setup(attempts_are_bounded, setup),
        cmocka_unit_test_setup(attempts_are_kept_for_failures, setup),
        cmocka_unit_test_setup(invalid_responses_are_bounded, setup),
        cmocka_unit_test_setup(lost_sessions_are_bounded_with_those_in_use, setup),
        cmocka_unit_test_setup(its_class_follows_from_what_it_met, setup),
        cmocka_unit_test_setup(an_answer_is_expected_of_sessions_that_are_not_silent, setup),
        cmocka_unit_test_setup(failures_that_upstreams_admit_are_the_result_of_any_other, setup),
        cmocka_unit_test_setup(a_cancelled_exchange_is_not_reported, setup),
        cmocka_unit_test_setup(each_result_has_a_text_of_its_own, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
