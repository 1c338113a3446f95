/* cache_bench: what the cache costs and what it is good for.
 *
 * 1. Bytes an entry, for a million answers with an A record each and names of 20 characters: as the cache counts, and
 * as the kernel does.
 * 2. The cost of a look-up that hits, at 10^3, 10^5 and 10^6 entries, each equally likely (the worst case: nothing
 * stays in the processor's caches).
 * 3. The hit ratio on a Zipf stream, with and without scans of names asked once, next to that of an LRU list of as many
 * entries.
 *
 * The figures in docs/PERFORMANCE.md come from here. No arguments; some 30 s. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/random.h"
#include "shared/cache.h"

enum {
    NAME_BYTES = 22,            /* a name of 20 characters on the wire: two labels, their lengths, the root */
    KEY_BYTES = NAME_BYTES + 3, /* and type and flags */
    VALUE_BYTES = 12 + NAME_BYTES + 4 + 16 + 8, /* header, question, an A record with a compressed name, the trailer */
    LOOKUPS = 1000000,
    ROUNDS = 5 /* the best counts: the rest is other people's work on this machine */
};

#define MIB      (UINT64_C(1) << 20)
#define FOR_EVER (UINT64_C(1) << 60)

static const struct hash_key hash_key = {1, 2};

struct name {
    uint8_t bytes[KEY_BYTES];
    struct hashed_key key;
};

/* The name of a number. */
static const struct hashed_key *name_of(struct name *name, uint32_t number)
{
    static const uint8_t pattern[KEY_BYTES] = "\x10"
                                              "................\3org\0\0\1\1";
    memcpy(name->bytes, pattern, sizeof pattern);
    for (unsigned i = 0; i < 8; i++) name->bytes[1 + 2 * i] = (uint8_t)('a' + (number >> (4 * i) & 15));
    name->key = (struct hashed_key){name->bytes, KEY_BYTES, hash_bytes(&hash_key, name->bytes, KEY_BYTES)};
    return &name->key;
}

static struct cache *cache_make(uint64_t max_bytes)
{
    struct cache *cache = cache_new(&(struct cache_options){.max_bytes = max_bytes});
    if (!cache) {
        fputs("cache_bench: out of memory\n", stderr);
        exit(1);
    }
    return cache;
}

static void cache_fill(struct cache *cache, uint32_t entries)
{
    const uint8_t value[VALUE_BYTES] = {0};
    struct name name;
    for (uint32_t i = 0; i < entries; i++) cache_put(cache, name_of(&name, i), value, sizeof value, FOR_EVER, 0);
}

static bool cache_has(struct cache *cache, const struct hashed_key *key)
{
    uint8_t value[VALUE_BYTES];
    struct cache_found found;
    return cache_find(cache, key, 0, value, sizeof value, &found) == CACHE_FRESH;
}

/* --- 1 --- */

static uint64_t resident_bytes(void)
{
    unsigned long size = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
    if (file) fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void measure_bytes(void)
{
    const uint32_t entries = 1000000;
    uint64_t before = resident_bytes();
    struct cache *cache = cache_make(256 * MIB);
    uint64_t empty = resident_bytes() - before;
    cache_fill(cache, entries);
    struct cache_figures figures = cache_figures(cache);
    printf(
        "bytes an entry, key %d, value %d: %.1f counted, %.1f resident (%llu entries, %llu evicted, empty: %llu KiB)\n",
        KEY_BYTES, VALUE_BYTES, (double)figures.bytes / entries, (double)(resident_bytes() - before) / entries,
        (unsigned long long)figures.entries, (unsigned long long)figures.evictions, (unsigned long long)empty / 1024);
    cache_free(cache);
}

/* --- 2 --- */

/* Nanoseconds for each of LOOKUPS keys made, and looked up where there is a cache. */
static double time_lookups(struct cache *cache, uint32_t entries, struct random *random)
{
    struct name name;
    uint64_t hits = 0;
    uint64_t began_ns = clock_now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        const struct hashed_key *key = name_of(&name, (uint32_t)(random_next(random) % entries));
        hits += cache ? cache_has(cache, key) : key->hash & 1;
    }
    uint64_t took_ns = clock_now_ns() - began_ns;
    if (cache && hits != LOOKUPS) puts("cache_bench: an entry is missing");
    return (double)took_ns / LOOKUPS + (hits == 1 ? 1 : 0); /* the sum is used, so it cannot be left out */
}

static double best_lookups(struct cache *cache, uint32_t entries)
{
    struct random random = {entries};
    double best = time_lookups(cache, entries, &random);
    for (unsigned round = 1; round < ROUNDS; round++) {
        double took = time_lookups(cache, entries, &random);
        if (took < best) best = took;
    }
    return best;
}

static void measure_lookups(void)
{
    const uint32_t sizes[] = {1000, 100000, 1000000};
    double keys = best_lookups(NULL, 1000000);
    printf("key and hash: %.0f ns\n", keys);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cache *cache = cache_make(256 * MIB);
        cache_fill(cache, sizes[i]);
        printf("look-up at %7u entries: %.0f ns\n", (unsigned)sizes[i], best_lookups(cache, sizes[i]) - keys);
        cache_free(cache);
    }
}

