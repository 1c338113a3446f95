/* kept_answer: an answer that is kept outside the program, in a snapshot or in the cache of a fleet: written as the
 * response that a client would get, and judged like a response of an upstream when it comes back. Pure; any thread. */
#ifndef QUERIES_KEPT_ANSWER_H
#define QUERIES_KEPT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"
#include "dns/question.h"
#include "queries/options.h"

/* Room for an answer that is made a response in place. */
enum { KEPT_ANSWER_BYTES = ANSWER_BYTES_MAX + EDNS_REPLY_MAX };

/* Makes of the answer to `key` at `bytes` (size octets, room for KEPT_ANSWER_BYTES) a response, in place, with its TTLs
 * as they are and with EDNS, so that its errors are kept, too. Returns its size; 0 if it is not worth keeping. */
size_t kept_answer_write(uint8_t *bytes, size_t size, const struct question_key *key);

/* A response that was kept. */
struct kept_response {
    const struct question_key *key; /* of the question that it is kept for */
    const uint8_t *message;
    size_t size;
};

/* Judges it as if it came from an upstream now, by the rules of retention in force. False: it may not be kept. `parsed`
 * and `clamped` have room for ANSWER_BYTES_MAX each; the answer is in `clamped`. `ret_kept_ns`: for how long it is kept
 * at most, from when upstream gave it. */
bool kept_answer_judge(const struct forwarder_options *options, const struct kept_response *kept, uint8_t *parsed,
                       uint8_t *clamped, struct answer *ret_answer, uint64_t *ret_kept_ns);

#endif
