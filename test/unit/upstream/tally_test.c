/* What happens upstream is counted once, under the label that belongs to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/session.h"
#include "upstream/tally.h"
#include "upstream/upstream.h"

enum { INDEX = 2 };

struct world {
    struct counters *counters;
    struct upstream upstream;
};

static int make(void **state)
{
    static struct world world;
    world = (struct world){.counters = counters_new(), .upstream = {.index = INDEX, .series = INDEX}};
    assert_non_null(world.counters);
    *state = &world;
    return 0;
}

static int done(void **state)
{
    struct world *world = *state;
    counters_free(world->counters);
    return 0;
}

/* The sum of a counter over all labels of all upstreams, so that nothing is counted elsewhere, too. */
#define SUM(member) sum_of(&world->counters->member[0][0], sizeof world->counters->member / sizeof(uint64_t))

static uint64_t sum_of(const _Atomic uint64_t *cells, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += counter_read(&cells[i]);
    return sum;
}

static void failures_and_planned_ends_are_counted_apart(void **state)
{
    struct world *world = *state;
    for (int cause = 0; cause < CAUSES; cause++) tally_cause(world->counters, &world->upstream, (enum cause)cause);
    uint64_t failures = 0;
    for (int cause = 0; cause < CAUSES; cause++) failures += cause_is_failure((enum cause)cause);
    assert_int_equal(SUM(upstream_failures), failures);
    assert_int_equal(SUM(upstream_ended), CAUSES - failures);
    assert_int_equal(counter_read(&world->counters->upstream_failures[INDEX][LABEL_FAILURE_CERTIFICATE]), 1);
    assert_int_equal(counter_read(&world->counters->upstream_failures[INDEX][LABEL_FAILURE_HUNG]), 1);
    assert_int_equal(counter_read(&world->counters->upstream_ended[INDEX][LABEL_SESSION_END_PEER]), 1);
}

static void each_cause_has_a_label_of_its_own(void **state)
{
    struct world *world = *state;
    for (int cause = 0; cause < CAUSES; cause++) tally_cause(world->counters, &world->upstream, (enum cause)cause);
    for (unsigned label = 0; label < LABEL_FAILURE_COUNT; label++)
        assert_in_range(counter_read(&world->counters->upstream_failures[INDEX][label]), 0, 1);
    for (unsigned label = 0; label < LABEL_SESSION_END_COUNT; label++)
        assert_in_range(counter_read(&world->counters->upstream_ended[INDEX][label]), 0, 1);
}

static void retries_are_counted_by_their_reason(void **state)
{
    struct world *world = *state;
    for (int retry = 0; retry < RETRIES; retry++) tally_retry(world->counters, &world->upstream, (enum retry)retry);
    assert_int_equal(SUM(upstream_retries), RETRIES);
    for (unsigned label = 0; label < LABEL_RETRY_COUNT; label++)
        assert_in_range(counter_read(&world->counters->upstream_retries[INDEX][label]), 0, 1);
}

static void a_question_and_its_answer_are_counted(void **state)
{
    struct world *world = *state;
    uint64_t p50_ns;
    tally_connect(world->counters, &world->upstream);
    tally_query(world->counters, &world->upstream);
    tally_response(world->counters, &world->upstream, 3, 7 * NS_PER_MS, 123);
    tally_late_response(world->counters, &world->upstream);
    assert_int_equal(SUM(upstream_connects), 1);
    assert_int_equal(SUM(upstream_queries), 1);
    assert_int_equal(SUM(upstream_late), 1);
    assert_int_equal(counter_read(&world->counters->upstream_responses[INDEX][LABEL_RCODE_NXDOMAIN]), 1);
    assert_int_equal(counter_read(&world->counters->upstream_answered_ns), 123);
    assert_int_equal(histogram_count(&world->counters->upstream_duration[INDEX][0]), 1);
    assert_true(histogram_percentile_ns(&world->counters->upstream_duration[INDEX][0], 50, &p50_ns));
    assert_in_range(p50_ns, 5 * NS_PER_MS, 10 * NS_PER_MS);
}

