/* exchange: one question on its way upstream, through as many asks as it takes, until one valid answer or the total
 * time-out.
 *
 * An exchange is asked on one session; again on another when that session dies or falls silent, or when the answer is
 * overdue and the hedge budget allows (two asks are then in flight, and the first valid answer wins). A question that
 * was in flight when sessions died is suspected: after one death it is asked only among other suspects, after two it is
 * asked alone, after three it is given up. So a question that kills sessions cannot take the upstream away from the
 * others, whose only part in it is one more ask.
 *
 * The owner embeds it, fills `key` and `on_done`, and keeps it where it is until on_done was called or pool_cancel. One
 * thread. */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/timeouts.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "upstream/session.h"

enum {
    EXCHANGE_ATTEMPTS_MAX = 2, /* in flight at once: an ask and its hedge */
    EXCHANGE_DEATHS_MAX = 3,   /* the third ask was alone on its session: nobody else can be to blame */
    EXCHANGE_DEATHS_ALONE = 2,
};

enum exchange_result {
    EXCHANGE_ANSWERED,
    EXCHANGE_TIMED_OUT,   /* asked, and no answer within the total time-out */
    EXCHANGE_UNREACHABLE, /* no session to ask on within the total time-out */
    EXCHANGE_FAULTY,      /* every ask ended in a dead session or an answer that is none */
};

struct exchange {
    struct question_key key;
    bool background; /* not a client's question: does not keep sessions warm */
    bool light;      /* of somebody with few questions on their way: comes before others, and finds room kept for it */
    /* `answer` only with EXCHANGE_ANSWERED, and only until it returns. */
    void (*on_done)(struct exchange *exchange, enum exchange_result result, const struct answer *answer);

    /* the pool's */
    struct timeout deadline;
    struct list waiting; /* in a line of the pool: for a session that takes it */
    struct attempt attempts[EXCHANGE_ATTEMPTS_MAX];
    uint8_t deaths; /* sessions that died with it in flight, and answers that were none */
    bool asked;
    const struct upstream *died_on;    /* to whom the last of those sessions was: others are asked first */
    const struct upstream *refused_by; /* answered SERVFAIL or REFUSED: upstreams of its name are not asked again */
    uint8_t *held;                     /* that answer's bytes, in case nobody has a better one; or NULL */
    size_t held_bytes;
};

static inline bool exchange_is_live(const struct exchange *exchange)
{
    return exchange->attempts[0].session || exchange->attempts[1].session;
}

static inline bool exchange_is_on(const struct exchange *exchange, const struct session *session)
{
    return exchange->attempts[0].session == session || exchange->attempts[1].session == session;
}

#endif
