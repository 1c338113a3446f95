#include "queries/refusal.h"

#include "common/check.h"

#define COUNTED(member) offsetof(struct counters, member)
#define ERROR(id, code, text)                                                                                          \
    {                                                                                                                  \
        .rcode = DNS_RCODE_##id, .ede_code = DNS_EDE_##code, .ede_text = (text)                                        \
    }
#define REPLY(rcode, code, text, member)                                                                               \
    {                                                                                                                  \
        .replies = true, .error = ERROR(rcode, code, text), .counter = COUNTED(member)                                 \
    }

static const struct refusal_rule rules[REFUSAL_COUNT] = {
    [REFUSAL_NOT_QUERY] = {.closes = true,
                           .dropped = LABEL_DROPPED_NOT_QUERY,
                           .counter = COUNTED(invalid[LABEL_INVALID_NOT_QUERY][0])},
    [REFUSAL_PROHIBITED] = {.replies = true, .error = ERROR(REFUSED, PROHIBITED, NULL), .counter = REFUSAL_UNCOUNTED},
    [REFUSAL_RATE_SERVFAIL] = REPLY(SERVFAIL, OTHER, "rate limit", rate_limited[0][0]),
    [REFUSAL_RATE_REFUSE] = REPLY(REFUSED, OTHER, "rate limit", rate_limited[0][0]),
    [REFUSAL_RATE_DROP] = {.closes = true, .dropped = LABEL_DROPPED_RATE, .counter = COUNTED(rate_limited[0][0])},
    [REFUSAL_RATE_TRUNCATE] = REPLY(NOERROR, NONE, NULL, rate_limited[0][0]),
    [REFUSAL_RATE_BADCOOKIE] = REPLY(BADCOOKIE, NONE, NULL, rate_limited[0][0]),
    [REFUSAL_TOO_LONG] = REPLY(FORMERR, NONE, NULL, invalid[LABEL_INVALID_TOO_LONG][0]),
    [REFUSAL_FORMERR] = REPLY(FORMERR, NONE, NULL, invalid[LABEL_INVALID_FORMERR][0]),
    [REFUSAL_OPCODE] = REPLY(NOTIMP, NONE, NULL, invalid[LABEL_INVALID_OPCODE][0]),
    [REFUSAL_EDNS_VERSION] = REPLY(BADVERS, NONE, NULL, invalid[LABEL_INVALID_EDNS_VERSION][0]),
    [REFUSAL_TRANSFER] = REPLY(REFUSED, NOT_SUPPORTED, NULL, invalid[LABEL_INVALID_TRANSFER][0]),
    [REFUSAL_CLASS] = REPLY(REFUSED, NOT_SUPPORTED, NULL, invalid[LABEL_INVALID_CLASS][0]),
    [REFUSAL_SIGNED] = REPLY(NOTAUTH, NONE, NULL, invalid[LABEL_INVALID_TSIG][0]),
    [REFUSAL_ANY] = REPLY(NOTIMP, NOT_SUPPORTED, NULL, invalid[LABEL_INVALID_ANY][0]),
    [REFUSAL_COOKIE] = {.replies = true, .error = ERROR(NOERROR, NONE, NULL), .counter = REFUSAL_UNCOUNTED},
    [REFUSAL_BADCOOKIE] = {.replies = true, .error = ERROR(BADCOOKIE, NONE, NULL), .counter = REFUSAL_UNCOUNTED},
    [REFUSAL_OVERLOADED] = REPLY(SERVFAIL, OTHER, "too many queries in flight", overloaded[0][0]),
};

const struct refusal_rule *refusal_rule(enum refusal refusal)
{
    CHECK(refusal > REFUSAL_NONE && refusal < REFUSAL_COUNT);
    return &rules[refusal];
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
