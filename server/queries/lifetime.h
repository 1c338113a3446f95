/* lifetime: for how long an answer is kept, and what its TTLs tell clients of that. Pure; any thread. */
#ifndef QUERIES_LIFETIME_H
#define QUERIES_LIFETIME_H

#include <stdint.h>

#include "dns/answer.h"
#include "queries/forwarder.h"

/* How long the answer may be kept, by what it is and by the settings; 0: not at all. */
uint64_t lifetime_ns(const struct forwarder_options *options, const struct answer *answer);

/* Copies the answer to `out` (at least ANSWER_BYTES_MAX, elsewhere) with the TTLs that clients are told: those of an
 * answer that is kept are bounded by the same settings as its life, those of a negative one by its life. For who is
 * told more than an entry's whole life would hold on to it longer than we do, and who is told 0 would ask again and
 * again for what is not fetched anew. Any other is left as it came, where it is. */
void lifetime_clamp_ttls(const struct forwarder_options *options, const struct answer *answer, uint8_t *out,
                         struct answer *ret_clamped);

#endif
