#include "shared/topnames.h"

#include <stdlib.h>

#include "common/random.h"
#include "keys.h"

enum { MANY = 2000 };

#define START_NS  (100 * NS_PER_S)
#define HALF_LIFE (600 * NS_PER_S)

static struct topnames *topnames_of(uint32_t top)
{
    struct topnames *topnames = topnames_new(&(struct topnames_options){.top = top, .half_life_ns = HALF_LIFE});
    assert_non_null(topnames);
    return topnames;
}

static void ask(struct topnames *topnames, const char *name, unsigned number, unsigned times, uint64_t now_ns)
{
    struct test_key key;
    key_of(&key, name, number);
    while (times-- > 0) topnames_ask(topnames, &key.hashed, 0, now_ns);
}

static void answer(struct topnames *topnames, const char *name, unsigned number, uint64_t lifetime_ns, uint64_t now_ns)
{
    struct test_key key;
    topnames_answered(topnames, key_of(&key, name, number), lifetime_ns, now_ns);
}

/* A name of the top with an answer that lives so long from START_NS on. */
static void ask_and_answer(struct topnames *topnames, const char *name, unsigned number, uint64_t lifetime_ns)
{
    ask(topnames, name, number, 10, START_NS);
    answer(topnames, name, number, lifetime_ns, START_NS);
}

static bool is_key(const uint8_t *bytes, uint16_t size, const char *name, unsigned number)
{
    struct test_key key;
    key_of(&key, name, number);
    return size == key.hashed.size && memcmp(bytes, key.text, size) == 0;
}

/* The asks of a name by the list, 0 where it is not of the top. */
static uint32_t listed(struct topnames *topnames, const char *name, unsigned number)
{
    struct topname *names = calloc(MANY, sizeof *names);
    size_t count = topnames_list(topnames, names, MANY);
    uint32_t asks = 0;
    for (size_t i = 0; i < count; i++)
        if (is_key(names[i].bytes, names[i].size, name, number)) asks = names[i].asks;
    free(names);
    return asks;
}

static size_t listed_count(struct topnames *topnames)
{
    struct topname *names = calloc(MANY, sizeof *names);
    size_t count = topnames_list(topnames, names, MANY);
    free(names);
    return count;
}

/* How many are due for a single worker; the first of them is returned too, and when to come again. */
static size_t take(struct topnames *topnames, uint64_t now_ns, struct topname_due *ret_first, uint64_t *ret_next_ns)
{
    struct topname_due *due = calloc(MANY, sizeof *due);
    uint64_t next_ns;
    size_t count = topnames_take_due(topnames, 0, 1, now_ns, due, MANY, &next_ns);
    if (count && ret_first) *ret_first = due[0];
    if (ret_next_ns) *ret_next_ns = next_ns;
    free(due);
    return count;
}

static size_t due_count(struct topnames *topnames, uint64_t now_ns)
{
    return take(topnames, now_ns, NULL, NULL);
}

/* --- who is of the top --- */

static void asked_once_is_not_of_the_top(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    ask(topnames, "once", 1, 1, START_NS);
    ask(topnames, "twice", 1, 2, START_NS);
    assert_int_equal(listed(topnames, "once", 1), 0);
    assert_int_equal(listed(topnames, "twice", 1), 2);
    topnames_free(topnames);
}

static void most_asked_are_listed_first(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 100; i++) ask(topnames, "n", i, 2 + (i * 37) % 100, START_NS);
    struct topname names[100];
    assert_int_equal(topnames_list(topnames, names, 100), 100);
    for (unsigned i = 0; i < 100; i++) assert_int_equal(names[i].asks, 101 - i);

    struct topname few[7] = {0};
    assert_int_equal(topnames_list(topnames, few, 7), 7);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(few[i].asks, 101 - i);
        assert_memory_equal(few[i].bytes, names[i].bytes, names[i].size);
    }
    assert_int_equal(topnames_list(topnames, NULL, 0), 0);
    topnames_free(topnames);
}

