/* All tables under four threads at once, with eviction, refreshing, reading by the scraper, and reloads: for the thread
 * sanitizer, and for what must be true of the outcome whatever the order was. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/random.h"
#include "keys.h"
#include "shared/cache.h"
#include "shared/connections.h"
#include "shared/ratelimit.h"
#include "shared/topnames.h"

enum { THREADS = 4, STEPS = 60000 };

#define START_NS (1000 * NS_PER_S)

/* A thread of a test: its own numbers, and what all share. */
struct runner {
    pthread_t thread;
    unsigned number;
    struct random random;
    void *table;
    _Atomic uint64_t *sum;
};

static void run_all(void *(*run)(void *), void *table, _Atomic uint64_t *sum)
{
    struct runner runners[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        runners[i] = (struct runner){.number = i, .random = {i}, .table = table, .sum = sum};
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(runners[i].thread, NULL);
}

/* --- cache: a value says whose it is, so that a mix-up shows --- */

static void cache_step(struct runner *runner, unsigned step)
{
    struct cache *cache = runner->table;
    struct test_key key;
    uint8_t value[400];
    struct cache_found found;
    unsigned name = (unsigned)(random_next(&runner->random) % 8000);
    uint64_t now_ns = START_NS + step * NS_PER_MS;
    key_of(&key, "n", name);
    if (cache_find(cache, &key.hashed, now_ns, value, sizeof value, &found) != CACHE_ABSENT) {
        unsigned owner;
        memcpy(&owner, value, sizeof owner);
        if (owner != name || value[found.size - 1] != (uint8_t)name) abort();
        atomic_fetch_add(runner->sum, found.refresh_due);
        return;
    }
    size_t size = sizeof name + 1 + random_next(&runner->random) % 300;
    memset(value, (int)name, sizeof value);
    memcpy(value, &name, sizeof name);
    cache_put(cache, &key.hashed, value, size, (1 + name % 7) * NS_PER_S, now_ns);
}

static void *cache_run(void *argument)
{
    struct runner *runner = argument;
    struct cache *cache = runner->table;
    struct test_key key;
    for (unsigned step = 0; step < STEPS; step++) {
        cache_step(runner, step);
        if (step % 1000 == 999) cache_figures(cache);
        if (step % 500 == 499) cache_remove(cache, key_of(&key, "n", step % 8000));
        if (runner->number == 0 && step % 5000 == 4999)
            cache_set_options(
                cache, &(struct cache_options){.max_bytes = UINT64_C(1) << (17 + step / 5000 % 4), .stale_ns = step});
        if (runner->number == 1 && step % 20000 == 19999) cache_clear(cache);
    }
    return NULL;
}

static void cache_is_right_with_four_workers_and_reloads(void **state)
{
    (void)state;
    _Atomic uint64_t refreshes = 0;
    struct cache *cache = cache_new(&(struct cache_options){.max_bytes = UINT64_C(1) << 19});
    run_all(cache_run, cache, &refreshes);
    cache_set_options(cache, &(struct cache_options){.max_bytes = UINT64_C(1) << 17});
    assert_true(cache_figures(cache).bytes <= UINT64_C(1) << 17);
    assert_true(refreshes > 0);
    cache_free(cache);
}

/* One thread replaces the values of a few names, the others use copies of them without the lock. */
enum { COPIED = 8 };

struct copied {
    struct cache *cache;
    _Atomic uint64_t stored[COPIED]; /* of each name no value below this is in the cache any more */
};

static void copied_step(struct copied *copied, struct runner *runner, struct cache_validity *validity, uint64_t *value,
                        unsigned name)
{
    struct test_key key;
    struct cache_found found;
    key_of(&key, "n", name);
    uint64_t least = atomic_load(&copied->stored[name]);
    bool is_valid = validity->size > 0 && cache_is_valid(copied->cache, &key.hashed, validity, START_NS, &found);
    if (!is_valid)
        is_valid = cache_copy_valid(copied->cache, &key.hashed, START_NS, (uint8_t *)value, sizeof *value, validity);
    else
        atomic_fetch_add(runner->sum, 1);
    if (is_valid && *value < least) abort(); /* it was replaced or removed before */
}

static void *copied_run(void *argument)
{
    struct runner *runner = argument;
    struct copied *copied = runner->table;
    struct cache_validity validities[COPIED] = {0};
    uint64_t values[COPIED];
    for (uint64_t step = 1; step < STEPS; step++) {
        struct test_key key;
        unsigned name = (unsigned)(random_next(&runner->random) % COPIED);
        if (runner->number > 0) {
            copied_step(copied, runner, &validities[name], &values[name], name);
            continue;
        }
        key_of(&key, "n", name);
        if (step % 8)
            cache_put(copied->cache, &key.hashed, &step, sizeof step, NS_PER_S, START_NS);
        else if (step % 16)
            cache_remove(copied->cache, &key.hashed);
        else
            cache_clear(copied->cache);
        atomic_store(&copied->stored[name], step);
    }
    return NULL;
}

static void a_copy_is_never_older_than_what_was_stored(void **state)
{
    (void)state;
    _Atomic uint64_t used = 0;
    struct copied copied = {.cache = cache_new(&(struct cache_options){.max_bytes = UINT64_C(1) << 24})};
    run_all(copied_run, &copied, &used);
    assert_true(used > 100);
    cache_free(copied.cache);
}

static void *refresh_run(void *argument)
{
    struct runner *runner = argument;
    for (unsigned name = 0; name < 5000; name++) {
        struct test_key key;
        uint8_t value[8];
        struct cache_found found = {0};
        cache_find(runner->table, key_of(&key, "n", name), START_NS + 29 * NS_PER_S, value, sizeof value, &found);
        atomic_fetch_add(runner->sum, found.refresh_due);
    }
    return NULL;
}

static void refresh_is_given_to_one_worker_only(void **state)
{
    (void)state;
    _Atomic uint64_t refreshes = 0;
    struct cache *cache = cache_new(&(struct cache_options){.max_bytes = UINT64_C(1) << 24});
    for (unsigned name = 0; name < 5000; name++) {
        struct test_key key;
        cache_put(cache, key_of(&key, "n", name), "x", 2, 30 * NS_PER_S, START_NS);
    }
    run_all(refresh_run, cache, &refreshes);
    assert_int_equal(refreshes, 5000);
    cache_free(cache);
}

/* --- topnames --- */

static void *topnames_run(void *argument)
{
    struct runner *runner = argument;
    struct topnames *topnames = runner->table;
    struct topname_due due[8];
    struct topname names[10];
    struct test_key key;
    uint64_t next_ns = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t now_ns = START_NS + step * NS_PER_MS;
        unsigned name = (unsigned)(random_next(&runner->random) % (1 + random_next(&runner->random) % 3000));
        topnames_count(topnames, key_of(&key, "n", name), now_ns + NS_PER_S, now_ns);
        if (step % 1000 == 0) topnames_list(topnames, names, 10);
        if (now_ns < next_ns) continue;
        size_t count = topnames_take_due(topnames, runner->number, THREADS, now_ns, due, 8, &next_ns);
        for (size_t i = 0; i < count; i++) {
            struct hashed_key answered = {due[i].bytes, due[i].size,
                                          hash_bytes(&test_hash_key, due[i].bytes, due[i].size)};
            topnames_answered(topnames, &answered, (1 + step % 5) * NS_PER_S, now_ns);
        }
        atomic_fetch_add(runner->sum, count);
    }
    return NULL;
}

