#include "queries/reply.h"

#include "dns/ede.h"
#include "dns/message.h"

/* Ends a query with the reply that was written to begin_reply's memory, and counts it. */
static void end_with(struct counters *counters, const struct requester *requester, size_t size, uint16_t rcode)
{
    counter_add(cell_responses(counters, counters_rcode_label(rcode), requester->transport->label), 1);
    size_observe(&counters->response_size, size);
    requester->transport->end_reply(requester, size);
}

/* `list`: more errors, as in dns/ede.h; or NULL. */
static void count_errors(struct counters *counters, uint16_t code, const uint8_t *list, size_t size)
{
    if (code != DNS_EDE_NONE) count_event_by(counters, errors, counters_ede_label(code));
    for (size_t at = 0; at + EDE_ITEM_MIN <= size; at += 4u + dns_u16(list + at + 2))
        count_event_by(counters, errors, counters_ede_label(dns_u16(list + at + 4)));
}

void reply_drop(struct counters *counters, const struct requester *requester, enum label_dropped reason)
{
    count_event_by(counters, dropped, reason);
    requester->transport->end_reply(requester, 0);
}

bool reply_answer(struct counters *counters, const struct requester *requester, uint8_t *reply, size_t size,
                  const struct reply_profile *profile, const uint8_t *name, const struct answer_use *use)
{
    size_t written = answer_to_reply(reply, size, profile, name, use);
    if (written == 0) return false;
    if (use->ede_code != DNS_EDE_NONE) count_errors(counters, use->ede_code, NULL, 0);
    end_with(counters, requester, written, message_flags(reply) & DNS_RCODE);
    return true;
}

bool reply_error(struct counters *counters, const struct requester *requester, const struct question *question,
                 const struct reply_profile *profile, const struct answer_error *error)
{
    uint8_t *reply = requester->transport->begin_reply(requester, ANSWER_ERROR_MAX);
    if (!reply) {
        reply_drop(counters, requester, LABEL_DROPPED_CLIENT_GONE);
        return false;
    }
    count_errors(counters, error->ede_code, error->errors, error->errors_size);
    end_with(counters, requester, answer_error(reply, question, profile, error), error->rcode);
    return true;
}

void reply_refusal(struct notices *notices, const struct requester *requester, const struct question *question,
                   const struct reply_profile *profile, enum refusal refusal)
{
    const struct refusal_rule *rule = refusal_rule(refusal);
    struct counters *counters = notices->counters;
    notices_refused(notices, requester, question, refusal);
    if (rule->counter != REFUSAL_UNCOUNTED)
        counter_add((_Atomic uint64_t *)(void *)((uint8_t *)counters + rule->counter), 1);
    if (!rule->replies)
        reply_drop(counters, requester, rule->dropped);
    else if (reply_error(counters, requester, question, profile, &rule->error))
        histogram_observe(cell_request_duration(counters, LABEL_SOURCE_LOCAL, requester->transport->label), 0, 1);
    if (rule->closes) requester->transport->abort(requester);
}