static void top_is_no_larger_than_told(void **state)
{
    (void)state;
    const uint32_t sizes[] = {1, 2, 10, 63, 64, 100, 1000};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct topnames *topnames = topnames_of(sizes[s]);
        for (unsigned i = 0; i < 4000; i++) ask(topnames, "n", i, 3, START_NS);
        assert_int_equal(listed_count(topnames), sizes[s]);
        topnames_free(topnames);
    }
}

static void more_asked_takes_the_place_of_the_least(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    for (unsigned i = 0; i < 10; i++) ask(topnames, "n", i, 10 + i, START_NS);
    ask(topnames, "new", 1, 10, START_NS);
    assert_int_equal(listed(topnames, "new", 1), 0); /* not more than the least: nobody moves for a tie */
    ask(topnames, "new", 1, 1, START_NS);
    assert_int_equal(listed(topnames, "new", 1), 11);
    assert_int_equal(listed(topnames, "n", 0), 0);
    for (unsigned i = 1; i < 10; i++) assert_int_equal(listed(topnames, "n", i), 10 + i);
    topnames_free(topnames);
}

/* The least is looked for only when it matters: what was asked meanwhile must be seen then. */
static void least_is_known_after_others_have_grown(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(3);
    for (unsigned i = 0; i < 3; i++) ask(topnames, "n", i, 5, START_NS);
    ask(topnames, "n", 0, 100, START_NS);
    ask(topnames, "n", 1, 50, START_NS);
    ask(topnames, "a", 1, 6, START_NS);
    assert_int_equal(listed(topnames, "n", 2), 0);
    ask(topnames, "a", 1, 100, START_NS);
    ask(topnames, "b", 1, 55, START_NS);
    assert_int_equal(listed(topnames, "b", 1), 0);
    ask(topnames, "b", 1, 1, START_NS);
    assert_int_equal(listed(topnames, "b", 1), 56);
    assert_int_equal(listed(topnames, "n", 1), 0);
    topnames_free(topnames);
}

static void a_million_names_asked_once_push_out_nobody(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    for (unsigned i = 0; i < 100; i++) ask(topnames, "hot", i, 50, START_NS);
    size_t before = listed_count(topnames);
    for (unsigned i = 0; i < 1000000; i++) ask(topnames, "once", i, 1, START_NS);
    assert_int_equal(listed_count(topnames), before);
    for (unsigned i = 0; i < 100; i++) assert_true(listed(topnames, "hot", i) == 50 || before < 100);
    topnames_free(topnames);
}

/* Nor do they come in where there is room. */
static void a_million_names_asked_once_do_not_enter(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    ask(topnames, "hot", 1, 50, START_NS);
    for (unsigned i = 0; i < 1000000; i++) ask(topnames, "once", i, 1, START_NS);
    assert_int_equal(listed_count(topnames), 1);
    assert_int_equal(listed(topnames, "hot", 1), 50);
    topnames_free(topnames);
}

static void name_that_becomes_hot_during_a_scan_enters(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 1000; i++) ask(topnames, "hot", i, 8, START_NS);
    for (unsigned i = 0; i < 200000; i++) {
        ask(topnames, "once", i, 1, START_NS);
        if (i % 1000 == 0) ask(topnames, "new", 1, 1, START_NS);
    }
    assert_true(listed(topnames, "new", 1) > 100);
    topnames_free(topnames);
}

/* The thousand most asked of a hundred thousand: chance puts a few too many in some stripes, so a few of the last are
 * missing. */
static void most_of_the_top_is_found(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 1000; i++) ask(topnames, "hot", i, 3, START_NS);
        for (unsigned i = 0; i < 100000; i += 10) ask(topnames, "cold", i + round % 10, 1, START_NS);
    }
    struct topname *names = calloc(MANY, sizeof *names);
    size_t count = topnames_list(topnames, names, MANY);
    unsigned hot = 0;
    for (size_t i = 0; i < count; i++) hot += memcmp(names[i].bytes, "hot", 3) == 0;
    assert_true(hot > 900);
    free(names);
    topnames_free(topnames);
}

