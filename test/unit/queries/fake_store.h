/* fake_store: the cache of a fleet without a store, for tests of what asks it: it takes the place of store.c at link
 * time, so that a test decides what becomes of a question to it, and sees what was written. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/store.h"

enum { FAKE_LOOKUPS_MAX = 64 };

/* What the test sees and decides. */
static struct fake_store {
    struct store_setup setup;
    bool is_down;                                 /* it cannot be asked */
    struct store_lookup *asked[FAKE_LOOKUPS_MAX]; /* in order; NULL once over */
    struct question_key keys[FAKE_LOOKUPS_MAX];
    unsigned count;
    unsigned cancelled;
    unsigned written, withdrawn;
    struct question_key key; /* of what was written or withdrawn last */
    struct entry entry;      /* of what was written last; its message is in `message` */
    uint64_t now_ms;
    uint8_t message[DNS_MESSAGE_MAX];
} fake_store;

const struct store_setup *store_setup(const struct store *store)
{
    (void)store;
    return &fake_store.setup;
}

bool store_ask(struct store *store, struct store_lookup *lookup, const struct question_key *key, bool is_refresh)
{
    (void)store;
    if (fake_store.is_down) return false;
    assert_true(fake_store.count < FAKE_LOOKUPS_MAX);
    assert_false(store_lookup_is_asked(lookup));
    fake_store.keys[fake_store.count] = *key;
    fake_store.asked[fake_store.count++] = lookup;
    lookup->replies_from = fake_store.count;
    lookup->is_refresh = is_refresh;
    return true;
}

void store_cancel(struct store *store, struct store_lookup *lookup)
{
    (void)store;
    assert_true(store_lookup_is_asked(lookup));
    assert_ptr_equal(fake_store.asked[lookup->replies_from - 1], lookup);
    fake_store.asked[lookup->replies_from - 1] = NULL;
    lookup->replies_from = 0;
    fake_store.cancelled++;
}

void store_write(struct store *store, const struct question_key *key, const struct entry *entry, uint64_t now_ms)
{
    (void)store;
    assert_true(entry->expires_ms > now_ms);
    fake_store.written++;
    fake_store.key = *key;
    fake_store.entry = *entry;
    fake_store.now_ms = now_ms;
    memcpy(fake_store.message, entry->message, entry->message_size);
}

void store_withdraw(struct store *store, const struct question_key *key)
{
    (void)store;
    fake_store.withdrawn++;
    fake_store.key = *key;
}

/* ---- what becomes of the n-th question ---- */

static inline struct store_lookup *fake_lookup(unsigned n)
{
    assert_true(n < fake_store.count);
    assert_non_null(fake_store.asked[n]);
    return fake_store.asked[n];
}

static inline void fake_store_late(unsigned n)
{
    struct store_lookup *lookup = fake_lookup(n);
    lookup->events->on_late(lookup);
}

static inline void fake_store_done(unsigned n, enum store_outcome outcome)
{
    struct store_lookup *lookup = fake_lookup(n);
    fake_store.asked[n] = NULL;
    lookup->replies_from = 0;
    lookup->events->on_done(lookup, outcome);
}

/* It has that entry; as store.c does it. Returns what its owner said. */
static inline enum store_use fake_store_entry(unsigned n, const struct entry *entry)
{
    struct store_lookup *lookup = fake_lookup(n);
    enum store_use use = lookup->events->on_entry(lookup, entry);
    if (use == STORE_USED)
        fake_store_done(n, STORE_HIT);
    else if (!lookup->is_refresh)
        fake_store_done(n, STORE_MISS);
    return use;
}

/* None is left on its way. */
static inline bool fake_store_is_idle(void)
{
    for (unsigned i = 0; i < fake_store.count; i++)
        if (fake_store.asked[i]) return false;
    return true;
}

#endif
