/* keeper: the thread that keeps the state over a restart: it loads the snapshot when the listeners are open, saves it
 * every interval, and once more at the end.
 *
 * The thread works beside the workers and takes a share of a processor at most (pace.h). Whatever is wrong with the
 * directory or the file, the program runs; what is wrong is logged once, until it works again. Purging removes the
 * files at once: the next snapshot is made of what is in the cache then. Main thread, except where it says otherwise.
 */
#ifndef STATE_KEEPER_H
#define STATE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/mailbox.h"
#include "metrics/counters.h"
#include "queries/forwarder.h"
#include "state/options.h"
#include "state/save.h"

struct keeper;

/* All of it outlives the keeper. */
struct keeper_deps {
    const struct log *log;
    const struct shared_tables *shared;
    struct mailbox *main_mailbox; /* gets a mail of `saved_kind` when the last snapshot is made, or cannot be made */
    int saved_kind;
};

/* What a reload changes. */
struct keeper_settings {
    struct state_options options; /* the directory is that of the start */
    struct forwarder_options forwarder;
    uint64_t stale_ns;     /* of the cache */
    uint64_t half_life_ns; /* of the top names */
    uint32_t top;
    struct names *names; /* shared, not taken; used while the snapshot is loaded */
    uint64_t origin;     /* of the answers: a number that stands for the upstreams and routes */
    bool has_cookie_key; /* the key of cookies is this process's own */
    uint8_t cookie_key[STATE_COOKIE_KEY_BYTES];
};

/* Opens the snapshot: whatever is purged from now on, the rest of it is loaded, although the file is gone then.
 * NULL: no state is to be kept (`ret_is_off`), or memory is short. */
struct keeper *keeper_new(const struct keeper_deps *deps, const struct keeper_settings *settings, bool *ret_is_off);

/* Ends its thread; a snapshot that is being written is left off. NULL is fine. */
void keeper_free(struct keeper *keeper);

/* Reads the key of cookies of an earlier run, before the thread starts. False if there is none. */
bool keeper_read_cookie_key(struct keeper *keeper, uint8_t ret_key[static STATE_COOKIE_KEY_BYTES]);

/* Starts the thread. False: there is no thread to be had; nothing is kept then. */
bool keeper_start(struct keeper *keeper, const struct keeper_settings *settings);

void keeper_set_settings(struct keeper *keeper, const struct keeper_settings *settings);

/* Makes the last snapshot, without pauses, with what is written by `deadline_ns`; the mail says when it is done. False:
 * there is no thread, and will be no mail. */
bool keeper_save_last(struct keeper *keeper, uint64_t deadline_ns);

/* ---- any thread ---- */

/* Before names are removed from the cache: the snapshot that is being loaded does not bring them back. `name`: on the
 * wire in lower case; NULL: everything. NULL keepers are fine, here and below. */
void keeper_note_purge(struct keeper *keeper, const uint8_t *name, size_t size);

/* After that: removes the snapshot, which has them. False: it cannot be removed, which was logged. */
bool keeper_remove_snapshot(struct keeper *keeper);

struct keeper_figures {
    double snapshot_s; /* seconds since 1970, see metrics/figures.h */
    double bytes;
    double save_s;
    double load_s;
};
struct keeper_figures keeper_figures(struct keeper *keeper);

/* Its thread's counters; NULL without a keeper. */
struct counters *keeper_counters(struct keeper *keeper);

#endif