static void keys_with_the_same_hash_are_different_names(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct test_key one, two;
    key_of(&one, "one", 1);
    key_of(&two, "two", 1);
    two.hashed.hash = one.hashed.hash;
    for (unsigned i = 0; i < 5; i++) topnames_ask(topnames, &one.hashed, 0, START_NS);
    for (unsigned i = 0; i < 7; i++) topnames_ask(topnames, &two.hashed, 0, START_NS);
    assert_int_equal(listed(topnames, "one", 1), 5);
    assert_int_equal(listed(topnames, "two", 1), 7);
    topnames_free(topnames);
}

static void longest_key_is_ranked_and_longer_is_not(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint8_t bytes[TOPNAMES_KEY_MAX + 1] = {1};
    struct hashed_key key = {bytes, TOPNAMES_KEY_MAX + 1, 4711};
    for (unsigned i = 0; i < 5; i++) topnames_ask(topnames, &key, 0, START_NS);
    topnames_answered(topnames, &key, 3 * NS_PER_S, START_NS);
    assert_int_equal(listed_count(topnames), 0);
    key.size--;
    for (unsigned i = 0; i < 5; i++) topnames_ask(topnames, &key, 0, START_NS);
    assert_int_equal(listed_count(topnames), 1);
    topnames_free(topnames);
}

static void without_a_top_nothing_happens(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(0);
    uint64_t next_ns = 0;
    ask(topnames, "n", 1, 10, START_NS);
    answer(topnames, "n", 1, 3 * NS_PER_S, START_NS);
    assert_int_equal(listed_count(topnames), 0);
    assert_int_equal(take(topnames, START_NS + 3 * NS_PER_S, NULL, &next_ns), 0);
    assert_true(next_ns > START_NS + 3 * NS_PER_S);
    topnames_free(topnames);
    topnames_free(NULL);
}

/* --- who was --- */

static void counts_are_halved_every_half_life(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint64_t now_ns = 10 * HALF_LIFE;
    ask(topnames, "other", 1, 1, now_ns); /* from here on half-lives are counted */
    ask(topnames, "n", 1, 49, now_ns);
    ask(topnames, "n", 1, 1, now_ns + HALF_LIFE - 1);
    assert_int_equal(listed(topnames, "n", 1), 50);
    ask(topnames, "n", 1, 1, now_ns + HALF_LIFE);
    assert_int_equal(listed(topnames, "n", 1), 26);
    ask(topnames, "n", 1, 1, now_ns + 4 * HALF_LIFE); /* three at once */
    assert_int_equal(listed(topnames, "n", 1), 4);
    topnames_free(topnames);
}

/* Once in a while is not often, however long it goes on. */
static void asked_once_in_each_half_life_is_not_of_the_top(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    for (unsigned i = 10; i < 100; i++) ask(topnames, "n", 1, 1, i * HALF_LIFE);
    assert_int_equal(listed_count(topnames), 0);
    topnames_free(topnames);
}

/* Those who are halved are measured by what is left of them. */
static void new_names_are_measured_by_the_halved(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(2);
    uint64_t now_ns = 10 * HALF_LIFE;
    ask(topnames, "n", 1, 50, now_ns);
    ask(topnames, "n", 2, 60, now_ns);
    ask(topnames, "new", 1, 40, now_ns); /* in vain, and now the least is known */
    ask(topnames, "new", 2, 26, now_ns + HALF_LIFE);
    assert_int_equal(listed(topnames, "n", 1), 0);
    assert_int_equal(listed(topnames, "n", 2), 30);
    assert_int_equal(listed(topnames, "new", 2), 26);
    topnames_free(topnames);
}