static void handshakes_are_counted_as_full_or_resumed(void **state)
{
    struct world *world = *state;
    tally_ready(world->counters, &world->upstream, true, NS_PER_MS);
    tally_ready(world->counters, &world->upstream, false, NS_PER_MS);
    tally_ready(world->counters, &world->upstream, false, NS_PER_MS);
    assert_int_equal(counter_read(&world->counters->upstream_handshakes[INDEX][LABEL_RESUMED_YES]), 1);
    assert_int_equal(counter_read(&world->counters->upstream_handshakes[INDEX][LABEL_RESUMED_NO]), 2);
    assert_int_equal(histogram_count(&world->counters->handshake_duration[0][0]), 3);
    tally_validated(world->counters, &world->upstream, 4711);
    assert_int_equal(counter_read(&world->counters->upstream_expiry[INDEX][0]), 4711);
    assert_true(counter_read(&world->counters->upstream_validated[INDEX][0]) > 1000000000);
}

static void gauges_show_the_state(void **state)
{
    struct world *world = *state;
    world->upstream.state = UPSTREAM_UP;
    tally_upstream(world->counters, &world->upstream, 4, 9);
    assert_int_equal(counter_read(&world->counters->upstream_sessions[INDEX][0]), 4);
    assert_int_equal(counter_read(&world->counters->upstream_in_flight[INDEX][0]), 9);
    assert_int_equal(counter_read(&world->counters->upstream_up[INDEX][0]), 1);
    assert_int_equal(counter_read(&world->counters->upstream_state[INDEX][0]), UPSTREAM_UP);
    world->upstream.state = UPSTREAM_SILENT;
    tally_upstream(world->counters, &world->upstream, 0, 0);
    assert_int_equal(counter_read(&world->counters->upstream_up[INDEX][0]), 0);
    assert_int_equal(counter_read(&world->counters->upstream_state[INDEX][0]), UPSTREAM_SILENT);
    assert_int_equal(SUM(upstream_sessions), 0);
    tally_error(world->counters, &world->upstream, "no route");
    assert_string_equal(upstream_error(world->counters, INDEX), "no route");
}

static void a_session_is_shown_with_its_counts(void **state)
{
    struct world *world = *state;
    struct session_row row = {.number = 0};
    const struct session session = {.number = 5,
                                    .upstream = &world->upstream,
                                    .state = SESSION_READY,
                                    .in_flight = 1,
                                    .sent = 2,
                                    .answers = 3,
                                    .window = 4,
                                    .opened_ns = 10 * NS_PER_MS};
    tally_session(&row, &session, 6, 17 * NS_PER_MS);
    assert_int_equal(row.number, 5);
    assert_int_equal(row.worker, 6);
    assert_int_equal(row.upstream, INDEX);
    assert_int_equal(row.is_open, 1);
    assert_int_equal(row.in_flight, 1);
    assert_int_equal(row.sent, 2);
    assert_int_equal(row.answers, 3);
    assert_int_equal(row.window, 4);
    assert_int_equal(row.age_ms, 7);
    tally_session_end(&row);
    assert_int_equal(row.number, 0);
    tally_session_end(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_and_planned_ends_are_counted_apart, make, done),
        cmocka_unit_test_setup_teardown(each_cause_has_a_label_of_its_own, make, done),
        cmocka_unit_test_setup_teardown(retries_are_counted_by_their_reason, make, done),
        cmocka_unit_test_setup_teardown(a_question_and_its_answer_are_counted, make, done),
        cmocka_unit_test_setup_teardown(handshakes_are_counted_as_full_or_resumed, make, done),
        cmocka_unit_test_setup_teardown(gauges_show_the_state, make, done),
        cmocka_unit_test_setup_teardown(a_session_is_shown_with_its_counts, make, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
