/* What a worker knows of an upstream: its state, for how long it is avoided, and what is learnt of its habits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/upstream.h"

#define MS NS_PER_MS
#define S  NS_PER_S

static const uint64_t start_ns = 1000 * NS_PER_S;

static int make(void **state)
{
    static struct upstream upstream;
    struct upstream_options options = {.name = "dns.example"};
    assert_true(address_parse("192.0.2.1:853", 0, &options.address));
    upstream_init(&upstream, &options, 3, 32);
    *state = &upstream;
    return 0;
}

static struct random seeded(void)
{
    return (struct random){7};
}

static void answer_at(struct upstream *upstream, uint64_t now_ns)
{
    upstream_answered(upstream, 5 * MS, true, now_ns);
}

/* Falls silent, and says how long it is avoided at the most. */
static uint64_t fall_silent(struct upstream *upstream, uint64_t now_ns)
{
    struct random random = seeded();
    upstream_fell_silent(upstream, &random, now_ns);
    assert_int_equal(upstream->state, UPSTREAM_SILENT);
    assert_true(upstream->avoided);
    assert_in_range(upstream->probe_at_ns - now_ns, upstream->avoid_ns / 4 * 3, upstream->avoid_ns);
    return upstream->avoid_ns;
}

/* ---- health ---- */

static void it_begins_in_standby_and_is_up_when_it_answered(void **state)
{
    struct upstream *upstream = *state;
    assert_string_equal(upstream->label, "192.0.2.1:853#dns.example");
    assert_int_equal(upstream->state, UPSTREAM_STANDBY);
    assert_false(upstream_is_up(upstream));
    assert_true(upstream_answered(upstream, MS, true, start_ns)); /* a change */
    assert_false(upstream_answered(upstream, MS, true, start_ns + MS));
    assert_true(upstream_is_up(upstream));
    assert_int_equal(upstream->state_ns, start_ns);
    assert_int_equal(upstream->answered_ns, start_ns + MS);
}

static void each_silence_in_a_row_doubles_the_time_it_is_avoided_up_to_a_minute(void **state)
{
    struct upstream *upstream = *state;
    static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    uint64_t now_ns = start_ns;
    for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal(fall_silent(upstream, now_ns), seconds[i] * S);
        now_ns = upstream->probe_at_ns;
    }
}

static void a_silence_that_is_known_already_changes_nothing(void **state)
{
    struct upstream *upstream = *state;
    fall_silent(upstream, start_ns);
    uint64_t probe_at_ns = upstream->probe_at_ns;
    struct random random = seeded();
    upstream_fell_silent(upstream, &random, probe_at_ns - 1);
    assert_int_equal(upstream->avoid_ns, S);
    assert_int_equal(upstream->probe_at_ns, probe_at_ns);
}

static void after_a_good_time_the_next_silence_is_a_first_one(void **state)
{
    struct upstream *upstream = *state;
    fall_silent(upstream, start_ns);
    answer_at(upstream, start_ns + S);
    assert_int_equal(fall_silent(upstream, start_ns + S + 10 * S - 1), 2 * S); /* too soon to be forgiven */
    answer_at(upstream, start_ns + 30 * S);
    assert_int_equal(fall_silent(upstream, start_ns + 40 * S), S);
}

static void an_avoided_upstream_is_trusted_again_only_by_an_answer_that_proves(void **state)
{
    struct upstream *upstream = *state;
    fall_silent(upstream, start_ns);
    assert_false(upstream_answered(upstream, MS, false, start_ns + MS));
    assert_true(upstream->avoided);
    assert_int_equal(upstream->state, UPSTREAM_SILENT);
    assert_true(upstream_answered(upstream, MS, true, start_ns + 2 * MS));
    assert_false(upstream->avoided);
    assert_true(upstream->probe_at_ns == CLOCK_NEVER);
    assert_true(upstream_is_up(upstream));
}

static void one_that_is_suspected_is_probed_at_once_and_is_no_failure_yet(void **state)
{
    struct upstream *upstream = *state;
    answer_at(upstream, start_ns);
    upstream_suspect(upstream, start_ns + MS);
    assert_int_equal(upstream->state, UPSTREAM_UP);
    assert_false(upstream_is_up(upstream));
    assert_int_equal(upstream->probe_at_ns, start_ns + MS);
    upstream_suspect(upstream, start_ns + 2 * MS); /* the first time counts */
    assert_int_equal(upstream->probe_at_ns, start_ns + MS);
    assert_int_equal(fall_silent(upstream, start_ns + 3 * MS), S);
}

static void failing_to_connect_is_down_and_known_after_a_restart_would_be_over(void **state)
{
    struct upstream *upstream = *state;
    struct random random = seeded();
    upstream->tried_ns = start_ns;
    upstream_failed(upstream, CAUSE_CONNECT_REFUSED, 1, &random, start_ns + MS);
    assert_int_equal(upstream->state, UPSTREAM_DOWN);
    assert_int_equal(upstream->failed_ns, start_ns);
    assert_false(upstream_is_known_down(upstream, start_ns + 1499 * MS));
    assert_true(upstream_is_known_down(upstream, start_ns + 1500 * MS));
    upstream_reached(upstream); /* a handshake was done: the failures before it do not count */
    assert_false(upstream_is_known_down(upstream, start_ns + 1500 * MS));
}