static void name_nobody_asks_for_falls_out(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint64_t now_ns = 10 * HALF_LIFE;
    due_count(topnames, now_ns);
    for (unsigned i = 0; i < 10; i++) ask(topnames, "n", i, 2 << i, now_ns);
    for (unsigned halved = 1; halved <= 10; halved++) { /* nobody asks any more, but the refreshing goes on */
        due_count(topnames, now_ns + halved * HALF_LIFE);
        assert_int_equal(listed_count(topnames), 10 - halved);
    }
    topnames_free(topnames);
}

static void name_that_fell_out_is_not_due(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    due_count(topnames, START_NS); /* half-lives are counted from here on */
    for (unsigned i = 0; i < 5; i++) {
        ask(topnames, "n", i, i == 2 ? 2 : 20, START_NS);
        answer(topnames, "n", i, 3600 * NS_PER_S, START_NS);
    }
    due_count(topnames, START_NS + HALF_LIFE);
    struct topname_due due[10];
    uint64_t next_ns;
    assert_int_equal(topnames_take_due(topnames, 0, 1, START_NS + HALF_LIFE + 3600 * NS_PER_S, due, 10, &next_ns), 0);
    topnames_free(topnames);
}

static void names_keep_their_time_when_others_go(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(3);
    struct topname_due due;
    for (unsigned i = 0; i < 3; i++) {
        ask(topnames, "n", i, i == 0 ? 5 : 50, START_NS);
        answer(topnames, "n", i, (i + 1) * 100 * NS_PER_S, START_NS);
    }
    ask(topnames, "new", 1, 6, START_NS);
    assert_int_equal(listed(topnames, "n", 0), 0);
    assert_int_equal(due_count(topnames, START_NS + 100 * NS_PER_S), 0);
    assert_int_equal(take(topnames, START_NS + 200 * NS_PER_S, &due, NULL), 1);
    assert_true(is_key(due.bytes, due.size, "n", 1));
    answer(topnames, "n", 1, 1000 * NS_PER_S, START_NS + 200 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 300 * NS_PER_S, &due, NULL), 1);
    assert_true(is_key(due.bytes, due.size, "n", 2));
    topnames_free(topnames);
}

static void endless_half_life_keeps_all(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_new(&(struct topnames_options){.top = 10, .half_life_ns = 0});
    ask(topnames, "n", 1, 2, START_NS);
    ask(topnames, "n", 1, 1, START_NS * 1000000);
    assert_int_equal(listed(topnames, "n", 1), 3);
    topnames_free(topnames);
}

/* The clocks of two workers differ by a turn. */
static void time_that_goes_back_is_harmless(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint64_t now_ns = 10 * HALF_LIFE;
    ask(topnames, "n", 1, 10, now_ns);
    ask(topnames, "n", 1, 10, now_ns - NS_PER_MS);
    assert_int_equal(listed(topnames, "n", 1), 20);
    topnames_free(topnames);
}

/* --- who is due --- */

static void due_a_second_before_the_end_of_three(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 200; i++) ask_and_answer(topnames, "n", i, 3 * NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 1700 * NS_PER_MS - 1), 0);
    size_t early = due_count(topnames, START_NS + 1850 * NS_PER_MS);
    assert_in_range(early, 60, 140); /* half of the jitter's way: spread, not in one go */
    assert_int_equal(early + due_count(topnames, START_NS + 2000 * NS_PER_MS), 200);
    topnames_free(topnames);
}

static void due_in_the_last_tenth_of_long_lifetimes(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 200; i++) ask_and_answer(topnames, "n", i, 300 * NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 261 * NS_PER_S - 1), 0);
    assert_int_equal(due_count(topnames, START_NS + 270 * NS_PER_S), 200);
    topnames_free(topnames);
}

static void due_in_the_second_half_of_a_single_second(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 200; i++) ask_and_answer(topnames, "n", i, NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 350 * NS_PER_MS - 1), 0);
    assert_int_equal(due_count(topnames, START_NS + 500 * NS_PER_MS), 200);
    topnames_free(topnames);
}

