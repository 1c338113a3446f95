/* purges: what was purged, and when, so that an answer from before that does not come back: one that is asked for at
 * that moment, or that another instance stored in the shared cache.
 *
 * The purger notes the name first and removes it from the cache then; a worker puts an answer into the cache first and
 * looks here then. So one of them removes it, whichever comes first. Purges of this instance are numbered; times are of
 * the wall clock, which the instances of a fleet have in common. Bound: the PURGES_NAMES_MAX names purged last; of
 * more, everything counts as purged when the oldest of them was. Lock: a mutex, a leaf, which nobody takes while
 * nothing was purged. Any thread. */
#ifndef SHARED_PURGES_H
#define SHARED_PURGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PURGES_NAMES_MAX = 64, PURGES_NAME_BYTES = 255 };

struct purges {
    _Atomic uint64_t number; /* of the last purge; 0: there was none */
    pthread_mutex_t lock;    /* guards what follows */
    uint64_t all_number;     /* of the last purge of everything, 0: there was none, */
    uint64_t all_ms;         /* and when that was, ms since 1970 */
    unsigned count;
    struct {
        uint64_t number;
        uint64_t at_ms;
        uint8_t size;
        uint8_t bytes[PURGES_NAME_BYTES];
    } names[PURGES_NAMES_MAX]; /* the oldest first */
};

void purges_init(struct purges *purges);
void purges_done(struct purges *purges);

/* Notes a name, on the wire in lower case; NULL: everything. */
void purges_note(struct purges *purges, const uint8_t *name, size_t size, uint64_t now_ms);

/* The number of the last purge that was noted, for purges_since. */
uint64_t purges_number(const struct purges *purges);

/* Whether the name was purged after the purge of that number. */
bool purges_since(struct purges *purges, const uint8_t *name, size_t size, uint64_t number);

/* Whether the name was purged after `stored_ms`, or in the same millisecond. */
bool purges_concern(struct purges *purges, const uint8_t *name, size_t size, uint64_t stored_ms);

#endif
