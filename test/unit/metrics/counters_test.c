/* counters: blocks of threads, added up into one that stands for the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/counters.h"

struct world {
    struct counters *blocks[3];
    struct counters *total;
};

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    for (int i = 0; i < 3; i++) assert_non_null(world->blocks[i] = counters_new());
    assert_non_null(world->total = counters_new());
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 3; i++) counters_free(world->blocks[i]);
    counters_free(world->total);
    test_free(world);
    return 0;
}

static void merge(struct world *world)
{
    counters_merge(world->blocks, 3, world->total);
}

static void a_new_block_is_zero_and_alone_on_its_cache_lines(void **state)
{
    struct world *world = *state;
    const unsigned char *bytes = (const unsigned char *)world->blocks[0];
    for (size_t i = 0; i < sizeof(struct counters); i++) assert_int_equal(bytes[i], 0);
    assert_int_equal((uintptr_t)world->blocks[0] % 128, 0);
    counters_free(NULL);
}

static void counters_of_all_threads_are_added(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 3; i++)
        counter_add(cell_queries(world->blocks[i], LABEL_QTYPE_AAAA, LABEL_TRANSPORT_TCP), 10 + i);
    counter_add(cell_queries(world->blocks[1], LABEL_QTYPE_A, LABEL_TRANSPORT_UDP), 1);
    merge(world);
    assert_int_equal(value_queries(world->total, LABEL_QTYPE_AAAA, LABEL_TRANSPORT_TCP), 33);
    assert_int_equal(value_queries(world->total, LABEL_QTYPE_A, LABEL_TRANSPORT_UDP), 1);
    assert_int_equal(value_queries(world->total, LABEL_QTYPE_MX, LABEL_TRANSPORT_TCP), 0);
}

static void both_labels_keep_their_order(void **state)
{
    struct world *world = *state;
    counter_add(cell_upstream_responses(world->blocks[0], UPSTREAMS_MAX - 1, LABEL_RCODE_COUNT - 1), 5);
    counter_add(cell_upstream_responses(world->blocks[2], UPSTREAMS_MAX - 1, LABEL_RCODE_COUNT - 1), 6);
    counter_add(cell_upstream_responses(world->blocks[2], 0, LABEL_RCODE_NXDOMAIN), 7);
    merge(world);
    assert_int_equal(value_upstream_responses(world->total, UPSTREAMS_MAX - 1, LABEL_RCODE_COUNT - 1), 11);
    assert_int_equal(value_upstream_responses(world->total, 0, LABEL_RCODE_NXDOMAIN), 7);
    assert_int_equal(value_upstream_responses(world->total, 0, LABEL_RCODE_NOERROR), 0);
}

static void shares_of_a_whole_are_added(void **state)
{
    struct world *world = *state;
    set_gauge(world->blocks[0], client_connections, 40);
    set_gauge(world->blocks[1], client_connections, 2);
    merge(world);
    assert_int_equal(value_client_connections(world->total), 42);
}

static void an_upstream_is_up_where_any_thread_says_so(void **state)
{
    struct world *world = *state;
    set_gauge_by(world->blocks[1], upstream_up, 3, 1);
    set_gauge_by(world->blocks[2], upstream_up, 3, 1);
    merge(world);
    assert_int_equal(value_upstream_up(world->total, 3), 1);
    assert_int_equal(value_upstream_up(world->total, 2), 0);
}

/* The second worker looked weeks ago, and knows the certificate of then. */
static void of_a_certificate_the_last_look_counts(void **state)
{
    struct world *world = *state;
    set_gauge_by(world->blocks[0], upstream_validated, 0, 900);
    set_gauge_by(world->blocks[0], upstream_expiry, 0, 2000);
    set_gauge_by(world->blocks[1], upstream_validated, 0, 800);
    set_gauge_by(world->blocks[1], upstream_expiry, 0, 1500);
    merge(world);
    assert_int_equal(value_upstream_validated(world->total, 0), 900);
    assert_int_equal(value_upstream_expiry(world->total, 0), 2000);
    assert_int_equal(value_upstream_expiry(world->total, 1), 0);
    set_gauge_by(world->blocks[2], upstream_validated, 0, 901);
    set_gauge_by(world->blocks[2], upstream_expiry, 0, 1700);
    merge(world);
    assert_int_equal(value_upstream_expiry(world->total, 0), 1700);
}

