/* purged: the names that were purged while a snapshot is read, so that it does not bring them back.
 *
 * The purger notes the name first and removes it from the cache then; the reader puts an answer into the cache first
 * and looks here then. So one of them removes it, whichever comes first. Lock: a mutex, a leaf. Any thread. */
#ifndef STATE_PURGED_H
#define STATE_PURGED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

enum { PURGED_NAMES_MAX = 32 }; /* while one snapshot is read; more count as everything */

struct purged {
    pthread_mutex_t lock; /* guards what follows */
    bool all;
    unsigned count;
    struct {
        uint8_t size;
        uint8_t bytes[DNS_NAME_MAX];
    } names[PURGED_NAMES_MAX];
};

void purged_init(struct purged *purged);
void purged_done(struct purged *purged);

/* Notes a name, on the wire in lower case; NULL: everything. */
void purged_note(struct purged *purged, const uint8_t *name, size_t size);

enum purged_verdict {
    PURGED_NOT,
    PURGED_NAME,
    PURGED_ALL, /* nothing more of the snapshot may be used */
};
enum purged_verdict purged_look(struct purged *purged, const uint8_t *name, size_t size);

#endif
