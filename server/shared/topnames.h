/* topnames: which questions are asked most, and when each of them wants to be asked upstream again.
 *
 * A question enters the table of the top only once it was asked more often than the least of those there, and at least
 * twice, as counted by `candidates`: names asked once never do, however many there are. All counts are halved every
 * half-life, so that a name nobody asks for any more sinks, and falls out when it comes below two.
 *
 * Keys are bytes; the caller's hash says which stripe, and each stripe has its part of the top (one stripe below 64
 * names, at most 64). The order is exact within a stripe. Memory is reserved at the start and touched as it fills:
 * 550 to 800 bytes for each name of `top`. Locks: one stripe's, a leaf. Any thread; each name belongs to one worker,
 * who refreshes it. */
#ifndef SHARED_TOPNAMES_H
#define SHARED_TOPNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

enum { TOPNAMES_KEY_MAX = 258 }; /* longer keys are not ranked */

struct topnames_options {
    uint32_t top;          /* names kept; 0 = none */
    uint64_t half_life_ns; /* of the counts; 0 = they stay */
};

struct topnames;

/* NULL where memory is short. */
struct topnames *topnames_new(const struct topnames_options *options);
void topnames_free(struct topnames *topnames);

/* A new half-life (reload), from the next ask on. `top` stays as it is. */
void topnames_set_options(struct topnames *topnames, const struct topnames_options *options);

/* Counts one ask. `expires_ns` is when the answer given ends (0: not known): looked at where the name's lifetime is not
 * known yet. */
void topnames_count(struct topnames *topnames, const struct hashed_key *key, uint64_t expires_ns, uint64_t now_ns);

/* A new answer is in the cache from now on; ignored where the name is not of the top. With a lifetime under a second
 * the name is not refreshed until the next one. Not for failures: without it a name that was due is due again after a
 * second. */
void topnames_answered(struct topnames *topnames, const struct hashed_key *key, uint64_t lifetime_ns, uint64_t now_ns);

/* One of the top whose answer ends soon. */
struct topname_due {
    uint16_t size;
    uint8_t bytes[TOPNAMES_KEY_MAX];
    bool asked; /* since its last answer: the refresh takes the place of a client's question; otherwise it is made on
                   speculation */
};

/* Takes up to `max` names that are due from those of `worker` (0..workers-1) of `workers`; they are not due again until
 * answered, or for a second. A name is due when the last tenth of its lifetime begins, at least a second before its end
 * (half the lifetime where it is under 2 s), and up to 0.3 of that earlier, at random, so that names answered together
 * are not asked together. `ret_next_ns` is when to come again: not after the next is due, at most a quarter of a second
 * from now (others may be answered meanwhile; a second where there are no names), at once where more than `max` are
 * due. */
size_t topnames_take_due(struct topnames *topnames, unsigned worker, unsigned workers, uint64_t now_ns,
                         struct topname_due *ret_due, size_t max, uint64_t *ret_next_ns);

/* The most asked first, for people; counts as of each stripe's last ask. */
struct topname {
    uint16_t size;
    uint8_t bytes[TOPNAMES_KEY_MAX];
    uint32_t queries; /* halved every half-life */
};
size_t topnames_list(struct topnames *topnames, struct topname *ret_names, size_t max);

#endif