static void lifetime_under_a_second_is_not_refreshed(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct test_key key;
    ask_and_answer(topnames, "n", 1, NS_PER_S - 1);
    topnames_ask(topnames, key_of(&key, "n", 1), START_NS + NS_PER_S, START_NS); /* it is known by now what it is */
    for (unsigned i = 0; i < 20; i++) assert_int_equal(due_count(topnames, START_NS + i * NS_PER_S), 0);
    answer(topnames, "n", 1, 3 * NS_PER_S, START_NS + 20 * NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 22 * NS_PER_S), 1);
    topnames_free(topnames);
}

static void lifetime_that_became_short_ends_the_refreshing(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    ask_and_answer(topnames, "n", 1, 3 * NS_PER_S);
    answer(topnames, "n", 1, NS_PER_S / 2, START_NS + NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 3 * NS_PER_S), 0);
    topnames_free(topnames);
}

static void taken_is_not_due_until_answered_or_for_a_second(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    ask_and_answer(topnames, "n", 1, 3 * NS_PER_S);
    uint64_t now_ns = START_NS + 2 * NS_PER_S;
    assert_int_equal(due_count(topnames, now_ns), 1);
    assert_int_equal(due_count(topnames, now_ns), 0);
    assert_int_equal(due_count(topnames, now_ns + NS_PER_S - 1), 0);
    assert_int_equal(due_count(topnames, now_ns + NS_PER_S), 1);
    answer(topnames, "n", 1, 3 * NS_PER_S, now_ns + NS_PER_S);
    assert_int_equal(due_count(topnames, now_ns + 2600 * NS_PER_MS), 0);
    assert_int_equal(due_count(topnames, now_ns + 3000 * NS_PER_MS), 1);
    topnames_free(topnames);
}

static void due_tells_what_and_whether_somebody_asked(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct topname_due due;
    ask_and_answer(topnames, "n", 1, 3 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 2 * NS_PER_S, &due, NULL), 1);
    assert_true(is_key(due.bytes, due.size, "n", 1));
    assert_false(due.asked);

    answer(topnames, "n", 1, 3 * NS_PER_S, START_NS + 2 * NS_PER_S);
    ask(topnames, "n", 1, 1, START_NS + 3 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 4 * NS_PER_S, &due, NULL), 1);
    assert_true(due.asked);
    topnames_free(topnames);
}

/* A name whose answer was cached before it came into the top. */
static void due_by_the_answer_a_client_was_given(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct test_key key;
    answer(topnames, "n", 1, 100 * NS_PER_S, START_NS - 90 * NS_PER_S); /* not of the top then: ignored */
    for (unsigned i = 0; i < 2; i++) topnames_ask(topnames, key_of(&key, "n", 1), START_NS + 10 * NS_PER_S, START_NS);
    assert_int_equal(due_count(topnames, START_NS + 8700 * NS_PER_MS - 1), 0);
    assert_int_equal(due_count(topnames, START_NS + 9000 * NS_PER_MS), 1);

    ask(topnames, "unknown", 1, 5, START_NS); /* nothing was said about its answer */
    assert_int_equal(due_count(topnames, START_NS + 9500 * NS_PER_MS), 0);

    for (unsigned i = 0; i < 2; i++) topnames_ask(topnames, key_of(&key, "over", 1), START_NS - 1, START_NS);
    assert_int_equal(due_count(topnames, START_NS), 1);
    topnames_free(topnames);
}