static void topnames_are_right_with_four_workers(void **state)
{
    (void)state;
    _Atomic uint64_t refreshes = 0;
    struct topnames *topnames = topnames_new(&(struct topnames_options){.top = 300, .half_life_ns = 5 * NS_PER_S});
    run_all(topnames_run, topnames, &refreshes);
    struct topname names[400];
    assert_in_range(topnames_list(topnames, names, 400), 100, 300);
    assert_true(names[0].queries > names[99].queries);
    assert_true(refreshes > 1000);
    topnames_free(topnames);
}

/* --- ratelimit --- */

static void *ratelimit_run(void *argument)
{
    struct runner *runner = argument;
    struct ratelimit_client clients[10];
    for (unsigned step = 0; step < STEPS; step++) {
        struct address client = address_number((uint32_t)(random_next(&runner->random) % 3000));
        atomic_fetch_add(runner->sum, ratelimit_take(runner->table, &client, 1 + step % 3, START_NS));
        if (step % 5000 == 0) ratelimit_list(runner->table, RATELIMIT_BY_QUERIES, START_NS, clients, 10);
    }
    return NULL;
}

/* Time stands still, so exactly the bursts are there to be had, however many take from them. */
static void no_token_is_granted_twice(void **state)
{
    (void)state;
    _Atomic uint64_t granted = 0;
    struct ratelimit_options options = {.queries_per_s = 10, .burst = 13, .ipv4_prefix = 32, .max_clients = 65536};
    struct ratelimit *ratelimit = ratelimit_new(&options, &test_hash_key);
    run_all(ratelimit_run, ratelimit, &granted);
    assert_int_equal(granted, 3000 * 13);
    ratelimit_free(ratelimit);
}