/* --- 3 --- */

enum {
    UNIVERSE = 1000000, /* names that are asked again and again */
    ASKS = 3000000,     /* of them; the first quarter warms up */
    SCAN_EVERY = 100000,
    SCAN_LENGTH = 50000, /* names asked once, in a row: as many as the cache holds */
    NAMES = UNIVERSE + ASKS / SCAN_EVERY * SCAN_LENGTH
};

/* The chance of a rank and those before it. */
static double *zipf_new(double exponent)
{
    double *sums = malloc(UNIVERSE * sizeof *sums);
    double sum = 0;
    if (!sums) exit(1);
    for (unsigned i = 0; i < UNIVERSE; i++) sums[i] = sum += pow(i + 1, -exponent);
    for (unsigned i = 0; i < UNIVERSE; i++) sums[i] /= sum;
    return sums;
}

static uint32_t zipf_draw(const double *sums, struct random *random)
{
    double chance = (double)(random_next(random) >> 11) * 0x1p-53;
    uint32_t low = 0;
    uint32_t high = UNIVERSE - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sums[middle] < chance)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An LRU list of names by number; the last element is the head of the ring. */
struct lru {
    uint32_t *newer;
    uint32_t *older;
    bool *has;
    uint32_t count;
    uint32_t max;
};

static struct lru lru_make(uint32_t max)
{
    struct lru lru = {.newer = malloc((NAMES + 1) * sizeof *lru.newer),
                      .older = malloc((NAMES + 1) * sizeof *lru.older),
                      .has = calloc(NAMES, sizeof *lru.has),
                      .max = max};
    if (!lru.newer || !lru.older || !lru.has) exit(1);
    lru.newer[NAMES] = lru.older[NAMES] = NAMES;
    return lru;
}

static void lru_free(struct lru *lru)
{
    free(lru->newer);
    free(lru->older);
    free(lru->has);
}

static void lru_remove(struct lru *lru, uint32_t name)
{
    lru->newer[lru->older[name]] = lru->newer[name];
    lru->older[lru->newer[name]] = lru->older[name];
    lru->has[name] = false;
    lru->count--;
}

static bool lru_ask(struct lru *lru, uint32_t name)
{
    bool hit = lru->has[name];
    if (hit)
        lru_remove(lru, name);
    else if (lru->count == lru->max)
        lru_remove(lru, lru->newer[NAMES]);
    lru->newer[name] = NAMES;
    lru->older[name] = lru->older[NAMES];
    lru->newer[lru->older[NAMES]] = name;
    lru->older[NAMES] = name;
    lru->has[name] = true;
    lru->count++;
    return hit;
}

static bool cache_ask(struct cache *cache, uint32_t number)
{
    const uint8_t value[VALUE_BYTES] = {0};
    struct name name;
    if (cache_has(cache, name_of(&name, number))) return true;
    cache_put(cache, &name.key, value, sizeof value, FOR_EVER, 0);
    return false;
}

static bool ask(struct cache *cache, struct lru *lru, uint32_t name)
{
    return cache ? cache_ask(cache, name) : lru_ask(lru, name);
}

/* The part of the stream's asks that hit (a scan's cannot), by the cache or else by the list. */
static double hit_ratio(struct cache *cache, struct lru *lru, const double *sums, bool scans)
{
    struct random random = {7};
    uint32_t hits = 0;
    uint32_t once = UNIVERSE;
    for (uint32_t i = 0; i < ASKS; i++) {
        bool hit = ask(cache, lru, zipf_draw(sums, &random));
        if (i >= ASKS / 4) hits += hit;
        for (uint32_t j = 0; scans && i % SCAN_EVERY == SCAN_EVERY - 1 && j < SCAN_LENGTH; j++) ask(cache, lru, once++);
    }
    return (double)hits / (ASKS - ASKS / 4);
}

static void measure_hits(double exponent, bool scans)
{
    double *sums = zipf_new(exponent);
    struct cache *cache = cache_make(8 * MIB);
    double ours = hit_ratio(cache, NULL, sums, scans);
    struct lru lru = lru_make((uint32_t)cache_figures(cache).entries);
    double lrus = hit_ratio(NULL, &lru, sums, scans);
    printf("hits, Zipf %.1f, %d names, %u entries, %s: %.1f %%, LRU %.1f %%, best possible %.1f %%\n", exponent,
           UNIVERSE, (unsigned)lru.max, scans ? "scans" : "no scans", 100 * ours, 100 * lrus, 100 * sums[lru.max - 1]);
    lru_free(&lru);
    cache_free(cache);
    free(sums);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    measure_bytes();
    measure_lookups();
    for (unsigned i = 0; i < 4; i++) measure_hits(i < 2 ? 0.9 : 1.0, i % 2);
    return 0;
}
