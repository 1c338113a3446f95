#include "shared/tokens.h"

#include "keys.h"

static void full_bucket_gives_its_burst_and_no_more(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(40, 0);
    assert_int_equal(tokens_take(&tokens, 15), 15);
    assert_int_equal(tokens_take(&tokens, 100), 25);
    assert_int_equal(tokens_take(&tokens, 1), 0);
    assert_int_equal(tokens_take(&tokens, 0), 0);
}

static void token_comes_at_its_nanosecond(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(40, 0);
    tokens_take(&tokens, 40);
    tokens_refill(&tokens, 20, 40, 50 * NS_PER_MS - 1);
    assert_int_equal(tokens_take(&tokens, 1), 0);
    tokens_refill(&tokens, 20, 40, 50 * NS_PER_MS);
    assert_int_equal(tokens_take(&tokens, 2), 1);
}

/* Looked at every 7 ns for a while, at a rate that no interval of whole nanoseconds has: not a token too few, nor one
 * too many. */
static void nothing_is_lost_by_looking_often(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(1000000, 0);
    tokens_take(&tokens, 1000000);
    for (uint64_t now_ns = 0; now_ns <= 7 * NS_PER_MS; now_ns += 7) tokens_refill(&tokens, 300007, 1000000, now_ns);
    tokens_refill(&tokens, 300007, 1000000, NS_PER_S);
    assert_int_equal(tokens.parts, 300007 * TOKENS_PARTS);
}

static void holds_no_more_than_the_burst(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(40, 0);
    tokens_take(&tokens, 10);
    tokens_refill(&tokens, 20, 40, NS_PER_S);
    assert_int_equal(tokens_take(&tokens, 100), 40);
    tokens_refill(&tokens, 20, 40, 10 * NS_PER_S);
    tokens_refill(&tokens, 20, 5, 10 * NS_PER_S); /* a smaller one */
    assert_int_equal(tokens_take(&tokens, 100), 5);
}

static void time_that_goes_back_adds_nothing(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(40, 10 * NS_PER_S);
    tokens_take(&tokens, 40);
    tokens_refill(&tokens, 20, 40, 9 * NS_PER_S);
    assert_int_equal(tokens_take(&tokens, 1), 0);
    tokens_refill(&tokens, 20, 40, 10 * NS_PER_S); /* nor is the second in between added twice */
    assert_int_equal(tokens_take(&tokens, 1), 0);
}

static void largest_numbers_do_not_wrap(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(UINT32_MAX, 0);
    assert_int_equal(tokens_take(&tokens, UINT32_MAX), UINT32_MAX);
    tokens_refill(&tokens, UINT32_MAX, UINT32_MAX, UINT64_MAX);
    assert_int_equal(tokens_take(&tokens, UINT32_MAX), UINT32_MAX);
    tokens = tokens_full(1, 0);
    tokens_take(&tokens, 1);
    tokens_refill(&tokens, 1, 1, UINT64_MAX);
    assert_int_equal(tokens_take(&tokens, 2), 1);
}

static void what_is_given_back_is_there_again_up_to_the_burst(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(40, 0);
    tokens_take(&tokens, 30);
    tokens_give_back(&tokens, 5);
    tokens_refill(&tokens, 20, 40, 0);
    assert_int_equal(tokens_take(&tokens, 100), 15);
    tokens_give_back(&tokens, 15);
    tokens_refill(&tokens, 20, 40, 2 * NS_PER_S); /* 55 would be too many */
    assert_int_equal(tokens_take(&tokens, 100), 40);
}

static void rate_of_nothing_adds_nothing(void **state)
{
    (void)state;
    struct tokens tokens = tokens_full(3, 0);
    tokens_take(&tokens, 1);
    tokens_refill(&tokens, 0, 3, 100 * NS_PER_S);
    assert_int_equal(tokens_take(&tokens, 10), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_bucket_gives_its_burst_and_no_more),
        cmocka_unit_test(token_comes_at_its_nanosecond),
        cmocka_unit_test(nothing_is_lost_by_looking_often),
        cmocka_unit_test(holds_no_more_than_the_burst),
        cmocka_unit_test(time_that_goes_back_adds_nothing),
        cmocka_unit_test(largest_numbers_do_not_wrap),
        cmocka_unit_test(what_is_given_back_is_there_again_up_to_the_burst),
        cmocka_unit_test(rate_of_nothing_adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