static void of_answers_the_newest_counts(void **state)
{
    struct world *world = *state;
    gauge_set(&world->blocks[1]->upstream_answered_ns, 23);
    gauge_set(&world->blocks[2]->upstream_answered_ns, 17);
    merge(world);
    assert_int_equal(counter_read(&world->total->upstream_answered_ns), 23);
}

static void histograms_are_added_bucket_by_bucket(void **state)
{
    struct world *world = *state;
    histogram_observe(&world->blocks[0]->request_duration[LABEL_SOURCE_STALE][LABEL_TRANSPORT_UDP], 60000, 2);
    histogram_observe(&world->blocks[1]->request_duration[LABEL_SOURCE_STALE][LABEL_TRANSPORT_UDP], 70000, 1);
    histogram_observe(&world->blocks[2]->handshake_duration[0][0], UINT64_C(9000000000), 1);
    merge(world);
    const struct histogram *stale = &world->total->request_duration[LABEL_SOURCE_STALE][LABEL_TRANSPORT_UDP];
    assert_int_equal(counter_read(&stale->buckets[4]), 3);
    assert_int_equal(counter_read(&stale->sum_ns), 190000);
    assert_int_equal(histogram_count(&world->total->request_duration[LABEL_SOURCE_CACHE][LABEL_TRANSPORT_UDP]), 0);
    assert_int_equal(counter_read(&world->total->handshake_duration[0][0].buckets[HISTOGRAM_EDGES]), 1);
}

static void merging_again_starts_at_zero(void **state)
{
    struct world *world = *state;
    counter_add(cell_merged(world->blocks[0]), 4);
    merge(world);
    merge(world);
    assert_int_equal(value_merged(world->total), 4);
    counters_merge(world->blocks, 0, world->total);
    assert_int_equal(value_merged(world->total), 0);
}

