#include "shared/topnames.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/random.h"
#include "shared/candidates.h"
#include "shared/reserve.h"
#include "shared/topnames_state.h"

enum {
    STRIPES_MAX = 64,
    STRIPE_NAMES_MIN = 32, /* with fewer, the distribution over the stripes would be too uneven */
    CELLS_PER_NAME =
        32,          /* other names that may be asked between two queries for a name that is about to enter the table */
    QUERIES_MIN = 2, /* most names that are asked once are not asked again */
    QUERIES_MAX = INT32_MAX
};

#define RETRY_NS      NS_PER_S
#define LIFETIME_MIN  NS_PER_S
#define LOOK_NS       (250 * NS_PER_MS) /* below 0.35 s, the earliest time at which a new answer can be due */
#define LOOK_EMPTY_NS NS_PER_S          /* without names, so that an idle program rarely wakes */

/* --- memory --- */

static uint32_t power_of_two(uint32_t least)
{
    uint32_t power = 1;
    while (power < least && power < UINT32_C(1) << 31) power *= 2;
    return power;
}

/* Takes `bytes` of the reserved memory; before it is reserved, only adds up the size. */
static void *carve(struct topnames *topnames, size_t bytes)
{
    size_t at = topnames->memory_bytes;
    topnames->memory_bytes += (bytes + 63) / 64 * 64;
    return topnames->memory ? topnames->memory + at : NULL;
}

static void carve_stripe(struct topnames *topnames, struct stripe *stripe, uint32_t size)
{
    uint32_t buckets = power_of_two(size);
    uint32_t sets = power_of_two(size * (CELLS_PER_NAME / CANDIDATES_WAYS));
    stripe->size = size;
    stripe->bucket_mask = buckets - 1;
    candidates_init(&stripe->candidates, carve(topnames, sizeof(uint64_t) * CANDIDATES_WAYS * sets), sets);
    stripe->buckets = carve(topnames, sizeof *stripe->buckets * buckets);
    stripe->links = carve(topnames, sizeof *stripe->links * size);
    stripe->queries = carve(topnames, sizeof *stripe->queries * size);
    stripe->due_ns = carve(topnames, sizeof *stripe->due_ns * size);
    stripe->names = carve(topnames, sizeof *stripe->names * size);
}

static void carve_all(struct topnames *topnames, uint32_t top)
{
    topnames->memory_bytes = 0;
    for (unsigned i = 0; i < topnames->stripe_count; i++)
        carve_stripe(topnames, &topnames->stripes[i],
                     top / topnames->stripe_count + (i < top % topnames->stripe_count));
}

struct topnames *topnames_new(const struct topnames_options *options)
{
    struct topnames *topnames = calloc(1, sizeof *topnames);
    if (!topnames) return NULL;
    atomic_init(&topnames->half_life_ns, options->half_life_ns);
    topnames->stripe_count = 1;
    for (topnames->stripe_shift = 32; topnames->stripe_count < STRIPES_MAX; topnames->stripe_shift--) {
        if (options->top / topnames->stripe_count / 2 < STRIPE_NAMES_MIN) break;
        topnames->stripe_count *= 2;
    }
    topnames->stripes = aligned_alloc(alignof(struct stripe), topnames->stripe_count * sizeof *topnames->stripes);
    if (!topnames->stripes) goto fail;
    for (unsigned i = 0; i < topnames->stripe_count; i++) {
        topnames->stripes[i] = (struct stripe){.next_due_ns = CLOCK_NEVER, .random = {i}};
        pthread_mutex_init(&topnames->stripes[i].lock, NULL);
    }
    carve_all(topnames, options->top);
    topnames->memory = reserve_new(topnames->memory_bytes);
    if (!topnames->memory) goto fail;
    carve_all(topnames, options->top);
    return topnames;
fail:
    free(topnames->stripes);
    free(topnames);
    return NULL;
}