static void a_refused_certificate_is_known_at_once_and_stays_the_state(void **state)
{
    struct upstream *upstream = *state;
    struct random random = seeded();
    upstream_failed(upstream, CAUSE_CERTIFICATE, 1, &random, start_ns);
    assert_true(upstream_is_known_down(upstream, start_ns));
    upstream_failed(upstream, CAUSE_CONNECT_TIMEOUT, 1, &random, start_ns + S);
    assert_int_equal(upstream->state, UPSTREAM_CERTIFICATE);
    answer_at(upstream, start_ns + 2 * S);
    assert_int_equal(upstream->state, UPSTREAM_UP);
}

static void the_first_tries_are_quick_and_later_ones_a_second_apart(void **state)
{
    struct upstream *upstream = *state;
    struct random random = seeded();
    for (unsigned i = 0; i < 8; i++) {
        upstream_failed(upstream, CAUSE_CONNECT_REFUSED, 1, &random, start_ns);
        assert_in_range(upstream->backoff.next_ns - start_ns, 1, 200 * MS);
    }
    for (unsigned i = 0; i < 8; i++) upstream_failed(upstream, CAUSE_CONNECT_REFUSED, 1, &random, start_ns);
    assert_in_range(upstream->backoff.next_ns - start_ns, 750 * MS, S);
    for (unsigned i = 0; i < 8; i++) upstream_failed(upstream, CAUSE_CONNECT_REFUSED, 4, &random, start_ns);
    assert_in_range(upstream->backoff.next_ns - start_ns, 2100 * MS, 2800 * MS); /* four share two tries a second */
}

static void what_is_a_minute_old_says_nothing_of_today(void **state)
{
    struct upstream *upstream = *state;
    answer_at(upstream, start_ns);
    upstream->tried_ns = start_ns + S;
    upstream_pass_time(upstream, start_ns + 61 * S - 1);
    assert_int_equal(upstream->state, UPSTREAM_UP);
    upstream_pass_time(upstream, start_ns + 61 * S);
    assert_int_equal(upstream->state, UPSTREAM_STANDBY);
    fall_silent(upstream, start_ns + 100 * S);
    uint64_t probe_at_ns = upstream->probe_at_ns;
    upstream_pass_time(upstream, probe_at_ns + 60 * S - 1); /* its probe is waited for */
    assert_int_equal(upstream->state, UPSTREAM_SILENT);
    upstream_pass_time(upstream, probe_at_ns + 60 * S);
    assert_int_equal(upstream->state, UPSTREAM_STANDBY);
    assert_false(upstream->avoided);
}

static void each_state_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < UPSTREAM_STATES; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(upstream_state_text((enum upstream_state)i),
                                    upstream_state_text((enum upstream_state)j));
}

/* ---- habits ---- */

static void the_answers_of_a_session_that_ended_are_learnt(void **state)
{
    struct upstream *upstream = *state;
    assert_true(upstream->answers_max == UINT32_MAX);
    upstream_learn_end(upstream, 5, start_ns);
    assert_int_equal(upstream->answers_max, 5);
    upstream_learn_end(upstream, 3, start_ns);
    assert_int_equal(upstream->answers_max, 3);
    upstream_learn_end(upstream, 100, start_ns); /* a late end does not outweigh an early one */
    assert_int_equal(upstream->answers_max, 6);
    upstream_learn_end(upstream, 12, start_ns);
    assert_int_equal(upstream->answers_max, 12);
    upstream_learn_end(upstream, 1001, start_ns); /* a long life is no habit */
    assert_int_equal(upstream->answers_max, 12);
}

static void a_session_that_goes_on_disproves_the_bound(void **state)
{
    struct upstream *upstream = *state;
    upstream_learn_end(upstream, 5, start_ns);
    upstream_learn_answers(upstream, 5, start_ns);
    assert_int_equal(upstream->answers_max, 5);
    upstream_learn_answers(upstream, 6, start_ns);
    assert_int_equal(upstream->answers_max, 12);
    upstream_learn_answers(upstream, 1001, start_ns);
    assert_true(upstream->answers_max == UINT32_MAX);
}

static void silence_is_believed_from_the_second_time_and_for_a_time_that_doubles(void **state)
{
    struct upstream *upstream = *state;
    upstream_learn_silence(upstream, 4, start_ns);
    assert_false(upstream->ends_silently);
    upstream_learn_silence(upstream, 4, start_ns + S);
    assert_true(upstream->ends_silently);
    assert_int_equal(upstream->answers_max, 4);
    upstream_learn_answers(upstream, 4, start_ns + 11 * S - 1);
    assert_true(upstream->ends_silently);
    upstream_learn_answers(upstream, 4, start_ns + 11 * S); /* ten seconds on it is tried again */
    assert_false(upstream->ends_silently);
    assert_true(upstream->answers_max == UINT32_MAX);
    upstream_learn_silence(upstream, 4, start_ns + 12 * S);
    upstream_learn_answers(upstream, 4, start_ns + 31 * S);
    assert_true(upstream->ends_silently); /* twenty seconds, the second time */
    upstream_learn_answers(upstream, 5, start_ns + 31 * S);
    assert_false(upstream->ends_silently); /* it went on: the bound was wrong */
}

