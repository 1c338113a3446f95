/* hot_answers: a worker's own copies of the answers that it is asked for most, so that one name that is asked all the
 * time is not bound by the lock of its stripe of the cache.
 *
 * A copy is used only while a look-up in the cache would do nothing but give the same answer (cache_is_valid): it is
 * fresh, no refresh of it is due, and nothing in its stripe was stored, replaced, removed, purged or evicted since. So
 * its mark of use in the cache is still set, too. In every other case the cache is asked, as without this table: it
 * tells of refreshes, and has the stale answers. The key is compared whole, so another type, flag or route is another
 * answer.
 *
 * What a hit must still do is the caller's: admission and rate limit before it; then ageing, rotation, notices and the
 * counters as for any fresh answer. Only the query's count among the top names is taken together with others: all are
 * counted at the end of the turn, or when there are HOT_ANSWERS_BATCH of a name, and none is lost.
 *
 * Which names have a copy: each place of the table, selected by the hash, is held by the name that was asked most of
 * those that share it, found by a majority vote (Boyer, Moore 1981). Its answer is copied when it is HOT_ANSWERS_VOTES
 * ahead of all the others together. So a name that is one of many is never copied, and costs a dozen instructions.
 * Votes decide nothing but that.
 *
 * Bound: HOT_ANSWERS places, 88 KiB; a larger answer than HOT_ANSWER_BYTES is not copied. Errors: none; what cannot be
 * copied is found in the cache. One thread. */
#ifndef QUERIES_HOT_ANSWERS_H
#define QUERIES_HOT_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"
#include "dns/question.h"
#include "shared/cache.h"
#include "shared/topnames.h"

enum {
    HOT_ANSWERS = 64,
    HOT_ANSWER_BYTES = 1024,
    HOT_ANSWERS_VOTES = 16,
    HOT_ANSWERS_BATCH = 64, /* a microsecond or two of a lock, also for a name that is not among the top names */
};

struct hot_place {
    uint64_t hash;  /* of the key that holds it, */
    uint32_t ahead; /* and how many more times it was asked than the others */
};

struct hot_answer; /* the copy of a place */

struct hot_answers {
    struct cache *cache; /* the owner's, as the top names */
    struct topnames *topnames;
    struct hot_place places[HOT_ANSWERS];
    struct hot_answer *answers; /* of the places */
    uint64_t uncounted;         /* bit n: answers[n] was used, and not all of that is counted yet */
};

/* False if memory is short. Both tables outlive it. */
bool hot_answers_init(struct hot_answers *hot, struct cache *cache, struct topnames *topnames);

/* To be called when all is counted, or the top names do not matter any more. */
void hot_answers_done(struct hot_answers *hot);

/* Notes that a key is asked for. Of queries that come in one batch the first is enough: what is asked most is also what
 * most batches begin with, and the others cost nothing then. */
static inline void hot_answers_vote(struct hot_answers *hot, uint64_t hash)
{
    enum { AHEAD_MAX = 2 * HOT_ANSWERS_VOTES };
    struct hot_place *place = &hot->places[hash % HOT_ANSWERS];
    if (place->hash == hash)
        place->ahead += place->ahead < AHEAD_MAX;
    else if (place->ahead > 0)
        place->ahead--;
    else /* the former copy stays until there is another, as its use may still have to be counted */
        *place = (struct hot_place){hash, 1};
}

/* Whether a key is asked so often that hot_answers_find may have its answer. Then what the cache has of it need not be
 * brought from memory: the line of a lock, above all, which all workers would take from each other. */
static inline bool hot_answers_may_have(const struct hot_answers *hot, uint64_t hash)
{
    const struct hot_place *place = &hot->places[hash % HOT_ANSWERS];
    return place->hash == hash && place->ahead >= HOT_ANSWERS_VOTES;
}

/* Copies a fresh answer of the key to `out`, and says of it what cache_find would. NULL: the cache is to be asked. The
 * result is good until the next call; the query that it answers is to be counted by then. */
struct hot_answer *hot_answers_find(struct hot_answers *hot, const struct hashed_key *key, uint64_t now_ns,
                                    uint8_t out[static HOT_ANSWER_BYTES], struct cache_found *ret_found);

/* A query was answered with it; `expires_ns` is when the answer ends. To be counted among the top names. */
void hot_answers_count(struct hot_answers *hot, struct hot_answer *answer, uint64_t expires_ns, uint64_t now_ns);

/* At the end of every turn, when all messages were handled: counts what is not counted yet. */
void hot_answers_count_all(struct hot_answers *hot, uint64_t now_ns);

#endif
