#include "queries/refusal.h"

#include "common/check.h"

#define COUNTED(member) offsetof(struct counters, member)
#define ERROR(id, code, text)                                                                                          \
    {                                                                                                                  \
        .rcode = DNS_RCODE_##id, .ede_code = DNS_EDE_##code, .ede_text = (text)                                        \
    }
#define REPLY(rcode, code, text, member, of_kind, word)                                                                \
    {                                                                                                                  \
        .replies = true, .error = ERROR(rcode, code, text), .counter = COUNTED(member), .kind = QUERY_##of_kind,       \
        .reason = (word)                                                                                               \
    }
#define INVALID(rcode, code, label, of_kind, word) REPLY(rcode, code, NULL, invalid[label][0], of_kind, word)
#define LIMITED(rcode, code, text)                 REPLY(rcode, code, text, rate_limited[0][0], LIMITED, "rate_limit")

static const struct refusal_rule rules[REFUSAL_COUNT] = {
    [REFUSAL_NOT_QUERY] = {.closes = true,
                           .dropped = LABEL_DROPPED_NOT_QUERY,
                           .counter = COUNTED(invalid[LABEL_INVALID_NOT_QUERY][0]),
                           .kind = QUERY_MALFORMED,
                           .reason = "not_a_query"},
    [REFUSAL_PROHIBITED] = {.replies = true,
                            .error = ERROR(REFUSED, PROHIBITED, NULL),
                            .counter = REFUSAL_UNCOUNTED,
                            .kind = QUERY_REFUSED,
                            .reason = "access"},
    [REFUSAL_RATE_SERVFAIL] = LIMITED(SERVFAIL, OTHER, "rate limit"),
    [REFUSAL_RATE_REFUSE] = LIMITED(REFUSED, OTHER, "rate limit"),
    [REFUSAL_RATE_DROP] = {.closes = true,
                           .dropped = LABEL_DROPPED_RATE,
                           .counter = COUNTED(rate_limited[0][0]),
                           .kind = QUERY_LIMITED,
                           .reason = "rate_limit"},
    [REFUSAL_RATE_TRUNCATE] = LIMITED(NOERROR, NONE, NULL),
    [REFUSAL_RATE_BADCOOKIE] = LIMITED(BADCOOKIE, NONE, NULL),
    [REFUSAL_TOO_LONG] = INVALID(FORMERR, NONE, LABEL_INVALID_TOO_LONG, MALFORMED, "too_long"),
    [REFUSAL_FORMERR] = INVALID(FORMERR, NONE, LABEL_INVALID_FORMERR, MALFORMED, "malformed"),
    [REFUSAL_OPCODE] = INVALID(NOTIMP, NONE, LABEL_INVALID_OPCODE, MALFORMED, "opcode"),
    [REFUSAL_EDNS_VERSION] = INVALID(BADVERS, NONE, LABEL_INVALID_EDNS_VERSION, MALFORMED, "edns_version"),
    [REFUSAL_TRANSFER] = INVALID(REFUSED, NOT_SUPPORTED, LABEL_INVALID_TRANSFER, REFUSED, "transfer"),
    [REFUSAL_CLASS] = INVALID(REFUSED, NOT_SUPPORTED, LABEL_INVALID_CLASS, REFUSED, "class"),
    [REFUSAL_SIGNED] = INVALID(NOTAUTH, NONE, LABEL_INVALID_TSIG, REFUSED, "tsig"),
    [REFUSAL_ANY] = INVALID(NOTIMP, NOT_SUPPORTED, LABEL_INVALID_ANY, REFUSED, "any"),
    [REFUSAL_COOKIE] = {.replies = true,
                        .error = ERROR(NOERROR, NONE, NULL),
                        .counter = REFUSAL_UNCOUNTED,
                        .kind = QUERY_ORDINARY},
    [REFUSAL_BADCOOKIE] = {.replies = true,
                           .error = ERROR(BADCOOKIE, NONE, NULL),
                           .counter = REFUSAL_UNCOUNTED,
                           .kind = QUERY_ORDINARY},
    [REFUSAL_OVERLOADED] = REPLY(SERVFAIL, OTHER, "too many queries in flight", overloaded[0][0], LIMITED, "overload"),
};

const struct refusal_rule *refusal_rule(enum refusal refusal)
{
    CHECK(refusal > REFUSAL_NONE && refusal < REFUSAL_COUNT);
    return &rules[refusal];
}

enum refusal refusal_over_rate(enum rate_limit_action action)
{
    static const enum refusal refusals[] = {
        [RATE_LIMIT_SERVFAIL] = REFUSAL_RATE_SERVFAIL,
        [RATE_LIMIT_REFUSE] = REFUSAL_RATE_REFUSE,
        [RATE_LIMIT_DROP] = REFUSAL_RATE_DROP,
    };
    return refusals[action];
}

enum refusal refusal_of(enum question_verdict verdict)
{
    static const enum refusal refusals[] = {
        [QUESTION_GOOD] = REFUSAL_NONE,
        [QUESTION_CLOSE] = REFUSAL_NOT_QUERY,
        [QUESTION_FORMERR] = REFUSAL_FORMERR,
        [QUESTION_NOTIMP] = REFUSAL_OPCODE,
        [QUESTION_BADVERS] = REFUSAL_EDNS_VERSION,
        [QUESTION_TRANSFER] = REFUSAL_TRANSFER,
        [QUESTION_CLASS] = REFUSAL_CLASS,
        [QUESTION_SIGNED] = REFUSAL_SIGNED,
        [QUESTION_ANY] = REFUSAL_ANY,
        [QUESTION_COOKIE] = REFUSAL_FORMERR, /* if cookies are not served */
    };
    return refusals[verdict];
}