static void silence_is_no_habit_behind_other_numbers_or_where_answers_overtake(void **state)
{
    struct upstream *upstream = *state;
    upstream_learn_silence(upstream, 0, start_ns);
    upstream_learn_silence(upstream, 0, start_ns);
    upstream_learn_silence(upstream, 4, start_ns);
    upstream_learn_silence(upstream, 5, start_ns);
    upstream_learn_silence(upstream, 101, start_ns);
    upstream_learn_silence(upstream, 101, start_ns);
    assert_false(upstream->ends_silently);
    upstream->reorders = true;
    upstream_learn_silence(upstream, 7, start_ns);
    upstream_learn_silence(upstream, 7, start_ns);
    assert_false(upstream->ends_silently);
}

static void how_long_a_bound_is_believed_has_a_limit(void **state)
{
    struct upstream *upstream = *state;
    uint64_t now_ns = start_ns;
    upstream_learn_silence(upstream, 4, now_ns);
    for (int i = 0; i < 12; i++) upstream_learn_silence(upstream, 4, now_ns += S);
    assert_int_equal(upstream->keep_ns, 600 * S);
}

static void the_shortest_idle_limit_seen_counts_if_it_is_a_second_at_least(void **state)
{
    struct upstream *upstream = *state;
    upstream_learn_idle_limit(upstream, S - 1);
    assert_true(upstream->idle_limit_ns == CLOCK_NEVER);
    upstream_learn_idle_limit(upstream, 10 * S);
    upstream_learn_idle_limit(upstream, 12 * S);
    assert_int_equal(upstream->idle_limit_ns, 10 * S);
    upstream_learn_idle_limit(upstream, S);
    assert_int_equal(upstream->idle_limit_ns, S);
}

static void silence_is_noticed_by_the_usual_time_of_an_answer_within_bounds(void **state)
{
    struct upstream *upstream = *state;
    assert_int_equal(upstream_quiet_ns(upstream), 200 * MS); /* nothing is known */
    upstream->handshake_ns = 40 * MS;
    assert_int_equal(upstream_quiet_ns(upstream), 80 * MS);
    upstream->handshake_ns = MS;
    assert_int_equal(upstream_quiet_ns(upstream), RTT_TIMEOUT_MIN_NS);
    for (int i = 0; i < 50; i++) answer_at(upstream, start_ns);
    assert_int_equal(upstream_quiet_ns(upstream), RTT_TIMEOUT_MIN_NS); /* 5 ms, always */
    for (int i = 0; i < 50; i++) upstream_answered(upstream, 900 * MS, true, start_ns);
    assert_int_equal(upstream_quiet_ns(upstream), 200 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_begins_in_standby_and_is_up_when_it_answered, make),
        cmocka_unit_test_setup(each_silence_in_a_row_doubles_the_time_it_is_avoided_up_to_a_minute, make),
        cmocka_unit_test_setup(a_silence_that_is_known_already_changes_nothing, make),
        cmocka_unit_test_setup(after_a_good_time_the_next_silence_is_a_first_one, make),
        cmocka_unit_test_setup(an_avoided_upstream_is_trusted_again_only_by_an_answer_that_proves, make),
        cmocka_unit_test_setup(one_that_is_suspected_is_probed_at_once_and_is_no_failure_yet, make),
        cmocka_unit_test_setup(failing_to_connect_is_down_and_known_after_a_restart_would_be_over, make),
        cmocka_unit_test_setup(a_refused_certificate_is_known_at_once_and_stays_the_state, make),
        cmocka_unit_test_setup(the_first_tries_are_quick_and_later_ones_a_second_apart, make),
        cmocka_unit_test_setup(what_is_a_minute_old_says_nothing_of_today, make),
        cmocka_unit_test_setup(each_state_has_a_text_of_its_own, make),
        cmocka_unit_test_setup(the_answers_of_a_session_that_ended_are_learnt, make),
        cmocka_unit_test_setup(a_session_that_goes_on_disproves_the_bound, make),
        cmocka_unit_test_setup(silence_is_believed_from_the_second_time_and_for_a_time_that_doubles, make),
        cmocka_unit_test_setup(silence_is_no_habit_behind_other_numbers_or_where_answers_overtake, make),
        cmocka_unit_test_setup(how_long_a_bound_is_believed_has_a_limit, make),
        cmocka_unit_test_setup(the_shortest_idle_limit_seen_counts_if_it_is_a_second_at_least, make),
        cmocka_unit_test_setup(silence_is_noticed_by_the_usual_time_of_an_answer_within_bounds, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
