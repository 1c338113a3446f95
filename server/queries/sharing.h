/* sharing: what a worker takes from the cache of a fleet, and what it gives to it: entries are judged like responses of
 * an upstream and by their times, and answers of upstream are written with the time that is left.
 *
 * Whose turn it is (store first, then upstream) is decided in forwarder_fetch.c; how the store is asked is in store/.
 * One thread; the purges lock themselves. */
#ifndef QUERIES_SHARING_H
#define QUERIES_SHARING_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "queries/kept_answer.h"
#include "queries/options.h"
#include "shared/purges.h"
#include "store/store.h"

/* So far may another instance's clock be ahead of this one's. */
#define SHARING_AHEAD_MS UINT64_C(2000)

struct sharing {
    struct store *store; /* NULL: there never is a shared cache */
    struct purges *purges;
    struct counters *counters;
    uint8_t *parsed; /* KEPT_ANSWER_BYTES each */
    uint8_t *clamped;
};

/* False if memory is short. Nothing is taken: the store and the purges outlive it. */
bool sharing_init(struct sharing *sharing, struct store *store, struct purges *purges, struct counters *counters);
void sharing_done(struct sharing *sharing);

/* Whether questions of this route are shared; `route` is its identity, 0 the default one. */
bool sharing_concerns(const struct sharing *sharing, uint32_t route);

/* Judges an entry that is signed. False, counted with the reason: it may not be used. The answer is in sharing->clamped
 * until the next call, with TTLs as they are now; it may be kept for `ret_left_ns`. */
bool sharing_judge(struct sharing *sharing, const struct forwarder_options *options, const struct question_key *key,
                   const struct entry *entry, struct answer *ret_answer, uint64_t *ret_left_ns);

/* Whether the key was purged here after an entry was stored, or may have been, as far as clocks differ: to be looked at
 * once the answer is in the cache. Counted. */
bool sharing_is_purged(struct sharing *sharing, const struct question_key *key, const struct entry *entry);

/* Gives the store an answer of upstream, which is kept for `kept_ns` from now on; 0: it may not be kept, and what the
 * store has is removed. A verdict is not shared and removes it, too, or the answer from before would come back; a
 * failure is nobody's answer, and changes nothing. */
void sharing_give(struct sharing *sharing, const struct question_key *key, const struct answer *answer,
                  uint64_t kept_ns);

#endif
