#include "queries/reply.h"

#include "common/clock.h"
#include "dns/edns.h"

/* Ends a query with what was written by begin_reply, and counts it. */
static void reply_end(struct counters *counters, const struct requester *requester, size_t size, uint16_t rcode)
{
    counter_add(&counters->responses[counters_rcode_label(rcode)][0], 1);
    requester->transport->end_reply(requester->transport, requester->client, size);
}

void reply_drop(struct counters *counters, const struct requester *requester, unsigned reason)
{
    counter_add(&counters->dropped[reason][0], 1);
    requester->transport->end_reply(requester->transport, requester->client, 0);
}

bool reply_error(struct counters *counters, const struct requester *requester, const struct question *question,
                 const struct answer_error *error)
{
    struct answer_error told = *error;
    told.keepalive_100ms = requester->transport->keepalive_100ms;
    uint8_t *reply = requester->transport->begin_reply(requester->transport, requester->client, ANSWER_ERROR_MAX);
    if (!reply) {
        reply_drop(counters, requester, LABEL_DROPPED_CLIENT_GONE);
        return false;
    }
    reply_end(counters, requester, answer_error(reply, question, &told), error->rcode);
    return true;
}

void reply_local(struct counters *counters, const struct requester *requester, const struct question *question,
                 const struct answer_error *error)
{
    if (reply_error(counters, requester, question, error))
        histogram_observe(&counters->request_duration[LABEL_SOURCE_LOCAL], 0, 1);
}

bool reply_finish(struct counters *counters, const struct requester *requester, uint8_t *reply, size_t size,
                  const struct reply_profile *profile, const uint8_t *name, struct answer_use use)
{
    use.keepalive_100ms = requester->transport->keepalive_100ms;
    size_t written = answer_to_reply(reply, size, profile, name, &use);
    if (written == 0) return false;
    reply_end(counters, requester, written, message_flags(reply) & DNS_RCODE);
    return true;
}

void reply_any(struct counters *counters, const struct requester *requester, const struct question *question)
{
    uint8_t *reply = requester->transport->begin_reply(requester->transport, requester->client, ANSWER_ERROR_MAX);
    if (!reply) {
        reply_drop(counters, requester, LABEL_DROPPED_CLIENT_GONE);
        return;
    }
    size_t size = answer_any(reply, question, requester->transport->keepalive_100ms);
    histogram_observe(&counters->request_duration[LABEL_SOURCE_LOCAL], 0, 1);
    reply_end(counters, requester, size, DNS_RCODE_NOERROR);
}

void reply_nothing_and_close(struct counters *counters, const struct requester *requester)
{
    counter_add(&counters->invalid[LABEL_INVALID_NOT_QUERY][0], 1);
    reply_drop(counters, requester, LABEL_DROPPED_NOT_QUERY);
    requester->transport->abort(requester->transport, requester->client);
}
