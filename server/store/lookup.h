/* lookup: a question to the store, from when it is asked until it is over, and what its owner is told. Data only. */
#ifndef STORE_LOOKUP_H
#define STORE_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "store/entry.h"

struct store_lookup;

enum store_outcome {
    STORE_HIT,     /* on_entry used an entry */
    STORE_MISS,    /* there is no entry that can be used */
    STORE_FAILED,  /* the store said that it cannot, or the connection ended */
    STORE_CLAIMED, /* of a refresh: there is no newer entry, and it is ours to ask upstream */
    STORE_LEFT,    /* of a refresh: there is no newer entry, and another instance asks upstream */
};

enum store_use {
    STORE_USED,
    STORE_REJECTED, /* it may not be used; the owner has counted why */
    STORE_OLD,      /* of a refresh: it is no newer than what is here */
};

struct store_events {
    /* An entry with the right signature; nothing else of it is judged yet. The lookup stays where it is. */
    enum store_use (*on_entry)(struct store_lookup *lookup, const struct entry *entry);
    /* It did not answer as soon as it should: once at most, and the others may follow. */
    void (*on_late)(struct store_lookup *lookup);
    /* The lookup is over; the last call, and the owner may free it. */
    void (*on_done)(struct store_lookup *lookup, enum store_outcome outcome);
};

/* The owner embeds it, zeroed, and keeps it where it is until it is over or cancelled. */
struct store_lookup {
    const struct store_events *events;
    struct list waiting;   /* in the store's list, until it is late */
    uint64_t asked_ns;     /* attended time (common/loop.h) */
    uint64_t replies_from; /* number of the first command whose reply concerns it; 0: it is not asked */
    bool is_refresh;
    bool has_result; /* the store has replied to it; of a refresh the reply to the claim may follow */
    struct entry_digest digest;
};

static inline bool store_lookup_is_asked(const struct store_lookup *lookup)
{
    return lookup->replies_from != 0;
}

#endif
