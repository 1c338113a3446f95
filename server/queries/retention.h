/* retention: for how long an answer is kept in the cache, and which TTLs clients get because of that. Pure; any
 * thread. */
#ifndef QUERIES_RETENTION_H
#define QUERIES_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/answer.h"
#include "dns/question.h"
#include "queries/options.h"
#include "shared/cache.h"

/* How long the answer may be kept, by its kind and by the settings; 0: not at all. */
uint64_t retention_ns(const struct forwarder_options *options, const struct answer *answer);

/* Copies the answer to `out` (at least ANSWER_BYTES_MAX, elsewhere) with the TTLs that clients get: none is above
 * cache_max_ns (RFC 8767, 4), also if the answer is not kept; those of a positive answer that is not stale are at
 * least cache_min_ns, and those of a negative one at most the time it is kept. A client that gets more than that would
 * use the answer longer than the cache does; one that gets less than cache_min_ns would ask again before the answer is
 * fetched again. */
void retention_clamp_ttls(const struct forwarder_options *options, const struct answer *answer, uint8_t *out,
                          struct answer *ret_clamped);

/* Whether retention_clamp_ttls would change no TTL of the answer. */
bool retention_fits(const struct forwarder_options *options, const struct answer *answer);

/* Whether an answer from the cache may still be given when its time is over: not a failure. The bytes are those of an
 * answer. */
bool retention_is_worth_keeping(const uint8_t *bytes, size_t size);

/* How an answer from the cache is used, by what the cache said of it. Each answer begins its set of records with
 * another one (`rotation`), so that clients that take the first share the load. */
struct answer_use retention_use(enum cache_state state, const struct cache_found *found, const uint8_t *message,
                                uint32_t rotation);

/* Writes a failure of upstream as an answer to `key`, to be kept like any other, to `out`
 * (at least ANSWER_BYTES_MAX). */
void retention_make_failure(const struct question_key *key, const struct answer_error *error, uint8_t *out,
                            struct answer *ret_answer);

#endif
