/* store: a worker's use of the cache that a fleet shares: a Valkey or Redis server (the store) that is asked before
 * upstream, and told what upstream answered.
 *
 * Nobody depends on it: what it does not answer in time is asked upstream beside it, whatever it says is judged like a
 * response of upstream, and what it is not told is lost to nobody but the store. So no function here waits, and none
 * fails in a way that a client could notice.
 *
 * A question is a GET, on the one connection of the worker, in the write that ends the turn. It waits for as long as
 * the store is used to take (smoothed round trip and four times its variance), within STORE_WAIT_MIN_NS and the setting
 * `timeout`; then it is late: its owner asks upstream as well, and the first answer counts.
 *
 * A refresh is a GET, and SET NX of a claim that ends by itself: who gets the claim asks upstream, the others do not.
 *
 * An answer is written by SET with the time that is left, behind what else is to be said. What finds no room is
 * dropped.
 *
 * After three time-outs (breaker.h) or three errors in a row, or when the connection fails or ends, the store is left
 * alone for a while (pipeline.h).
 *
 * Bound: `max_queued` of memory for commands that are not written and for replies that are not there. Everything runs
 * on the worker's thread. Time is that of the loop, less the worker's own delays (loop_attended_ns), where the store is
 * judged by it. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "dns/question.h"
#include "store/entry.h"
#include "store/lookup.h"
#include "store/pipeline.h"
#include "store/setup.h"

/* A question waits so long at least, since the loop counts in milliseconds. */
#define STORE_WAIT_MIN_NS (2 * NS_PER_MS)

struct store;

/* NULL if memory is short. There is no shared cache until store_set_setup. */
struct store *store_new(const struct store_deps *deps);

/* No question may be asked any more. NULL is fine. */
void store_free(struct store *store);

/* Other settings, which are shared, not taken; NULL: there is no shared cache. Questions that are asked end with
 * STORE_FAILED if it is another store. */
void store_set_setup(struct store *store, struct store_setup *setup);

/* NULL: there is no shared cache. */
const struct store_setup *store_setup(const struct store *store);

/* Asks. False: there is no shared cache, or (counted) it cannot be used now, or there is no room. No event is called
 * from within. */
bool store_ask(struct store *store, struct store_lookup *lookup, const struct question_key *key, bool is_refresh);

/* Upstream answered first: the question is over, and no event follows. */
void store_cancel(struct store *store, struct store_lookup *lookup);

/* Every question that waits is late now: where its owner asks is about to change (reload). Each on_late is called. */
void store_hurry(struct store *store);

/* Writes an answer; `entry` has DNS_HEADER_BYTES to DNS_MESSAGE_MAX octets of message, and ends after `now_ms`. Dropped
 * and counted if it cannot be. */
void store_write(struct store *store, const struct question_key *key, const struct entry *entry, uint64_t now_ms);

/* Removes the entry: upstream answered what may not be kept. */
void store_withdraw(struct store *store, const struct question_key *key);

/* In every turn: after its events; when to come next at the latest; and, last, what was said in the turn leaves. */
void store_tick(struct store *store);
uint64_t store_deadline_ns(const struct store *store);
void store_flush(struct store *store);

#endif
