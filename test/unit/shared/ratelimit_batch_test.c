/* Tokens for queries of one client that come together: they get, and count as, what each of them alone would. */
#include "keys.h"
#include "shared/ratelimit.h"

#define START_NS (1000 * RATELIMIT_WINDOW_NS)

static const struct ratelimit_options usual = {
    .queries_per_s = 20, .burst = 40, .ipv4_prefix = 32, .ipv6_prefix = 64, .max_clients = 65536};

static struct ratelimit *ratelimit_of(const struct ratelimit_options *options)
{
    struct ratelimit *ratelimit = ratelimit_new(options, &test_hash_key);
    assert_non_null(ratelimit);
    return ratelimit;
}

static uint32_t take(struct ratelimit *ratelimit, const char *client, uint32_t wanted, uint64_t now_ns)
{
    struct address address = address_of(client);
    return ratelimit_take(ratelimit, &address, wanted, now_ns);
}

static bool take_one(struct ratelimit *ratelimit, struct ratelimit_last *last, const char *client, uint32_t behind)
{
    struct address address = address_of(client);
    return ratelimit_take_one(ratelimit, last, &address, behind, START_NS);
}

/* How many of `count` queries are let through, one after the other; `known`: each says how many follow. */
static uint32_t let_through(struct ratelimit *ratelimit, struct ratelimit_last *last, const char *client,
                            uint32_t count, bool known)
{
    uint32_t granted = 0;
    for (uint32_t i = 0; i < count; i++) granted += take_one(ratelimit, last, client, known ? count - 1 - i : 0);
    return granted;
}

static void a_batch_gets_what_each_query_alone_would(void **state)
{
    (void)state;
    for (int known = 0; known <= 1; known++) {
        struct ratelimit *ratelimit = ratelimit_of(&usual);
        struct ratelimit_last last = {.prefixes = 0};
        assert_int_equal(let_through(ratelimit, &last, "192.0.2.1", 30, known), 30);
        assert_int_equal(let_through(ratelimit, &last, "192.0.2.1", 30, known), 10);
        assert_int_equal(let_through(ratelimit, &last, "192.0.2.2", 30, known), 30);
        assert_int_equal(let_through(ratelimit, &last, "[2001:db8::c000:202]", 30, known), 30);
        assert_int_equal(let_through(ratelimit, &last, "192.0.2.1", 1, known), 0);
        assert_int_equal(take(ratelimit, "192.0.2.2", 30, START_NS), 10);
        ratelimit_free(ratelimit);
    }
}

/* How many queries of the only client were counted in the window of START_NS, and how many of them were refused. */
static void assert_counted(struct ratelimit *ratelimit, unsigned asked, unsigned refused)
{
    const double window_s = (double)RATELIMIT_WINDOW_NS / 1e9;
    struct ratelimit_client client;
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, &client, 1), 1);
    assert_int_equal((unsigned)(client.queries_per_s * window_s + 0.5), asked);
    assert_int_equal((unsigned)(client.refused_per_s * window_s + 0.5), refused);
}

static void a_batch_counts_as_each_query_alone_would(void **state)
{
    (void)state;
    for (int known = 0; known <= 1; known++) {
        struct ratelimit *ratelimit = ratelimit_of(&usual);
        struct ratelimit_last last = {.prefixes = 0};
        let_through(ratelimit, &last, "192.0.2.1", 60, known);
        assert_counted(ratelimit, 60, 20);
        ratelimit_free(ratelimit);
    }
}

static void without_a_limit_a_batch_is_counted(void **state)
{
    (void)state;
    struct ratelimit_options without = usual;
    without.queries_per_s = 0;
    struct ratelimit *ratelimit = ratelimit_of(&without);
    struct ratelimit_last last = {.prefixes = 0};
    assert_int_equal(let_through(ratelimit, &last, "192.0.2.1", 1000, true), 1000);
    assert_counted(ratelimit, 1000, 0);
    ratelimit_free(ratelimit);
}

/* The rest of a batch is taken already, whatever others do meanwhile. */
static void tokens_for_what_follows_are_taken_with_the_first(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_last last = {.prefixes = 0};
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 29));
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 10);
    assert_int_equal(let_through(ratelimit, &last, "192.0.2.1", 40, false), 29);
    ratelimit_free(ratelimit);
}