/* Batches of up to 20 of a client, of which some end early. */
static void *ratelimit_batches_run(void *argument)
{
    struct runner *runner = argument;
    struct ratelimit_last last = {.prefixes = 0};
    for (unsigned step = 0; step < STEPS / 10; step++) {
        struct address client = address_number((uint32_t)(random_next(&runner->random) % 300));
        uint32_t count = 1 + (uint32_t)(random_next(&runner->random) % 20);
        uint32_t end = step % 3 ? count : count / 2;
        uint64_t granted = 0;
        for (uint32_t i = 0; i < end; i++)
            granted += ratelimit_take_one(runner->table, &last, &client, count - 1 - i, START_NS);
        atomic_fetch_add(runner->sum, granted);
        if (step % 2) ratelimit_give_back(runner->table, &last, START_NS);
    }
    ratelimit_give_back(runner->table, &last, START_NS);
    return NULL;
}

/* What was taken ahead and given back is there for others, and nothing else is. */
static void no_token_is_granted_twice_or_lost_in_batches(void **state)
{
    (void)state;
    _Atomic uint64_t granted = 0;
    struct ratelimit_options options = {.queries_per_s = 10, .burst = 1300, .ipv4_prefix = 32, .max_clients = 65536};
    struct ratelimit *ratelimit = ratelimit_new(&options, &test_hash_key);
    run_all(ratelimit_batches_run, ratelimit, &granted);
    assert_in_range(granted, 1300, 300 * 1300);
    for (uint32_t number = 0; number < 300; number++) {
        struct address client = address_number(number);
        granted += ratelimit_take(ratelimit, &client, UINT32_MAX, START_NS);
    }
    assert_int_equal(granted, 300 * 1300);
    ratelimit_free(ratelimit);
}

static void *ratelimit_reload_run(void *argument)
{
    struct runner *runner = argument;
    struct ratelimit_options options = {.queries_per_s = 10, .burst = 13, .ipv4_prefix = 32, .ipv6_prefix = 64};
    for (unsigned step = 0; step < STEPS; step++) {
        struct address client = address_number((uint32_t)(random_next(&runner->random) % 30000));
        ratelimit_take(runner->table, &client, 1, START_NS + step * NS_PER_MS);
        if (runner->number || step % 100) continue;
        options.ipv4_prefix = (uint8_t)(20 + step / 100 % 13);
        options.burst = step % 17;
        ratelimit_set_options(runner->table, &options);
    }
    return NULL;
}

static void ratelimit_is_right_with_reloads_and_a_full_table(void **state)
{
    (void)state;
    struct ratelimit_options options = {.queries_per_s = 10, .burst = 13, .ipv4_prefix = 32, .max_clients = 1000};
    struct ratelimit *ratelimit = ratelimit_new(&options, &test_hash_key);
    run_all(ratelimit_reload_run, ratelimit, NULL);
    struct address client = address_number(1);
    ratelimit_set_options(ratelimit, &options);
    assert_int_equal(ratelimit_take(ratelimit, &client, 100, START_NS * 2), 13);
    ratelimit_free(ratelimit);
}

/* --- connections --- */

static void *connections_run(void *argument)
{
    struct runner *runner = argument;
    struct connections *connections = runner->table;
    struct connections_options options = {
        .max_connections = 300, .max_per_address = 20, .new_per_s = 100000, .ipv4_prefix = 32, .ipv6_prefix = 128};
    uint32_t held[50];
    uint8_t bits;
    unsigned count = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)(random_next(&runner->random) % 200);
        struct address client = address_number(number);
        if (count == 50 || (count > 0 && step % 3 == 2)) {
            client = address_number(held[--count]);
            connections_release(connections, &client, 128);
        } else if (connections_admit(connections, &client, START_NS + step, &bits) == CONNECTIONS_ADMITTED) {
            held[count++] = number;
        }
        if (connections_count(connections) > 300) abort();
        if (runner->number == 0 && step % 1000 == 0) {
            options.max_per_address = 1 + step / 1000 % 20;
            options.max_connections = 100 + step / 1000 % 200;
            connections_set_options(connections, &options);
        }
    }
    atomic_fetch_add(runner->sum, count);
    return NULL;
}

static void connections_are_counted_by_all(void **state)
{
    (void)state;
    _Atomic uint64_t held = 0;
    struct connections_options options = {
        .max_connections = 300, .max_per_address = 20, .new_per_s = 100000, .ipv4_prefix = 32, .ipv6_prefix = 128};
    struct connections *connections = connections_new(&options, &test_hash_key);
    run_all(connections_run, connections, &held);
    assert_int_equal(connections_count(connections), held);
    assert_true(held > 0);
    connections_free(connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_is_right_with_four_workers_and_reloads),
        cmocka_unit_test(a_copy_is_never_older_than_what_was_stored),
        cmocka_unit_test(refresh_is_given_to_one_worker_only),
        cmocka_unit_test(topnames_are_right_with_four_workers),
        cmocka_unit_test(no_token_is_granted_twice),
        cmocka_unit_test(no_token_is_granted_twice_or_lost_in_batches),
        cmocka_unit_test(ratelimit_is_right_with_reloads_and_a_full_table),
        cmocka_unit_test(connections_are_counted_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
