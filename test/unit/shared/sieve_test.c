#include "shared/sieve.h"

#include <stdlib.h>

#include "keys.h"

enum { BUCKETS = 4096 };

/* A sieve with room for so many entries of one size, and a way to make and ask them. */
struct fixture {
    struct sieve sieve;
    struct sieve_bucket buckets[BUCKETS];
};

static struct entry *entry_of(unsigned number)
{
    struct test_key key;
    key_of(&key, "n", 100000 + number); /* all of one length */
    struct entry *entry = calloc(1, sizeof *entry + key.hashed.size);
    entry->hash = (uint32_t)key.hashed.hash;
    entry->key_size = key.hashed.size;
    memcpy(entry->bytes, key.hashed.bytes, key.hashed.size);
    return entry;
}

static struct fixture *fixture_of(unsigned entries)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    sieve_init(&fixture->sieve, fixture->buckets, BUCKETS);
    struct entry *entry = entry_of(0);
    unsigned buckets = SIEVE_BUCKETS_MIN + entries / SIEVE_SPLITS * SIEVE_SPLITS;
    fixture->sieve.max_bytes = entries * entry_bytes(entry) + buckets * sizeof(struct sieve_bucket);
    free(entry);
    return fixture;
}

static void free_list(struct entry *entry)
{
    while (entry) {
        struct entry *next = entry->next;
        free(entry);
        entry = next;
    }
}

static void fixture_free(struct fixture *fixture)
{
    free_list(sieve_empty(&fixture->sieve));
    for (unsigned i = 0; i < BUCKETS; i++) assert_true(fixture->buckets[i].word == 0);
    free(fixture);
}

static struct entry *find(struct fixture *fixture, unsigned number)
{
    struct test_key key;
    return sieve_find(&fixture->sieve, key_of(&key, "n", 100000 + number));
}

static bool has(struct fixture *fixture, unsigned number)
{
    return find(fixture, number) != NULL;
}

static void put(struct fixture *fixture, unsigned number)
{
    struct entry *entry = entry_of(number);
    sieve_insert(&fixture->sieve, entry);
    free_list(sieve_trim(&fixture->sieve, entry, UINT64_MAX));
}

static void take(struct fixture *fixture, unsigned number)
{
    struct entry *entry = find(fixture, number);
    sieve_take(&fixture->sieve, entry);
    free(entry);
}

static void visit(struct fixture *fixture, unsigned number)
{
    find(fixture, number)->visited = true;
}

static void the_oldest_is_evicted_if_no_entry_was_found_since(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3);
    for (unsigned i = 0; i < 5; i++) put(fixture, i);
    assert_false(has(fixture, 0));
    assert_false(has(fixture, 1));
    for (unsigned i = 2; i < 5; i++) assert_true(has(fixture, i));
    assert_int_equal(fixture->sieve.evictions, 2);
    fixture_free(fixture);
}

/* The example of the paper, in small: the found one is passed over and stays where it is, its mark is gone. */
static void hand_passes_over_what_was_found(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3);
    for (unsigned i = 0; i < 3; i++) put(fixture, i);
    visit(fixture, 0);
    put(fixture, 3);
    assert_true(has(fixture, 0));
    assert_false(has(fixture, 1));
    assert_false(find(fixture, 0)->visited);

    put(fixture, 4); /* the hand goes on from where it was: 0 has time until it comes round */
    assert_false(has(fixture, 2));
    put(fixture, 5);
    assert_false(has(fixture, 3));
    assert_true(has(fixture, 0));
    fixture_free(fixture);
}

static void hand_goes_round(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3);
    for (unsigned i = 0; i < 3; i++) put(fixture, i);
    for (unsigned i = 0; i < 3; i++) visit(fixture, i);
    put(fixture, 3); /* clears 0, 1, 2, passes over 3 itself, and begins again */
    assert_false(has(fixture, 0));
    for (unsigned i = 1; i < 4; i++) assert_true(has(fixture, i));
    fixture_free(fixture);
}

/* Bounded work under the lock: among thousands that were all found, one of the first goes. */
static void hand_does_not_go_on_for_ever(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(2000);
    for (unsigned i = 0; i < 2000; i++) put(fixture, i);
    for (unsigned i = 0; i < 2000; i++) visit(fixture, i);
    put(fixture, 2000);
    unsigned cleared = 0;
    for (unsigned i = 0; i < 2000; i++) cleared += has(fixture, i) && !find(fixture, i)->visited;
    assert_in_range(cleared, 500, 1500);
    assert_true(has(fixture, 2000));
    assert_int_equal(fixture->sieve.evictions, 1);
    fixture_free(fixture);
}

static void what_was_just_put_is_not_evicted(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(1);
    for (unsigned i = 0; i < 10; i++) {
        put(fixture, i);
        assert_true(has(fixture, i));
        assert_int_equal(fixture->sieve.entries, 1);
        visit(fixture, i);
    }
    fixture_free(fixture);
}

static void a_replaced_entry_keeps_position_and_mark(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3);
    for (unsigned i = 0; i < 3; i++) put(fixture, i);
    visit(fixture, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct entry *entry = entry_of(i);
        struct entry *old = find(fixture, i);
        sieve_replace(&fixture->sieve, old, entry);
        assert_ptr_equal(find(fixture, i), entry);
        free(old);
    }
    assert_true(find(fixture, 0)->visited);
    put(fixture, 3);
    assert_true(has(fixture, 0));
    assert_false(has(fixture, 1));        /* and not 0, which is as old as before */
    struct entry *old = find(fixture, 2); /* where the hand stands */
    sieve_replace(&fixture->sieve, old, entry_of(2));
    free(old);
    put(fixture, 4);
    assert_false(has(fixture, 2));
    fixture_free(fixture);
}

