/* The top names are fetched anew before they end, with nobody asking, and no more often than is allowed. */
#include "queries/prefetch.h"

#include <stdio.h>

#include "forwarder_story.h"

enum { TTL_S = 300, COST = 100, CREDIT_MAX = 50 * COST }; /* credit is in hundredths of a refresh */

static struct prefetch prefetch;

static void begin_top(uint32_t top)
{
    struct story_options options = usual_story();
    options.topnames.top = top;
    options.topnames.half_life_ns = 3600 * NS_PER_S;
    options.cache.stale_ns = 0;
    begin_with(&options);
    prefetch_init(&prefetch, &story.forwarder, 0, 1);
}

/* The name of that number. */
static const char *name_of(unsigned number, char text[static 16])
{
    snprintf(text, 16, "n%u.test", number);
    return text;
}

/* Names 0 to count-1 come to be of the top, and each was asked since its answer. */
static void make_top(unsigned names, uint32_t ttl)
{
    char text[16];
    for (unsigned i = 0; i < names; i++) {
        attempt(0, name_of(i, text));
        fake_answer(fake_pool.count - 1, ttl, 1);
        for (int again = 0; again < 3; again++) attempt(0, text);
    }
    assert_int_equal(fake_pool.count, names);
}

/* Answers what is in flight; returns how much that was. */
static unsigned answer_all(uint32_t ttl, uint8_t number)
{
    unsigned answered = 0;
    for (unsigned i = 0; i < fake_pool.count; i++) {
        if (!fake_pool.asked[i]) continue;
        assert_true(fake_pool.asked[i]->background);
        fake_answer(i, ttl, number);
        answered++;
    }
    return answered;
}

/* Lets time pass as a worker's loop does, and has every refresh answered; returns how many there were. */
static unsigned pass_answering(uint64_t ns, uint32_t ttl)
{
    uint64_t end_ns = story.loop.now_ns + ns;
    unsigned refreshes = 0;
    while (story.loop.now_ns < end_ns) {
        uint64_t next_ns = prefetch_deadline_ns(&prefetch);
        if (next_ns <= story.loop.now_ns) next_ns = story.loop.now_ns + NS_PER_MS;
        story.loop.now_ns = next_ns < end_ns ? next_ns : end_ns;
        prefetch_tick(&prefetch, story.loop.now_ns);
        refreshes += answer_all(ttl, 2);
    }
    return refreshes;
}

static uint64_t over_share(void)
{
    return counter_read(&story.counters->prefetch[LABEL_PREFETCH_OVER_SHARE][0]);
}

/* ---- when ---- */

static void a_top_name_is_refreshed_shortly_before_it_expires(void **state)
{
    (void)state;
    begin_top(50);
    make_top(1, TTL_S);
    assert_int_equal(pass_answering(260 * NS_PER_S, TTL_S), 0);
    assert_int_equal(pass_answering(10 * NS_PER_S, TTL_S), 1);
    assert_int_equal(count(&story.counters->prefetch[LABEL_PREFETCH_REFRESHED][0]), 1);
    attempt(1, "n0.test");
    assert_int_equal(reply_number(1), 2);
    end();
}

/* The first of them asked for a name of which nothing was known. */
static void a_name_that_several_wait_for_is_a_top_name_when_its_answer_comes(void **state)
{
    (void)state;
    begin_top(50);
    for (uint32_t client = 0; client < 3; client++) attempt(client, "n0.test");
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, TTL_S, 1);
    assert_int_equal(pass_answering(270 * NS_PER_S, TTL_S), 1);
    end();
}

static void a_refresh_is_made_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    begin_top(50);
    make_top(1, TTL_S);
    prefetch_tick(&prefetch, story.loop.now_ns);
    story.loop.now_ns += (TTL_S - 1) * NS_PER_S; /* the name has long been due */
    uint64_t deadline_ns = prefetch_deadline_ns(&prefetch);
    prefetch_tick(&prefetch, deadline_ns - 1);
    assert_int_equal(answer_all(TTL_S, 2), 0);
    prefetch_tick(&prefetch, deadline_ns);
    assert_int_equal(prefetch_deadline_ns(&prefetch) > deadline_ns, true);
    end();
}

static void it_goes_on_with_nobody_asking(void **state)
{
    (void)state;
    begin_top(50);
    make_top(1, 3);
    unsigned refreshes = pass_answering(60 * NS_PER_S, 3);
    assert_in_range(refreshes, 60 / 3, 60 * 10 / 17 + 1); /* each 1 to 1.3 s before the end of 3 s */
    attempt(1, "n0.test");
    assert_int_equal(replies(1), 1); /* at whatever moment */
    end();
}

