/* histogram: durations in buckets, and percentiles out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/counters.h"
#include "metrics/histogram.h"

static uint64_t percentile(const struct histogram *histogram, unsigned percent)
{
    uint64_t ns = 0;
    assert_true(histogram_percentile_ns(histogram, percent, &ns));
    return ns;
}

static void edges_rise_and_the_alert_has_its_edge(void **state)
{
    (void)state;
    bool has_100_ms = false;
    for (unsigned i = 0; i < HISTOGRAM_EDGES; i++) {
        if (i > 0) assert_true(histogram_edges_ns[i] > histogram_edges_ns[i - 1]);
        if (histogram_edges_ns[i] == 100000000) has_100_ms = true;
    }
    assert_true(has_100_ms);
}

static void a_duration_on_an_edge_belongs_below_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_EDGES; i++) {
        struct histogram histogram = {0};
        histogram_observe(&histogram, histogram_edges_ns[i], 1);
        histogram_observe(&histogram, histogram_edges_ns[i] + 1, 1);
        assert_int_equal(counter_read(&histogram.buckets[i]), 1);
        assert_int_equal(counter_read(&histogram.buckets[i + 1]), 1);
    }
}

/* Where the search begins depends on how many bits a duration has. */
static void a_duration_of_any_number_of_bits_is_in_the_first_bucket_that_holds_it(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++)
        for (int64_t beside = -1; beside <= 1; beside++) {
            struct histogram histogram = {0};
            uint64_t duration_ns = (UINT64_C(1) << bits) + (uint64_t)beside;
            unsigned bucket = 0;
            while (bucket < HISTOGRAM_EDGES && duration_ns > histogram_edges_ns[bucket]) bucket++;
            histogram_observe(&histogram, duration_ns, 1);
            assert_int_equal(counter_read(&histogram.buckets[bucket]), 1);
        }
}

static void the_shortest_and_the_longest_have_a_bucket(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_observe(&histogram, 0, 1);
    histogram_observe(&histogram, UINT64_MAX, 1);
    assert_int_equal(counter_read(&histogram.buckets[0]), 1);
    assert_int_equal(counter_read(&histogram.buckets[HISTOGRAM_EDGES]), 1);
    assert_int_equal(histogram_count(&histogram), 2);
}

static void several_of_one_duration_count_in_one_go(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_observe(&histogram, 20000, 50);
    histogram_observe(&histogram, 20000, 0);
    assert_int_equal(histogram_count(&histogram), 50);
    assert_int_equal(counter_read(&histogram.sum_ns), 1000000);
}

static void of_nothing_there_is_no_percentile(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    uint64_t ns = 77;
    assert_false(histogram_percentile_ns(&histogram, 50, &ns));
    assert_int_equal(ns, 77);
}

/* A hundred between 10 and 25 ms: the median is held to be half way. */
static void within_a_bucket_events_lie_evenly(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_observe(&histogram, 12000000, 100);
    assert_int_equal(percentile(&histogram, 50), 17500000);
    assert_int_equal(percentile(&histogram, 100), 25000000);
    assert_int_equal(percentile(&histogram, 0), 10000000);
}

static void percentiles_find_their_bucket(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_observe(&histogram, 40000, 80);    /* 25 to 50 us */
    histogram_observe(&histogram, 12000000, 15); /* 10 to 25 ms */
    histogram_observe(&histogram, 90000000, 5);  /* 75 to 100 ms */
    assert_int_equal(percentile(&histogram, 40), 37500);
    assert_int_equal(percentile(&histogram, 80), 50000);
    assert_int_equal(percentile(&histogram, 95), 25000000);
    assert_int_equal(percentile(&histogram, 99), 95000000);
}

static void beyond_the_last_edge_nothing_is_known_but_the_edge(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_observe(&histogram, UINT64_C(60000000000), 3);
    assert_int_equal(percentile(&histogram, 50), histogram_edges_ns[HISTOGRAM_EDGES - 1]);
}

static void sizes_fall_into_powers_of_two(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        unsigned bucket;
    } cases[] = {{0, 0},   {12, 0},  {64, 0},   {65, 1},     {128, 1},    {129, 2},
                 {512, 3}, {513, 4}, {1024, 4}, {32769, 10}, {65535, 10}, {65536, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct size_histogram sizes = {0};
        size_observe(&sizes, cases[i].bytes);
        assert_int_equal(counter_read(&sizes.buckets[cases[i].bucket]), 1);
        assert_int_equal(counter_read(&sizes.sum_bytes), cases[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_rise_and_the_alert_has_its_edge),
        cmocka_unit_test(a_duration_on_an_edge_belongs_below_it),
        cmocka_unit_test(a_duration_of_any_number_of_bits_is_in_the_first_bucket_that_holds_it),
        cmocka_unit_test(the_shortest_and_the_longest_have_a_bucket),
        cmocka_unit_test(several_of_one_duration_count_in_one_go),
        cmocka_unit_test(of_nothing_there_is_no_percentile),
        cmocka_unit_test(within_a_bucket_events_lie_evenly),
        cmocka_unit_test(percentiles_find_their_bucket),
        cmocka_unit_test(sizes_fall_into_powers_of_two),
        cmocka_unit_test(beyond_the_last_edge_nothing_is_known_but_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
