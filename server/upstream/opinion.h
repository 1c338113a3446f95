/* opinion: what a response means for its question: the final answer, or a failure of the upstream that is worth another
 * upstream's answer.
 *
 * SERVFAIL and REFUSED are such failures where an upstream of another name is configured: its answer is held, the other
 * is asked, and the held answer stands where nobody has a better one. This file decides; the pool acts. One thread. */
#ifndef UPSTREAM_OPINION_H
#define UPSTREAM_OPINION_H

#include <stdbool.h>

#include "dns/answer.h"

struct exchange;
struct pool;
struct upstream;

enum opinion {
    OPINION_FINAL,   /* the answer is the exchange's result */
    OPINION_ANOTHER, /* another upstream is to be asked; the answer was held (exchange_hold) */
    OPINION_INVALID, /* not an answer to this question: the attempt has failed */
};

/* Judges a response of `upstream`. `verdict` is answer_parse's; `answer` is only read where it is ANSWER_GOOD. The
 * attempt that brought the response must be forgotten already. */
enum opinion opinion_judge(const struct pool *pool, struct exchange *exchange, const struct upstream *upstream,
                           enum answer_verdict verdict, const struct answer *answer);

#endif