void topnames_set_options(struct topnames *topnames, const struct topnames_options *options)
{
    atomic_store_explicit(&topnames->half_life_ns, options->half_life_ns, memory_order_relaxed);
}

void topnames_free(struct topnames *topnames)
{
    if (!topnames) return;
    for (unsigned i = 0; i < topnames->stripe_count; i++) pthread_mutex_destroy(&topnames->stripes[i].lock);
    reserve_free(topnames->memory, topnames->memory_bytes);
    free(topnames->stripes);
    free(topnames);
}

/* --- the table of a stripe --- */

static uint32_t *bucket_of(const struct stripe *stripe, uint64_t hash)
{
    return &stripe->buckets[hash & stripe->bucket_mask];
}

/* Bits that select neither the stripe nor, in a table of a usual size, the bucket. */
static uint32_t print_of(uint64_t hash)
{
    return (uint32_t)(hash >> 16);
}

static bool name_is(const struct name *name, const struct hashed_key *key)
{
    return name->hash == key->hash && name->size == key->size && memcmp(name->bytes, key->bytes, key->size) == 0;
}

/* The index of a name, plus one, or 0. */
static uint32_t find(const struct stripe *stripe, const struct hashed_key *key)
{
    uint32_t at = *bucket_of(stripe, key->hash);
    while (at) {
        const struct link *link = &stripe->links[at - 1];
        if (link->print == print_of(key->hash) && name_is(&stripe->names[at - 1], key)) break;
        at = link->next;
    }
    return at;
}

/* The link that refers to this index. */
static uint32_t *link_to(const struct stripe *stripe, uint32_t index)
{
    uint32_t *link = bucket_of(stripe, stripe->names[index].hash);
    while (*link != index + 1) link = &stripe->links[*link - 1].next;
    return link;
}

/* Removes a name; the last one moves to its index. */
static void remove_name(struct stripe *stripe, uint32_t index)
{
    CHECK(index < stripe->used);
    *link_to(stripe, index) = stripe->links[index].next;
    uint32_t last = --stripe->used;
    if (index == last) return;
    *link_to(stripe, last) = index + 1;
    stripe->links[index] = stripe->links[last];
    stripe->names[index] = stripe->names[last];
    stripe->queries[index] = stripe->queries[last];
    stripe->due_ns[index] = stripe->due_ns[last];
}

static uint32_t add_name(struct stripe *stripe, const struct hashed_key *key, uint32_t queries)
{
    CHECK(stripe->used < stripe->size);
    uint32_t index = stripe->used++;
    struct name *name = &stripe->names[index];
    uint32_t *bucket = bucket_of(stripe, key->hash);
    name->hash = key->hash;
    name->size = key->size;
    name->known = false;
    memcpy(name->bytes, key->bytes, key->size);
    stripe->links[index] = (struct link){*bucket, print_of(key->hash)};
    *bucket = index + 1;
    stripe->queries[index] = queries;
    stripe->due_ns[index] = CLOCK_NEVER;
    return index;
}

/* Makes room for a name with this count if it is above the lowest count in the table. `least` is a lower bound, because
 * counts only grow until they are halved. So most candidates are rejected without a search, and each search makes it
 * exact. */
static bool make_room(struct stripe *stripe, uint32_t queries)
{
    if (stripe->used < stripe->size) return true;
    if (queries <= stripe->least) return false;
    uint32_t index = 0;
    for (uint32_t i = 1; i < stripe->used; i++)
        if (stripe->queries[i] < stripe->queries[index]) index = i;
    stripe->least = stripe->queries[index];
    if (queries <= stripe->least) return false;
    remove_name(stripe, index);
    return true;
}

/* --- time --- */

