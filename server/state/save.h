/* save: writes a snapshot of the shared tables beside the workers: one entry after the other is copied under the lock
 * of its stripe and written without it. One thread. */
#ifndef STATE_SAVE_H
#define STATE_SAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "queries/forwarder.h"
#include "state/pace.h"

enum { STATE_COOKIE_KEY_BYTES = 16 };

/* What a snapshot is made of. */
struct save_source {
    const struct shared_tables *shared;
    uint64_t origin; /* of the answers, see snapshot.h */
    uint32_t top;    /* names at most */
    bool has_cookie_key;
    uint8_t cookie_key[STATE_COOKIE_KEY_BYTES];
};

enum save_result {
    SAVE_WRITTEN, /* whole, or what was possible before the deadline of `pace` */
    SAVE_FAILED,  /* `ret_error` is the errno */
    SAVE_STOPPED,
};

/* Writes to `out`, which stays the caller's. `ret_entries`: how many names and answers. */
enum save_result save_write(const struct save_source *source, struct pace *pace, FILE *out, uint64_t *ret_entries,
                            int *ret_error);

#endif