static void each_name_belongs_to_one_worker(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 64; workers = workers * 2 + 1) {
        struct topnames *topnames = topnames_of(2000);
        for (unsigned i = 0; i < 500; i++) ask_and_answer(topnames, "n", i, 3 * NS_PER_S);
        size_t count = 0;
        bool seen[500] = {false};
        for (unsigned worker = 0; worker < workers; worker++) {
            struct topname_due due[500];
            uint64_t next_ns;
            size_t of_worker =
                topnames_take_due(topnames, worker, workers, START_NS + 2 * NS_PER_S, due, 500, &next_ns);
            for (size_t i = 0; i < of_worker; i++) {
                unsigned number = (unsigned)strtoul((const char *)due[i].bytes + 2, NULL, 10);
                assert_true(is_key(due[i].bytes, due[i].size, "n", number));
                assert_false(seen[number]);
                seen[number] = true;
            }
            count += of_worker;
        }
        assert_int_equal(count, 500);
        topnames_free(topnames);
    }
}

static void no_more_than_asked_for_are_taken_and_the_rest_at_once(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 25; i++) ask_and_answer(topnames, "n", i, 3 * NS_PER_S);
    uint64_t now_ns = START_NS + 2 * NS_PER_S;
    struct topname_due due[10];
    uint64_t next_ns;
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns, due, 10, &next_ns), 10);
    assert_true(next_ns <= now_ns);
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns, due, 10, &next_ns), 10);
    assert_true(next_ns <= now_ns);
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns, due, 10, &next_ns), 5);
    assert_true(next_ns > now_ns);
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns + NS_PER_S, due, 0, &next_ns), 0);
    assert_true(next_ns <= now_ns + NS_PER_S);
    topnames_free(topnames);
}

/* Whoever comes when told to finds every name the moment it is due, even one that was answered by another worker
 * meanwhile. */
static void told_to_come_again_in_time(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    struct random random = {3};
    uint64_t now_ns = START_NS;
    uint64_t next_ns = now_ns;
    for (unsigned i = 0; i < 50; i++) ask_and_answer(topnames, "n", i, (1 + random_next(&random) % 20) * NS_PER_S);
    for (unsigned step = 0; step < 2000; step++) {
        struct topname_due due[100];
        uint64_t again_ns;
        assert_int_equal(topnames_take_due(topnames, 0, 1, next_ns - 1, due, 100, &again_ns), 0); /* none was missed */
        assert_true(again_ns >= next_ns);
        now_ns = next_ns;
        size_t count = topnames_take_due(topnames, 0, 1, now_ns, due, 100, &next_ns);
        assert_in_range(next_ns, now_ns + 1, now_ns + 250 * NS_PER_MS);
        for (size_t i = 0; i < count; i++) {
            struct hashed_key key = {due[i].bytes, due[i].size, hash_bytes(&test_hash_key, due[i].bytes, due[i].size)};
            topnames_answered(topnames, &key, (1 + random_next(&random) % 20) * NS_PER_S, now_ns);
        }
    }
    topnames_free(topnames);
}

/* A name with TTL 3 asked 50 times, then silence, during 100,000 names asked once: as long as it is of the top, its
 * answer never ends. */
static void top_name_never_runs_out(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    uint64_t now_ns = START_NS;
    uint64_t end_ns = START_NS + 3 * NS_PER_S;
    unsigned once = 0;
    unsigned refreshes = 0;
    due_count(topnames, now_ns);
    ask(topnames, "top", 1, 50, now_ns);
    answer(topnames, "top", 1, 3 * NS_PER_S, now_ns);
    while (now_ns < START_NS + HALF_LIFE) {
        struct topname_due due;
        uint64_t next_ns;
        assert_true(now_ns + NS_PER_S <= end_ns);
        if (take(topnames, now_ns, &due, &next_ns) == 1) {
            assert_true(is_key(due.bytes, due.size, "top", 1));
            answer(topnames, "top", 1, 3 * NS_PER_S, now_ns);
            end_ns = now_ns + 3 * NS_PER_S;
            refreshes++;
            if (next_ns > now_ns + 250 * NS_PER_MS) next_ns = now_ns + 250 * NS_PER_MS;
        }
        for (unsigned i = 0; i < 40; i++) ask(topnames, "once", once++, 1, now_ns);
        now_ns = next_ns;
    }
    assert_true(once > 90000);
    assert_in_range(refreshes, HALF_LIFE / (2 * NS_PER_S) - 1, HALF_LIFE / (1700 * NS_PER_MS) + 1);
    topnames_free(topnames);
}

