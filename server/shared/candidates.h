/* candidates: how often names that are not of the top were asked lately, in fixed memory: who might become one.
 *
 * A table of sets of eight counters, a cache line each, as the sets of a processor's cache; a counter carries 40 bits
 * of its name's hash. A name that finds no counter in its set takes the place of one that counts a single ask, else it
 * wears the lowest down by one (Misra, Gries 1982). So the count of a name is never above its asks (but for two names
 * alike in 40 bits, in one set), however many others are asked: a scan of names asked once is a scan of ones. A
 * count-min sketch of the same size says less than that: what collides in it is added up. Not locked: whoever owns it
 * holds its lock. */
#ifndef SHARED_CANDIDATES_H
#define SHARED_CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

enum { CANDIDATES_WAYS = 8 };

struct candidates {
    uint64_t *cells; /* 40 bits of hash above, 24 of count below; 0 = free */
    uint32_t sets;   /* a power of two, at most 2^18 */
    uint32_t turn;   /* where the next search in a set begins, so that not always the same one gives way */
};

/* The memory of `cells`, zeroed, is the caller's: sets * CANDIDATES_WAYS of them. */
void candidates_init(struct candidates *candidates, uint64_t *cells, uint32_t sets);

/* Counts one ask of the name with this hash (bits 58 and up are not looked at); returns its asks, this one included. */
uint32_t candidates_count(struct candidates *candidates, uint64_t hash);

void candidates_forget(struct candidates *candidates, uint64_t hash);

/* Halves all counts `times` times; those that come to 0 are free again. */
void candidates_halve(struct candidates *candidates, unsigned times);

#endif