static void what_is_not_used_goes_back_once(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_last last = {.prefixes = 0};
    ratelimit_give_back(ratelimit, &last, START_NS); /* nothing was taken yet */
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 29));
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 10);
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 28));
    ratelimit_give_back(ratelimit, &last, START_NS);
    ratelimit_give_back(ratelimit, &last, START_NS);
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 28);
    assert_false(take_one(ratelimit, &last, "192.0.2.1", 0));
    assert_counted(ratelimit, 2 + 40 + 40 + 1, 30 + 12 + 1);
    ratelimit_free(ratelimit);
}

static void what_is_not_used_goes_back_when_another_client_comes(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_last last = {.prefixes = 0};
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 39));
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 0);
    assert_true(take_one(ratelimit, &last, "192.0.2.2", 0));
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 39);
    assert_int_equal(take(ratelimit, "192.0.2.2", 40, START_NS), 39);
    ratelimit_free(ratelimit);
}

/* By refilling, or because a reload made it smaller. */
static void a_full_bucket_takes_nothing_back(void **state)
{
    (void)state;
    for (int is_smaller = 0; is_smaller <= 1; is_smaller++) {
        struct ratelimit *ratelimit = ratelimit_of(&usual);
        struct ratelimit_options smaller = usual;
        struct ratelimit_last last = {.prefixes = 0};
        uint64_t later_ns = START_NS + (is_smaller ? 0 : 60 * NS_PER_S);
        smaller.burst = 5;
        assert_true(take_one(ratelimit, &last, "192.0.2.1", 29));
        if (is_smaller) ratelimit_set_options(ratelimit, &smaller);
        assert_int_equal(take(ratelimit, "192.0.2.1", 1, later_ns), 1);
        ratelimit_give_back(ratelimit, &last, later_ns);
        assert_int_equal(take(ratelimit, "192.0.2.1", 100, later_ns), is_smaller ? 5 : 40);
        ratelimit_free(ratelimit);
    }
}

/* Another client has the bucket now, and is none the better for it; the first has a full one again. */
static void to_a_bucket_that_was_reused_nothing_goes_back(void **state)
{
    (void)state;
    struct ratelimit_options one = usual;
    one.max_clients = 1;
    struct ratelimit *ratelimit = ratelimit_of(&one);
    struct ratelimit_last last = {.prefixes = 0};
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 29));
    assert_int_equal(take(ratelimit, "192.0.2.2", 35, START_NS), 35);
    ratelimit_give_back(ratelimit, &last, START_NS);
    assert_int_equal(take(ratelimit, "192.0.2.2", 40, START_NS), 5);
    assert_int_equal(take(ratelimit, "192.0.2.1", 100, START_NS), 40);
    ratelimit_free(ratelimit);
}

/* A worker whose clock is a turn ahead has begun the next window: what goes back was counted in the one before. */
static void what_goes_back_is_counted_no_longer_in_its_window(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_last last = {.prefixes = 0};
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 29));
    assert_int_equal(take(ratelimit, "192.0.2.1", 3, START_NS + RATELIMIT_WINDOW_NS), 3);
    ratelimit_give_back(ratelimit, &last, START_NS);
    assert_counted(ratelimit, 1, 0);
    ratelimit_free(ratelimit);
}

static void what_was_computed_for_former_prefixes_is_not_used(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_options wider = usual;
    struct ratelimit_last last = {.prefixes = 0};
    wider.ipv4_prefix = 24;
    assert_true(take_one(ratelimit, &last, "192.0.2.1", 29));
    ratelimit_set_options(ratelimit, &wider);
    assert_int_equal(let_through(ratelimit, &last, "192.0.2.1", 40, true), 40); /* of its prefix, which took none yet */
    assert_false(take_one(ratelimit, &last, "192.0.2.2", 0));
    ratelimit_set_options(ratelimit, &usual);
    assert_int_equal(take(ratelimit, "192.0.2.1", 100, START_NS), 39); /* 29 went back */
    ratelimit_free(ratelimit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_gets_what_each_query_alone_would),
        cmocka_unit_test(a_batch_counts_as_each_query_alone_would),
        cmocka_unit_test(without_a_limit_a_batch_is_counted),
        cmocka_unit_test(tokens_for_what_follows_are_taken_with_the_first),
        cmocka_unit_test(what_is_not_used_goes_back_once),
        cmocka_unit_test(what_is_not_used_goes_back_when_another_client_comes),
        cmocka_unit_test(a_full_bucket_takes_nothing_back),
        cmocka_unit_test(to_a_bucket_that_was_reused_nothing_goes_back),
        cmocka_unit_test(what_goes_back_is_counted_no_longer_in_its_window),
        cmocka_unit_test(what_was_computed_for_former_prefixes_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
