/* reply: how a query ends: with an answer, with an error of our own, or with nothing; counted, whichever way. Each
 * function ends the query, exactly once. A worker's thread. */
#ifndef QUERIES_REPLY_H
#define QUERIES_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "queries/transport.h"

/* Who asks, for as long as the message is there. */
struct requester {
    struct transport *transport;
    struct slot_handle client;
    const struct address *address; /* NULL for somebody who waited */
};

/* Turns an answer's bytes, which stand where the reply is to be (transport->begin_reply), into the reply, and ends the
 * query. False: they are no answer's, and the query has not ended. */
bool reply_finish(struct counters *counters, const struct requester *requester, uint8_t *reply, size_t size,
                  const struct reply_profile *profile, const uint8_t *name, struct answer_use use);

/* An error; of the question only what was sound is repeated. False: the client has gone, and the query was dropped. */
bool reply_error(struct counters *counters, const struct requester *requester, const struct question *question,
                 const struct answer_error *error);

/* The same for a query that never left this program. */
void reply_local(struct counters *counters, const struct requester *requester, const struct question *question,
                 const struct answer_error *error);

/* The answer to ANY (RFC 8482). */
void reply_any(struct counters *counters, const struct requester *requester, const struct question *question);

/* None, for a reason of LABEL_DROPPED_. */
void reply_drop(struct counters *counters, const struct requester *requester, unsigned reason);

/* None, and the connection is closed: it was no query. */
void reply_nothing_and_close(struct counters *counters, const struct requester *requester);

#endif