static void a_name_asked_once_is_not(void **state)
{
    (void)state;
    char text[16];
    begin_top(50);
    for (unsigned i = 0; i < 100; i++) {
        attempt(0, name_of(i, text));
        fake_answer(i, 3, 1);
    }
    assert_int_equal(pass_answering(10 * NS_PER_S, 3), 0);
    end();
}

static void without_names_it_looks_once_a_second(void **state)
{
    (void)state;
    begin_top(50);
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_int_equal(prefetch_deadline_ns(&prefetch), story.loop.now_ns + NS_PER_S);
    end();
}

static void many_that_are_due_at_once_are_all_asked(void **state)
{
    (void)state;
    begin_top(60);
    make_top(60, TTL_S);
    story.loop.now_ns += (TTL_S - 1) * NS_PER_S;
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_int_equal(answer_all(TTL_S, 2), 60);
    end();
}

static void a_failure_is_tried_again_after_a_second(void **state)
{
    (void)state;
    begin_top(50);
    make_top(1, TTL_S);
    story.loop.now_ns += (TTL_S - 1) * NS_PER_S;
    prefetch_tick(&prefetch, story.loop.now_ns);
    fake_fail(1, EXCHANGE_TIMED_OUT);
    assert_int_equal(count(&story.counters->prefetch[LABEL_PREFETCH_FAILED][0]), 1);
    assert_int_equal(pass_answering(990 * NS_PER_MS, TTL_S), 0);
    assert_int_equal(pass_answering(20 * NS_PER_MS, TTL_S), 1);
    end();
}

static void what_is_asked_for_already_is_left_alone(void **state)
{
    (void)state;
    begin_top(50);
    make_top(1, TTL_S);
    pass_answering(280 * NS_PER_S, TTL_S); /* nobody asked since: from now on on speculation */
    story.loop.now_ns += (TTL_S - 1) * NS_PER_S;
    prefetch_tick(&prefetch, story.loop.now_ns);
    unsigned asked = fake_pool.count;
    story.loop.now_ns += NS_PER_S; /* upstream is slow, and the name due again */
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_int_equal(fake_pool.count, asked);
    assert_int_equal(prefetch.credit, CREDIT_MAX); /* a second earns more than one refresh costs */
    answer_all(TTL_S, 2);
    end();
}

static void names_of_another_worker_are_its_own(void **state)
{
    (void)state;
    struct prefetch other;
    begin_top(1000); /* of several stripes */
    prefetch_init(&prefetch, &story.forwarder, 0, 2);
    prefetch_init(&other, &story.forwarder, 1, 2);
    make_top(200, TTL_S);
    story.loop.now_ns += (TTL_S - 1) * NS_PER_S;
    prefetch_tick(&prefetch, story.loop.now_ns);
    unsigned own = answer_all(TTL_S, 2);
    prefetch_tick(&other, story.loop.now_ns);
    unsigned others = answer_all(TTL_S, 2);
    assert_true(own > 0 && others > 0);
    assert_int_equal(own + others, 200);
    end();
}

/* ---- what must not be refreshed ---- */

static void what_cannot_be_kept_any_more_is_not_refreshed(void **state)
{
    (void)state;
    begin_top(50);
    make_top(1, 3);
    assert_int_equal(pass_answering(3 * NS_PER_S, 0), 1);
    assert_int_equal(pass_answering(10 * NS_PER_S, 0), 0);
    end();
}

static void without_a_cache_nothing_is_refreshed(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.topnames.top = 50;
    options.cache.max_bytes = 0;
    begin_with(&options);
    prefetch_init(&prefetch, &story.forwarder, 0, 1);
    for (unsigned i = 0; i < 5; i++) {
        attempt(0, "a.test");
        fake_answer(i, 3, 1);
    }
    assert_int_equal(pass_answering(10 * NS_PER_S, 3), 0);
    end();
}

/* ---- how many ---- */

static void one_that_clients_asked_for_costs_nothing(void **state)
{
    (void)state;
    char text[16];
    begin_top(60);
    make_top(60, 3);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(pass_answering(2 * NS_PER_S, 3), 60);
        for (unsigned i = 0; i < 60; i++) attempt(0, name_of(i, text));
    }
    assert_int_equal(over_share(), 0);
    end();
}

