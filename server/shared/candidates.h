/* candidates: counts of recent queries for names outside the top, in fixed memory, to find names that belong in it.
 *
 * The table consists of sets of eight counters, one cache line each. A counter holds 40 bits of the hash of its name. A
 * name without a counter in its set replaces a counter whose value is one; if there is none, it decrements the lowest
 * counter (Misra, Gries 1982). So a count is never higher than the number of queries for the name (except for two names
 * in one set whose 40 bits are equal), however many other names are asked. A count-min sketch of the same size would
 * add up names that collide. No lock: the owner holds its own. */
#ifndef SHARED_CANDIDATES_H
#define SHARED_CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

enum { CANDIDATES_WAYS = 8 };

struct candidates {
    uint64_t *cells; /* 40 bits of hash above, 24 of count below; 0 = free */
    uint32_t sets;   /* a power of two, at most 2^18 */
    uint32_t turn;   /* where the next search in a set begins, so that replacements are spread over the set */
};

/* `cells` points to sets * CANDIDATES_WAYS zeroed cells, which the caller owns. */
void candidates_init(struct candidates *candidates, uint64_t *cells, uint32_t sets);

/* Counts one query for the name with this hash (bits 58 and higher are ignored); returns its count, this query
 * included. */
uint32_t candidates_count(struct candidates *candidates, uint64_t hash);

/* Begins to bring what candidates_count will read from memory. Any thread, without the lock. */
void candidates_prefetch(const struct candidates *candidates, uint64_t hash);

void candidates_forget(struct candidates *candidates, uint64_t hash);

/* Halves all counts `times` times; counters that reach 0 become free. */
void candidates_halve(struct candidates *candidates, unsigned times);

#endif
