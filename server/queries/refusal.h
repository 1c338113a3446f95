/* refusal: why a query is not resolved, and what its client gets instead. One table (refusal.c) has a row for each
 * reason. Pure; any thread. */
#ifndef QUERIES_REFUSAL_H
#define QUERIES_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "metrics/query_ring.h"
#include "queries/options.h"

enum refusal {
    REFUSAL_NONE,
    REFUSAL_NOT_QUERY,     /* shorter than a header, or QR=1 */
    REFUSAL_PROHIBITED,    /* the address may not ask */
    REFUSAL_RATE_SERVFAIL, /* over the rate limit: what rate_limit.action says */
    REFUSAL_RATE_REFUSE,
    REFUSAL_RATE_DROP,
    REFUSAL_RATE_TRUNCATE,  /* the same, over UDP: an empty reply, whose profile must leave no room, with TC; */
    REFUSAL_RATE_BADCOOKIE, /* or one with a new cookie */
    REFUSAL_TOO_LONG,       /* longer than clients may send */
    REFUSAL_FORMERR,
    REFUSAL_OPCODE,
    REFUSAL_EDNS_VERSION,
    REFUSAL_TRANSFER,
    REFUSAL_CLASS,
    REFUSAL_SIGNED,
    REFUSAL_ANY,
    REFUSAL_COOKIE,     /* asked for a cookie alone: gets it */
    REFUSAL_BADCOOKIE,  /* the same, with a server cookie that is not valid */
    REFUSAL_OVERLOADED, /* too many questions in flight */
    REFUSAL_COUNT
};

/* One row: what the client gets, and what is counted. */
struct refusal_rule {
    /* False: no reply, the query is dropped for the reason `dropped`. */
    bool replies;

    /* The client's connection is closed afterwards. */
    bool closes;

    struct answer_error error;  /* the reply */
    enum label_dropped dropped; /* LABEL_DROPPED_, if it has none */
    enum query_kind kind;       /* of the query, for notice.h */
    const char *reason;         /* the same in a word, as its counter's label has it; NULL: nothing to say */
    size_t counter;             /* offset in struct counters of what counts this reason; REFUSAL_UNCOUNTED: nothing */
};

#define REFUSAL_UNCOUNTED SIZE_MAX

/* The rule of any reason but REFUSAL_NONE. */
const struct refusal_rule *refusal_rule(enum refusal refusal);

/* Why a query over the rate limit is refused. */
enum refusal refusal_over_rate(enum rate_limit_action action);

/* Why a question is refused for what it is; REFUSAL_NONE if it is good. */
enum refusal refusal_of(enum question_verdict verdict);

#endif