static void on_speculation_there_are_ten_a_second(void **state)
{
    (void)state;
    begin_top(60);
    make_top(60, 3);
    assert_int_equal(pass_answering(2 * NS_PER_S, 3), 60); /* the clients' */
    prefetch.credit = 0;
    unsigned refreshes = pass_answering(20 * NS_PER_S, 3);
    assert_in_range(refreshes, 19 * PREFETCH_FLOOR_PER_S, 21 * PREFETCH_FLOOR_PER_S);
    assert_true(over_share() > 0);
    end();
}

static void the_ten_are_those_of_all_workers_together(void **state)
{
    (void)state;
    begin_top(60);
    prefetch_init(&prefetch, &story.forwarder, 0, 5);
    make_top(60, 3);
    pass_answering(2 * NS_PER_S, 3);
    prefetch.credit = 0;
    unsigned refreshes = pass_answering(20 * NS_PER_S, 3);
    assert_in_range(refreshes, 19 * PREFETCH_FLOOR_PER_S / 5, 21 * PREFETCH_FLOOR_PER_S / 5);
    end();
}

/* Workers become active and inactive; each name is looked after by one of those that are. */
static void names_of_an_inactive_worker_go_to_the_others(void **state)
{
    (void)state;
    begin_top(200);
    prefetch_init(&prefetch, &story.forwarder, 0, 2);
    make_top(200, 10);
    unsigned half = pass_answering(9 * NS_PER_S, 300);
    assert_in_range(half, 50, 150);
    prefetch_set_workers(&prefetch, 1);
    assert_true(prefetch_deadline_ns(&prefetch) <= story.loop.now_ns);
    unsigned rest = pass_answering(NS_PER_S, 300);
    assert_in_range(half + rest, 170, 200); /* not all find room in their stripe */
    prefetch_set_workers(&prefetch, 0);
    assert_true(prefetch_deadline_ns(&prefetch) == CLOCK_NEVER);
    assert_int_equal(pass_answering(10 * NS_PER_S, 3), 0);
    uint64_t credit = prefetch.credit;
    prefetch_set_workers(&prefetch, 1);
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_true(prefetch.credit <= credit); /* its rest earned nothing */
    end();
}

/* Spends what was earned until now. */
static void settle(void)
{
    prefetch_tick(&prefetch, story.loop.now_ns);
    prefetch.next_ns = 0;
    prefetch.credit = 0;
}

static void clients_questions_earn_their_share(void **state)
{
    (void)state;
    begin_top(50);
    settle();
    story.forwarder.questions += 100;
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_int_equal(prefetch.credit, 10 * COST); /* a tenth of them */
    end();
}

static void a_share_of_all_is_as_many_as_clients_ask(void **state)
{
    (void)state;
    begin_top(50);
    story.forwarder.options.prefetch_percent = 100;
    settle();
    story.forwarder.questions += 30;
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_int_equal(prefetch.credit, 30 * COST);
    end();
}

static void what_is_saved_up_is_a_small_burst(void **state)
{
    (void)state;
    begin_top(50);
    story.forwarder.questions += 1000000;
    story.loop.now_ns += 3600 * NS_PER_S;
    prefetch_tick(&prefetch, story.loop.now_ns);
    assert_int_equal(prefetch.credit, CREDIT_MAX);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_top_name_is_refreshed_shortly_before_it_expires),
        cmocka_unit_test(a_name_that_several_wait_for_is_a_top_name_when_its_answer_comes),
        cmocka_unit_test(a_refresh_is_made_at_its_deadline_and_not_before),
        cmocka_unit_test(it_goes_on_with_nobody_asking),
        cmocka_unit_test(a_name_asked_once_is_not),
        cmocka_unit_test(without_names_it_looks_once_a_second),
        cmocka_unit_test(many_that_are_due_at_once_are_all_asked),
        cmocka_unit_test(a_failure_is_tried_again_after_a_second),
        cmocka_unit_test(what_is_asked_for_already_is_left_alone),
        cmocka_unit_test(names_of_another_worker_are_its_own),
        cmocka_unit_test(what_cannot_be_kept_any_more_is_not_refreshed),
        cmocka_unit_test(without_a_cache_nothing_is_refreshed),
        cmocka_unit_test(one_that_clients_asked_for_costs_nothing),
        cmocka_unit_test(on_speculation_there_are_ten_a_second),
        cmocka_unit_test(the_ten_are_those_of_all_workers_together),
        cmocka_unit_test(names_of_an_inactive_worker_go_to_the_others),
        cmocka_unit_test(clients_questions_earn_their_share),
        cmocka_unit_test(a_share_of_all_is_as_many_as_clients_ask),
        cmocka_unit_test(what_is_saved_up_is_a_small_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