static void taken_out_from_anywhere(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 4; first++)
        for (unsigned second = 0; second < 4; second++) {
            struct fixture *fixture = fixture_of(4);
            for (unsigned i = 0; i < 4; i++) put(fixture, i);
            visit(fixture, 0);
            put(fixture, 4); /* 1 went, the hand stands at 2 */
            if (has(fixture, first)) take(fixture, first);
            if (has(fixture, second)) take(fixture, second);
            assert_false(has(fixture, first));
            assert_false(has(fixture, second));
            for (unsigned i = 5; i < 12; i++) put(fixture, i);
            assert_int_equal(fixture->sieve.entries, 4);
            assert_true(has(fixture, 11));
            fixture_free(fixture);
        }
}

/* Buckets come, a few at a time, and go again, and everybody is found at each step. */
static void buckets_grow_and_shrink_with_the_entries(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3000);
    for (unsigned i = 0; i < 1000; i++) {
        put(fixture, i);
        assert_in_range(fixture->sieve.bucket_count, fixture->sieve.entries, fixture->sieve.entries + SIEVE_SPLITS);
        if (i % 37 == 0)
            for (unsigned j = 0; j <= i; j++) assert_true(has(fixture, j));
    }
    for (unsigned i = 0; i < 1000; i++) {
        take(fixture, i);
        assert_false(has(fixture, i));
        if (i % 37 == 0)
            for (unsigned j = i + 1; j < 1000; j++) assert_true(has(fixture, j));
    }
    assert_int_equal(fixture->sieve.entries, 0);
    assert_int_equal(fixture->sieve.bucket_count, SIEVE_BUCKETS_MIN);
    assert_int_equal(fixture->sieve.bytes, SIEVE_BUCKETS_MIN * sizeof(struct sieve_bucket));
    fixture_free(fixture);
}

static void buckets_stay_within_their_memory(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3000);
    fixture->sieve.bucket_max = 64;
    for (unsigned i = 0; i < 3000; i++) put(fixture, i);
    assert_int_equal(fixture->sieve.bucket_count, 64);
    for (unsigned i = 0; i < 3000; i++) assert_true(has(fixture, i));
    fixture_free(fixture);
}

/* The filter of a bucket knows each entry in it, through splits, merges, removal and replacement; and once all are
 * gone, it knows none. */
static void filter_follows_the_entries(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(3000);
    unsigned absent = 0;
    for (unsigned i = 0; i < 1000; i++) put(fixture, i);
    for (unsigned i = 0; i < 1000; i += 3) {
        struct entry *old = find(fixture, i);
        sieve_replace(&fixture->sieve, old, entry_of(i));
        free(old);
    }
    for (unsigned i = 0; i < 1000; i += 2) take(fixture, i);
    for (unsigned i = 0; i < 2000; i++) {
        struct test_key key;
        bool may_be = sieve_prefetch_entry(&fixture->sieve, key_of(&key, "n", 100000 + i));
        if (i < 1000 && i % 2 == 1) assert_true(may_be);
        absent += !may_be;
    }
    assert_true(absent > 1300); /* of 1500; without a filter, those in empty buckets only: some 900 */
    for (unsigned i = 1; i < 1000; i += 2) take(fixture, i);
    for (unsigned i = 0; i < BUCKETS; i++) assert_true(fixture->buckets[i].word == 0);
    fixture_free(fixture);
}

static void trims_no_more_than_asked_for(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(100);
    for (unsigned i = 0; i < 100; i++) put(fixture, i);
    fixture->sieve.max_bytes = 0;
    struct entry *gone = sieve_trim(&fixture->sieve, NULL, 10);
    free_list(gone);
    assert_int_equal(fixture->sieve.entries, 90);
    for (unsigned i = 0; i < 100; i++) assert_int_equal(has(fixture, i), i >= 10);
    free_list(sieve_trim(&fixture->sieve, NULL, UINT64_MAX));
    assert_int_equal(fixture->sieve.entries, 0);
    assert_null(sieve_trim(&fixture->sieve, NULL, UINT64_MAX));
    fixture_free(fixture);
}

static void room_is_what_is_there_without_the_others(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_of(5);
    struct entry *entry = entry_of(0);
    assert_true(sieve_has_room(&fixture->sieve, entry));
    fixture->sieve.max_bytes = entry_bytes(entry) + SIEVE_BUCKETS_MIN * sizeof(struct sieve_bucket);
    assert_true(sieve_has_room(&fixture->sieve, entry));
    fixture->sieve.max_bytes--;
    assert_false(sieve_has_room(&fixture->sieve, entry));
    free(entry);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_is_evicted_if_no_entry_was_found_since),
        cmocka_unit_test(hand_passes_over_what_was_found),
        cmocka_unit_test(hand_goes_round),
        cmocka_unit_test(hand_does_not_go_on_for_ever),
        cmocka_unit_test(what_was_just_put_is_not_evicted),
        cmocka_unit_test(a_replaced_entry_keeps_position_and_mark),
        cmocka_unit_test(taken_out_from_anywhere),
        cmocka_unit_test(buckets_grow_and_shrink_with_the_entries),
        cmocka_unit_test(buckets_stay_within_their_memory),
        cmocka_unit_test(filter_follows_the_entries),
        cmocka_unit_test(trims_no_more_than_asked_for),
        cmocka_unit_test(room_is_what_is_there_without_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