/* Halves the counts once for each half-life that has passed. */
static void age(struct stripe *stripe, uint64_t half_life_ns, uint64_t now_ns)
{
    if (half_life_ns == 0 || now_ns < stripe->halved_ns || now_ns - stripe->halved_ns < half_life_ns) return;
    uint64_t passed = (now_ns - stripe->halved_ns) / half_life_ns;
    unsigned times = passed < 31 ? (unsigned)passed : 31;
    stripe->halved_ns = stripe->halved_ns ? stripe->halved_ns + passed * half_life_ns : now_ns;
    for (uint32_t i = stripe->used; i-- > 0;) {
        stripe->queries[i] >>= times;
        if (stripe->queries[i] < QUERIES_MIN) remove_name(stripe, i);
    }
    stripe->least >>= times;
    candidates_halve(&stripe->candidates, times);
}

/* How long before its expiry an answer with `left_ns` left is refreshed. */
static uint64_t lead_ns(struct random *random, uint64_t left_ns)
{
    uint64_t lead = left_ns / 10 > NS_PER_S ? left_ns / 10 : NS_PER_S;
    if (lead > left_ns / 2) lead = left_ns / 2;
    return random_jitter(random, lead / 10 * 13, 23); /* 1.3 to 1.0 */
}

static void set_due(struct stripe *stripe, uint32_t index, uint64_t left_ns, uint64_t now_ns)
{
    uint64_t due_ns = now_ns + left_ns - lead_ns(&stripe->random, left_ns);
    stripe->names[index].known = true;
    stripe->due_ns[index] = due_ns;
    if (due_ns < stripe->next_due_ns) stripe->next_due_ns = due_ns;
}

/* --- topnames --- */

static struct stripe *stripe_of(const struct topnames *topnames, const struct hashed_key *key)
{
    return &topnames->stripes[key->hash >> 32 >> topnames->stripe_shift];
}

/* Counts a query. Returns the index of the name plus one if it is in the table now, else 0. Inline: a call is 25 of the
 * 2,200 instructions of an answer from the cache. */
static inline __attribute__((always_inline)) uint32_t count_in_stripe(struct stripe *stripe,
                                                                      const struct hashed_key *key)
{
    uint32_t link = find(stripe, key);
    if (link) {
        stripe->queries[link - 1] += stripe->queries[link - 1] < QUERIES_MAX;
        return link;
    }
    uint32_t queries = candidates_count(&stripe->candidates, key->hash);
    if (queries < QUERIES_MIN || !make_room(stripe, queries)) return 0;
    candidates_forget(&stripe->candidates, key->hash);
    return add_name(stripe, key, queries) + 1;
}

void topnames_prefetch(const struct topnames *topnames, const struct hashed_key *key)
{
    const struct stripe *stripe = stripe_of(topnames, key);
    __builtin_prefetch(&stripe->lock, 1);
    __builtin_prefetch(bucket_of(stripe, key->hash));
}

void topnames_prefetch_candidate(const struct topnames *topnames, const struct hashed_key *key)
{
    candidates_prefetch(&stripe_of(topnames, key)->candidates, key->hash);
}

/* Notes that the name with this link was asked. */
static inline void note_asked(struct stripe *stripe, uint32_t link, uint64_t expires_ns, uint64_t now_ns)
{
    struct name *name = &stripe->names[link - 1];
    if (!name->asked) name->asked = true; /* written once, so that all processors can share the line */
    if (!name->known && expires_ns) set_due(stripe, link - 1, expires_ns > now_ns ? expires_ns - now_ns : 0, now_ns);
}

bool topnames_count(struct topnames *topnames, const struct hashed_key *key, uint64_t expires_ns, uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(topnames, key);
    if (key->size > TOPNAMES_KEY_MAX || stripe->size == 0) return false;
    pthread_mutex_lock(&stripe->lock);
    age(stripe, atomic_load_explicit(&topnames->half_life_ns, memory_order_relaxed), now_ns);
    uint32_t link = count_in_stripe(stripe, key);
    if (link) note_asked(stripe, link, expires_ns, now_ns);
    pthread_mutex_unlock(&stripe->lock);
    return link != 0;
}

