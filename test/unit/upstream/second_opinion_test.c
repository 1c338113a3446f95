/* Failures of an upstream: who else is asked, and what the question's result is. Stories told to the pool without
 * sockets. */
#include "pool_story.h"

/* Two upstreams, each of a name of its own; the question is in flight at the first. */
static struct exchange *ask_the_first_of_two_names(void)
{
    struct pool_options options = story_options(2);
    strcpy(options.upstreams[1].name, "other.example");
    begin_with(&options);
    struct exchange *exchange = first_attempt(0);
    return exchange;
}

static void a_failure_is_asked_of_an_upstream_of_another_name(void **state)
{
    (void)state;
    static const uint16_t rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED, DNS_RCODE_NOTIMP, DNS_RCODE_NOTAUTH};
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        struct exchange *exchange = ask_the_first_of_two_names();
        fake_answer(0, exchange, rcodes[i]);
        assert_int_equal(story.askers[0].done, 0);
        tick();
        assert_int_equal(world.opened, 2);
        fake_ready(1);
        tick();
        fake_answer(1, exchange, DNS_RCODE_NOERROR);
        assert_answered(0);
        assert_int_equal(story.askers[0].rcode, DNS_RCODE_NOERROR);
        end();
    }
}

static void where_nobody_has_an_answer_the_question_has_failed(void **state)
{
    (void)state;
    struct exchange *exchange = ask_the_first_of_two_names();
    fake_answer(0, exchange, DNS_RCODE_REFUSED);
    tick();
    fake_ready(1);
    tick();
    fake_answer(1, exchange, DNS_RCODE_SERVFAIL);
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAILED);
    end();
}

static void a_failure_stands_where_the_other_is_out_of_reach(void **state)
{
    (void)state;
    struct exchange *exchange = ask_the_first_of_two_names();
    world.refuse[1] = true;
    fake_answer(0, exchange, DNS_RCODE_REFUSED);
    pass_ms(4501);
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAILED);
    end();
}

static void siblings_of_one_name_are_not_asked(void **state)
{
    (void)state;
    begin(2);
    struct exchange *exchange = first_attempt(0);
    fake_answer(0, exchange, DNS_RCODE_SERVFAIL);
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAILED);
    end();
}

static void formerr_is_asked_again_without_opt_and_remembered(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = first_attempt(0);
    assert_false(fake_attempt(0, exchange)->plain);
    fake_answer(0, exchange, DNS_RCODE_FORMERR);
    tick();
    assert_true(fake_attempt(0, exchange)->plain);
    fake_answer(0, exchange, DNS_RCODE_NOERROR);
    assert_answered(0);
    exchange = attempt(1);
    tick();
    assert_true(fake_attempt(0, exchange)->plain);
    fake_answer(0, exchange, DNS_RCODE_NOERROR);
    assert_answered(1);
    end();
}

static void formerr_without_opt_too_is_a_failure(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = first_attempt(0);
    fake_answer(0, exchange, DNS_RCODE_FORMERR);
    tick();
    fake_answer(0, exchange, DNS_RCODE_FORMERR);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAILED);
    exchange = attempt(1);
    tick();
    assert_false(fake_attempt(0, exchange)->plain);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_asked_of_an_upstream_of_another_name),
        cmocka_unit_test(where_nobody_has_an_answer_the_question_has_failed),
        cmocka_unit_test(a_failure_stands_where_the_other_is_out_of_reach),
        cmocka_unit_test(siblings_of_one_name_are_not_asked),
        cmocka_unit_test(formerr_is_asked_again_without_opt_and_remembered),
        cmocka_unit_test(formerr_without_opt_too_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
