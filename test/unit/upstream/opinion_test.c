/* SERVFAIL and REFUSED: whether somebody else is asked, and whose answer stands. Stories told to the pool without
 * sockets. */
#include "pool_story.h"

/* Two upstreams, each of a name of its own; the question is on its way to the first. */
static struct exchange *ask_the_first_of_two_names(void)
{
    struct pool_options options = options_for(2);
    strcpy(options.upstreams[1].name, "other.example");
    begin_with(&options);
    struct exchange *exchange = attempt(0);
    tick();
    fake_ready(0);
    tick();
    return exchange;
}

static void servfail_is_asked_of_an_upstream_of_another_name(void **state)
{
    (void)state;
    struct exchange *exchange = ask_the_first_of_two_names();
    fake_answer(0, exchange, DNS_RCODE_SERVFAIL);
    assert_int_equal(story.askers[0].done, 0);
    tick();
    fake_end(1, CAUSE_CONNECT_REFUSED); /* the first of the list is tried first; it has nothing to say here */
    pass_ms(50);
    assert_int_equal(story.askers[0].done, 0);
    end();
}

static void where_nobody_has_a_better_answer_the_first_stands(void **state)
{
    (void)state;
    struct exchange *exchange = ask_the_first_of_two_names();
    world.refuse[1] = true;
    fake_answer(0, exchange, DNS_RCODE_REFUSED);
    pass_ms(4501);
    assert_answered(0);
    assert_int_equal(story.askers[0].rcode, DNS_RCODE_REFUSED);
    end();
}

static void siblings_of_one_name_are_not_asked_for_a_second_opinion(void **state)
{
    (void)state;
    begin(2);
    struct exchange *exchange = attempt(0);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, exchange, DNS_RCODE_SERVFAIL);
    assert_answered(0);
    assert_int_equal(story.askers[0].rcode, DNS_RCODE_SERVFAIL);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servfail_is_asked_of_an_upstream_of_another_name),
        cmocka_unit_test(where_nobody_has_a_better_answer_the_first_stands),
        cmocka_unit_test(siblings_of_one_name_are_not_asked_for_a_second_opinion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
