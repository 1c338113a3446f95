/* reply: how a query ends: with an answer, with an error of this program, or without a reply; each is counted. Each
 * function ends the query exactly once, except reply_answer if it returns false. A worker's thread. */
#ifndef QUERIES_REPLY_H
#define QUERIES_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "queries/notice.h"
#include "queries/refusal.h"
#include "queries/transport.h"

/* Turns an answer's bytes, which are in the memory that begin_reply returned, into the reply, and ends the query.
 * False: the bytes are no answer's, and the query has not ended. */
bool reply_answer(struct counters *counters, const struct requester *requester, uint8_t *reply, size_t size,
                  const struct reply_profile *profile, const uint8_t *name, const struct answer_use *use);

/* Ends the query with an error, which repeats of the question what was sound. False: the client has gone, and the query
 * was dropped. */
bool reply_error(struct counters *counters, const struct requester *requester, const struct question *question,
                 const struct reply_profile *profile, const struct answer_error *error);

/* Ends a query that is not resolved, by the rule for that reason, and notes it. */
void reply_refusal(struct notices *notices, const struct requester *requester, const struct question *question,
                   const struct reply_profile *profile, enum refusal refusal);

/* Ends the query without a reply, for a reason of LABEL_DROPPED_. */
void reply_drop(struct counters *counters, const struct requester *requester, enum label_dropped reason);

#endif