/* Names come and go at random places of the table: it must hold together. */
static void table_holds_together_in_the_bustle(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(50);
    struct random random = {4};
    struct topname names[50];
    uint64_t now_ns = 10 * HALF_LIFE;
    for (unsigned step = 0; step < 200000; step++) {
        unsigned number = (unsigned)(random_next(&random) % (1 + random_next(&random) % 300));
        ask(topnames, "n", number, 1, now_ns);
        answer(topnames, "n", number, 5 * NS_PER_S, now_ns);
        now_ns += HALF_LIFE / 300;
        if (step % 1000 != 999) continue;
        due_count(topnames, now_ns); /* what a half-life has gone by for is halved now, not in between */
        size_t count = topnames_list(topnames, names, 50);
        assert_true(count > 20);
        for (size_t i = 0; i < count; i++) {
            number = (unsigned)strtoul((const char *)names[i].bytes + 2, NULL, 10);
            for (size_t j = 0; j < i; j++) assert_true(!is_key(names[j].bytes, names[j].size, "n", number));
            ask(topnames, "n", number, 1, now_ns); /* found where it is listed */
            assert_int_equal(listed(topnames, "n", number), names[i].asks + 1);
        }
    }
    topnames_free(topnames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_once_is_not_of_the_top),
        cmocka_unit_test(most_asked_are_listed_first),
        cmocka_unit_test(top_is_no_larger_than_told),
        cmocka_unit_test(more_asked_takes_the_place_of_the_least),
        cmocka_unit_test(least_is_known_after_others_have_grown),
        cmocka_unit_test(a_million_names_asked_once_push_out_nobody),
        cmocka_unit_test(a_million_names_asked_once_do_not_enter),
        cmocka_unit_test(name_that_becomes_hot_during_a_scan_enters),
        cmocka_unit_test(most_of_the_top_is_found),
        cmocka_unit_test(keys_with_the_same_hash_are_different_names),
        cmocka_unit_test(longest_key_is_ranked_and_longer_is_not),
        cmocka_unit_test(without_a_top_nothing_happens),
        cmocka_unit_test(counts_are_halved_every_half_life),
        cmocka_unit_test(asked_once_in_each_half_life_is_not_of_the_top),
        cmocka_unit_test(new_names_are_measured_by_the_halved),
        cmocka_unit_test(name_nobody_asks_for_falls_out),
        cmocka_unit_test(name_that_fell_out_is_not_due),
        cmocka_unit_test(names_keep_their_time_when_others_go),
        cmocka_unit_test(endless_half_life_keeps_all),
        cmocka_unit_test(time_that_goes_back_is_harmless),
        cmocka_unit_test(due_a_second_before_the_end_of_three),
        cmocka_unit_test(due_in_the_last_tenth_of_long_lifetimes),
        cmocka_unit_test(due_in_the_second_half_of_a_single_second),
        cmocka_unit_test(lifetime_under_a_second_is_not_refreshed),
        cmocka_unit_test(lifetime_that_became_short_ends_the_refreshing),
        cmocka_unit_test(taken_is_not_due_until_answered_or_for_a_second),
        cmocka_unit_test(due_tells_what_and_whether_somebody_asked),
        cmocka_unit_test(due_by_the_answer_a_client_was_given),
        cmocka_unit_test(each_name_belongs_to_one_worker),
        cmocka_unit_test(no_more_than_asked_for_are_taken_and_the_rest_at_once),
        cmocka_unit_test(told_to_come_again_in_time),
        cmocka_unit_test(top_name_never_runs_out),
        cmocka_unit_test(table_holds_together_in_the_bustle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
