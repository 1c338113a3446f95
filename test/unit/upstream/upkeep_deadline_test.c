/* When a pool wants to be called again because of its sessions. */
#include "pool_story.h"

static void a_session_is_looked_at_when_it_reaches_its_age(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = first_attempt(0);
    fake_answer(0, exchange, DNS_RCODE_NOERROR);
    struct session *session = world.sessions[0];
    uint64_t idle_ns = pool_deadline_ns(story.pool);
    session->max_age_ns = 100 * NS_PER_MS;
    assert_true(session->opened_ns + session->max_age_ns < idle_ns);
    assert_int_equal(pool_deadline_ns(story.pool), session->opened_ns + session->max_age_ns);
    end();
}

static void an_idle_session_of_no_use_is_looked_at_at_once(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = first_attempt(0);
    fake_answer(0, exchange, DNS_RCODE_NOERROR);
    assert_true(pool_deadline_ns(story.pool) > story.loop.now_ns);
    world.sessions[0]->doubted = true;
    assert_true(pool_deadline_ns(story.pool) <= story.loop.now_ns);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_looked_at_when_it_reaches_its_age),
        cmocka_unit_test(an_idle_session_of_no_use_is_looked_at_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
