/* Who comes first where sessions are full: stories told to the pool without sockets. */
#include "pool_story.h"

enum { PLACES = 8, KEPT = 2 };

/* One upstream, one session with PLACES places. */
static void begin_with_one_session(void)
{
    struct pool_options options = story_options(1);
    options.max_in_flight = PLACES;
    options.max_sessions = 1;
    options.hedge_percent = 0;
    begin_with(&options);
    attempt(ASKERS - 1);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, &story.askers[ASKERS - 1].exchange, 0);
}

static void ask_many(int first, int count)
{
    for (int i = 0; i < count; i++) attempt(first + i);
}

static struct exchange *ask_modestly(int i)
{
    return ask_as(i, true);
}

static bool is_asked(int i)
{
    return exchange_is_live(&story.askers[i].exchange);
}

static void a_quarter_of_the_slots_is_kept_for_light_clients(void **state)
{
    (void)state;
    begin_with_one_session();
    ask_many(0, 20);
    assert_int_equal(world.sessions[0]->in_flight, PLACES - KEPT);
    assert_true(exchange_is_live(ask_modestly(20)));
    assert_true(exchange_is_live(ask_modestly(21)));
    assert_false(exchange_is_live(ask_modestly(22)));
    assert_int_equal(world.sessions[0]->in_flight, PLACES);
    end();
}

static void light_clients_may_have_all_slots(void **state)
{
    (void)state;
    begin_with_one_session();
    for (int i = 0; i < PLACES; i++) assert_true(exchange_is_live(ask_modestly(i)));
    end();
}

static void a_session_with_a_single_slot_takes_any_question(void **state)
{
    (void)state;
    struct pool_options options = story_options(1);
    options.max_in_flight = 1;
    begin_with(&options);
    attempt(0);
    tick();
    fake_ready(0);
    tick();
    assert_true(is_asked(0));
    end();
}

static void in_line_light_clients_come_first(void **state)
{
    (void)state;
    begin_with_one_session();
    ask_many(0, PLACES - KEPT);
    ask_modestly(10);
    ask_modestly(11);
    attempt(12);
    ask_modestly(13);
    fake_answer(0, &story.askers[10].exchange, 0);
    tick();
    assert_true(is_asked(13));
    assert_false(is_asked(12));
    end();
}

static void each_line_is_served_in_its_order(void **state)
{
    (void)state;
    begin_with_one_session();
    ask_many(0, 20);
    for (int i = 0; i < 3; i++) fake_answer(0, &story.askers[i].exchange, 0);
    tick();
    for (int i = 3; i < 20; i++) assert_int_equal(is_asked(i), i < PLACES - KEPT + 3);
    end();
}

static void who_is_favoured_leaves_the_line(void **state)
{
    (void)state;
    begin_with_one_session();
    ask_many(0, 20);
    assert_false(is_asked(19));
    pool_promote(story.pool, &story.askers[19].exchange);
    assert_true(is_asked(19));
    pool_promote(story.pool, &story.askers[19].exchange); /* again, and asked already: nothing */
    pool_promote(story.pool, &story.askers[0].exchange);
    assert_int_equal(world.sessions[0]->in_flight, PLACES - KEPT + 1);
    end();
}

static void a_question_promoted_while_all_slots_are_taken_comes_first_in_line(void **state)
{
    (void)state;
    begin_with_one_session();
    ask_many(0, 20);
    ask_modestly(20);
    ask_modestly(21);
    pool_promote(story.pool, &story.askers[19].exchange);
    assert_false(is_asked(19));
    fake_answer(0, &story.askers[20].exchange, 0);
    tick();
    assert_true(is_asked(19));
    end();
}

/* The proof that upstream answers is worth a place, whoever takes the others. */
static void the_pools_own_probe_is_light(void **state)
{
    (void)state;
    begin_with_one_session();
    ask_many(0, 20);
    story.pool->is_prober = true;
    tick();
    assert_true(exchange_is_live(&story.pool->probe.exchange));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quarter_of_the_slots_is_kept_for_light_clients),
        cmocka_unit_test(light_clients_may_have_all_slots),
        cmocka_unit_test(a_session_with_a_single_slot_takes_any_question),
        cmocka_unit_test(in_line_light_clients_come_first),
        cmocka_unit_test(each_line_is_served_in_its_order),
        cmocka_unit_test(who_is_favoured_leaves_the_line),
        cmocka_unit_test(a_question_promoted_while_all_slots_are_taken_comes_first_in_line),
        cmocka_unit_test(the_pools_own_probe_is_light),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