/* Numbers of the IANA registry of DNS parameters. */
static void types_have_their_labels(void **state)
{
    (void)state;
    static const struct {
        uint16_t qtype;
        unsigned label;
    } known[] = {
        {1, LABEL_QTYPE_A},     {2, LABEL_QTYPE_NS},     {5, LABEL_QTYPE_CNAME},  {6, LABEL_QTYPE_SOA},
        {12, LABEL_QTYPE_PTR},  {15, LABEL_QTYPE_MX},    {16, LABEL_QTYPE_TXT},   {28, LABEL_QTYPE_AAAA},
        {33, LABEL_QTYPE_SRV},  {35, LABEL_QTYPE_NAPTR}, {43, LABEL_QTYPE_DS},    {48, LABEL_QTYPE_DNSKEY},
        {52, LABEL_QTYPE_TLSA}, {64, LABEL_QTYPE_SVCB},  {65, LABEL_QTYPE_HTTPS}, {255, LABEL_QTYPE_ANY},
        {257, LABEL_QTYPE_CAA}, {0, LABEL_QTYPE_OTHER},  {3, LABEL_QTYPE_OTHER},  {65535, LABEL_QTYPE_OTHER},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(counters_qtype_label(known[i].qtype), known[i].label);
    for (unsigned qtype = 0; qtype <= UINT16_MAX; qtype++)
        assert_true((unsigned)counters_qtype_label((uint16_t)qtype) < LABEL_QTYPE_COUNT);
}

static void response_codes_have_their_labels(void **state)
{
    (void)state;
    assert_int_equal(counters_rcode_label(0), LABEL_RCODE_NOERROR);
    assert_int_equal(counters_rcode_label(1), LABEL_RCODE_FORMERR);
    assert_int_equal(counters_rcode_label(2), LABEL_RCODE_SERVFAIL);
    assert_int_equal(counters_rcode_label(3), LABEL_RCODE_NXDOMAIN);
    assert_int_equal(counters_rcode_label(4), LABEL_RCODE_NOTIMP);
    assert_int_equal(counters_rcode_label(5), LABEL_RCODE_REFUSED);
    assert_int_equal(counters_rcode_label(16), LABEL_RCODE_BADVERS);
    assert_int_equal(counters_rcode_label(23), LABEL_RCODE_BADCOOKIE);
    for (uint16_t rcode = 6; rcode < 4096; rcode++)
        if (rcode != 16 && rcode != 23) assert_int_equal(counters_rcode_label(rcode), LABEL_RCODE_OTHER);
}

static void forgetting_upstreams_leaves_the_rest(void **state)
{
    (void)state;
    struct counters *counters = counters_new();
    counter_add(cell_queries(counters, LABEL_QTYPE_A, LABEL_TRANSPORT_TCP), 3);
    count_event_by(counters, upstream_queries, 15);
    count_upstream_event(counters, upstream_failures, 0, LABEL_FAILURE_MALFORMED);
    histogram_observe(&counters->upstream_duration[2][0], 1000, 1);
    histogram_observe(&counters->request_duration[0][0], 1000, 1);
    count_event_by(counters, upstream_queries, 16);
    counters_forget_upstreams(counters, 0, UPSTREAMS_MAX);
    assert_int_equal(value_upstream_queries(counters, 16), 1);
    counters_forget_upstreams(counters, 16, 1);
    assert_int_equal(value_upstream_queries(counters, 16), 0);
    assert_int_equal(value_queries(counters, LABEL_QTYPE_A, LABEL_TRANSPORT_TCP), 3);
    assert_int_equal(value_upstream_queries(counters, 15), 0);
    assert_int_equal(value_upstream_failures(counters, 0, LABEL_FAILURE_MALFORMED), 0);
    assert_int_equal(counter_read(&counters->upstream_duration[2][0].sum_ns), 0);
    assert_int_equal(counter_read(&counters->request_duration[0][0].sum_ns), 1000);
    counters_free(counters);
}

static void info_codes_have_their_labels(void **state)
{
    (void)state;
    assert_int_equal(counters_ede_label(0), LABEL_EDE_0);
    assert_int_equal(counters_ede_label(22), LABEL_EDE_22);
    assert_int_equal(counters_ede_label(35), LABEL_EDE_35);
    assert_int_equal(counters_ede_label(36), LABEL_EDE_OTHER);
    assert_int_equal(counters_ede_label(65535), LABEL_EDE_OTHER);
}

static void sizes_are_added_up(void **state)
{
    struct world *world = *state;
    size_observe(&world->blocks[0]->query_size, 40);
    size_observe(&world->blocks[2]->query_size, 50);
    merge(world);
    assert_int_equal(counter_read(&world->total->query_size.buckets[0]), 2);
    assert_int_equal(counter_read(&world->total->query_size.sum_bytes), 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_codes_have_their_labels),
        cmocka_unit_test_setup_teardown(sizes_are_added_up, setup, teardown),
        cmocka_unit_test(forgetting_upstreams_leaves_the_rest),
        cmocka_unit_test_setup_teardown(a_new_block_is_zero_and_alone_on_its_cache_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_of_all_threads_are_added, setup, teardown),
        cmocka_unit_test_setup_teardown(both_labels_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(shares_of_a_whole_are_added, setup, teardown),
        cmocka_unit_test_setup_teardown(an_upstream_is_up_where_any_thread_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_certificate_the_last_look_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(of_answers_the_newest_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(histograms_are_added_bucket_by_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(merging_again_starts_at_zero, setup, teardown),
        cmocka_unit_test(types_have_their_labels),
        cmocka_unit_test(response_codes_have_their_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
