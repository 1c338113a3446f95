/* topnames: the questions asked most, and when each of them should be refreshed.
 *
 * A question enters the table when it was asked at least twice and more often than the least asked question there, as
 * counted by `candidates`; names that are asked once never enter. All counts are halved every half-life, and a name is
 * removed when its count falls below two.
 *
 * Keys are bytes. The hash selects a stripe, and each stripe holds its part of the table (one stripe below 64 names, at
 * most 64). The order is exact within a stripe. Memory is reserved at the start and used as the table fills: 560 to 820
 * bytes for each name of `top`. Locks: the mutex of one stripe, a leaf. Any thread. Each name belongs to one worker,
 * which refreshes it. */
#ifndef SHARED_TOPNAMES_H
#define SHARED_TOPNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

enum { TOPNAMES_KEY_MAX = 262 }; /* longer keys are not ranked */

struct topnames_options {
    uint32_t top;          /* number of names; 0 = none */
    uint64_t half_life_ns; /* of the counts; 0 = never halved */
};

struct topnames;

/* NULL if memory is short. */
struct topnames *topnames_new(const struct topnames_options *options);
void topnames_free(struct topnames *topnames);

/* A new half-life (reload), from the next ask on. `top` stays as it is. */
void topnames_set_options(struct topnames *topnames, const struct topnames_options *options);

/* Begins to bring what topnames_count will read of this key from memory, so that it need not wait for it. */
void topnames_prefetch(const struct topnames *topnames, const struct hashed_key *key);

/* The same of a key that is probably not in the table. */
void topnames_prefetch_candidate(const struct topnames *topnames, const struct hashed_key *key);

/* Counts one query. `expires_ns` is the expiry of the answer that was given (0: unknown); it is used while the lifetime
 * of the name is unknown. True if the name is in the table now. */
bool topnames_count(struct topnames *topnames, const struct hashed_key *key, uint64_t expires_ns, uint64_t now_ns);

/* The same for `times` queries, as if they were counted one after the other, but with one lock. For a name that is not
 * in the table the lock is held for longer, the more there are. */
void topnames_count_times(struct topnames *topnames, const struct hashed_key *key, uint32_t times, uint64_t expires_ns,
                          uint64_t now_ns);

/* Tells that a new answer is in the cache; ignored if the name is not in the table, where it need not be told: a name
 * that comes into the table later is counted with what is known of its answer then. With a lifetime below one second
 * the name is not refreshed until the next answer. Not to be called for failures: a name that was due and got no answer
 * is due again after a second. */
void topnames_answered(struct topnames *topnames, const struct hashed_key *key, uint64_t lifetime_ns, uint64_t now_ns);

/* A name whose answer expires soon. */
struct topname_due {
    uint16_t size;
    uint8_t bytes[TOPNAMES_KEY_MAX];
    bool asked; /* since its last answer: the refresh replaces a question that a client would cause; otherwise it is
                   speculative */
};

/* Takes up to `max` due names of `worker` (0..workers-1) of `workers`; each is due again after an answer, or after a
 * second. A name is due when the last tenth of its lifetime begins, at least a second before its expiry (half the
 * lifetime if that is below 2 s), and up to 0.3 of that time earlier, at random, so that names that were answered
 * together are not refreshed together. `ret_next_ns` is when to call again: not later than the next name is due, at
 * most a quarter of a second from now (other names may be answered meanwhile; one second if there are no names), and at
 * once if more than `max` are due. */
size_t topnames_take_due(struct topnames *topnames, unsigned worker, unsigned workers, uint64_t now_ns,
                         struct topname_due *ret_due, size_t max, uint64_t *ret_next_ns);

/* Lists the names, the most asked first, for the status page; counts are as old as the last query of each stripe. */
struct topname {
    uint16_t size;
    uint8_t bytes[TOPNAMES_KEY_MAX];
    uint32_t queries; /* halved every half-life */
};
size_t topnames_list(struct topnames *topnames, struct topname *ret_names, size_t max);

/* ---- for the state over a restart ---- */

/* How far a walk through the names has come; all zero: the beginning. */
struct topnames_cursor {
    unsigned stripe;
    uint32_t index;
};

/* Copies the next name; false at the end. A lock is held for the copy of one name. Names that come or go meanwhile may
 * be seen twice or not at all. */
bool topnames_next(struct topnames *topnames, struct topnames_cursor *cursor, struct topname *ret_name);

/* Adds a name of an earlier run, with its count at that time, if it is not in the table and there is room; a name that
 * clients ask now is worth more. True if it is in the table then. Nothing is known of its answer yet. */
bool topnames_restore(struct topnames *topnames, const struct hashed_key *key, uint32_t queries, uint64_t now_ns);

#endif