void topnames_count_times(struct topnames *topnames, const struct hashed_key *key, uint32_t times, uint64_t expires_ns,
                          uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(topnames, key);
    if (key->size > TOPNAMES_KEY_MAX || stripe->size == 0) return;
    pthread_mutex_lock(&stripe->lock);
    age(stripe, atomic_load_explicit(&topnames->half_life_ns, memory_order_relaxed), now_ns);
    uint32_t link = 0;
    for (; !link && times > 0; times--) link = count_in_stripe(stripe, key);
    if (link) {
        uint32_t room = QUERIES_MAX - stripe->queries[link - 1];
        stripe->queries[link - 1] += times < room ? times : room;
        note_asked(stripe, link, expires_ns, now_ns);
    }
    pthread_mutex_unlock(&stripe->lock);
}

void topnames_answered(struct topnames *topnames, const struct hashed_key *key, uint64_t lifetime_ns, uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(topnames, key);
    if (key->size > TOPNAMES_KEY_MAX || stripe->size == 0) return;
    pthread_mutex_lock(&stripe->lock);
    uint32_t link = find(stripe, key);
    if (link) {
        struct name *name = &stripe->names[link - 1];
        name->asked = false;
        name->known = true;
        stripe->due_ns[link - 1] = CLOCK_NEVER;
        if (lifetime_ns >= LIFETIME_MIN) set_due(stripe, link - 1, lifetime_ns, now_ns);
    }
    pthread_mutex_unlock(&stripe->lock);
}

static size_t take_due(struct stripe *stripe, uint64_t now_ns, struct topname_due *ret_due, size_t max)
{
    size_t count = 0;
    if (stripe->next_due_ns > now_ns) return 0;
    stripe->next_due_ns = CLOCK_NEVER;
    for (uint32_t i = 0; i < stripe->used; i++) {
        if (stripe->due_ns[i] <= now_ns && count < max) {
            const struct name *name = &stripe->names[i];
            struct topname_due *due = &ret_due[count++];
            due->size = name->size;
            due->asked = name->asked;
            memcpy(due->bytes, name->bytes, name->size);
            stripe->due_ns[i] = now_ns + RETRY_NS;
        }
        if (stripe->due_ns[i] < stripe->next_due_ns) stripe->next_due_ns = stripe->due_ns[i];
    }
    return count;
}

size_t topnames_take_due(struct topnames *topnames, unsigned worker, unsigned workers, uint64_t now_ns,
                         struct topname_due *ret_due, size_t max, uint64_t *ret_next_ns)
{
    size_t count = 0;
    bool empty = true;
    uint64_t next_ns = now_ns + LOOK_EMPTY_NS;
    for (unsigned i = worker; i < topnames->stripe_count; i += workers) {
        struct stripe *stripe = &topnames->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        age(stripe, atomic_load_explicit(&topnames->half_life_ns, memory_order_relaxed), now_ns);
        count += take_due(stripe, now_ns, ret_due + count, max - count);
        if (stripe->next_due_ns < next_ns) next_ns = stripe->next_due_ns;
        if (stripe->used > 0) empty = false;
        pthread_mutex_unlock(&stripe->lock);
    }
    if (!empty && next_ns > now_ns + LOOK_NS) next_ns = now_ns + LOOK_NS;
    *ret_next_ns = next_ns;
    return count;
}

/* --- the state over a restart --- */

bool topnames_restore(struct topnames *topnames, const struct hashed_key *key, uint32_t queries, uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(topnames, key);
    if (key->size > TOPNAMES_KEY_MAX || queries < QUERIES_MIN || queries > QUERIES_MAX) return false;
    pthread_mutex_lock(&stripe->lock);
    if (stripe->halved_ns == 0) stripe->halved_ns = now_ns; /* or its count would be halved by the time before */
    bool is_there = find(stripe, key) != 0;
    if (!is_there && stripe->used < stripe->size) {
        stripe->names[add_name(stripe, key, queries)].asked = false;
        is_there = true;
    }
    pthread_mutex_unlock(&stripe->lock);
    return is_there;
}
