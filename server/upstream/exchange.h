/* exchange: the life of one question upstream: one or more attempts, until a valid answer, a failure or the
 * total time-out. Each exchange ends once: on_done is called exactly once, or never if it is cancelled.
 *
 * Its bounds, whatever upstreams do: EXCHANGE_ATTEMPTS_MAX attempts in flight at once (one and its hedge; the first
 * valid answer wins), EXCHANGE_ATTEMPTS_TOTAL in all, EXCHANGE_SESSIONS_MAX sessions that end while it is in flight on
 * them, EXCHANGE_INVALID_MAX responses that are no answer, exchange_slow_max() attempts if it seems to be what an
 * upstream that answers in order is busy with.
 *
 * The owner embeds it, fills `key` and `on_done`, and keeps it where it is until on_done was called or the exchange was
 * cancelled. One thread. */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/timeouts.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "upstream/opinion.h"
#include "upstream/session.h"

enum {
    EXCHANGE_ATTEMPTS_MAX = 2,
    EXCHANGE_ATTEMPTS_TOTAL = 12,
    EXCHANGE_HASTE_MAX = 8, /* attempts: from here on silence is no reason to abandon one in flight for another */
    EXCHANGE_SESSIONS_MAX = 6,
    EXCHANGE_INVALID_MAX = 3,
    EXCHANGE_SLOW_ATTEMPTS_MAX = 3,
    EXCHANGE_ALONE = 2,     /* sessions that ended with it in flight: from here on it is asked alone, */
    EXCHANGE_ELSEWHERE = 3, /* and from here on where it did not fail, if there is such an upstream: it may wait */
};

enum exchange_result {
    EXCHANGE_ANSWERED,
    EXCHANGE_TIMED_OUT,   /* asked, and no answer within the total time-out */
    EXCHANGE_UNREACHABLE, /* no session to ask on, within the total time-out or as far as can be known */
    EXCHANGE_FAULTY,      /* every attempt ended with a lost session or an invalid response */
    EXCHANGE_FAILED,      /* upstreams said that they failed, and none had an answer: see exchange->opinions */
    EXCHANGE_RESULTS
};

/* With whom a question may share a session. */
enum exchange_class {
    EXCHANGE_CLEAN,
    EXCHANGE_SUSPECT,  /* one session ended with it: asked among its like */
    EXCHANGE_SOLITARY, /* asked alone */
};

struct exchange {
    struct question_key key;
    bool background; /* not a client's question: does not keep sessions warm */
    bool light;      /* of a client with few questions in flight: comes before others, and finds room kept for it */
    /* A response came and is read next, so that memory which on_done needs can be fetched meanwhile. NULL: not told. */
    void (*on_response)(struct exchange *exchange);
    /* `answer` only with EXCHANGE_ANSWERED, and only until it returns. */
    void (*on_done)(struct exchange *exchange, enum exchange_result result, const struct answer *answer);

    /* the pool's */
    struct timeout deadline;
    struct list waiting; /* in a line of the pool: for a session that takes it */
    uint64_t waiting_ns; /* since when */
    uint64_t number;     /* of the pool's exchanges, for the log */
    struct attempt attempts[EXCHANGE_ATTEMPTS_MAX];
    uint64_t sent_ns;            /* the last attempt; 0: none */
    const struct upstream *last; /* that it was sent to, or that spoke, last; NULL: none */
    uint8_t attempts_made;
    uint8_t lost;    /* sessions that ended with it in flight */
    uint8_t deaths;  /* of these, the ones it may have caused */
    uint8_t invalid; /* responses that were no answer */
    uint8_t cut;     /* attempts that ended with their session, or before they left: they met no silence */
    bool slow;       /* it was the first in flight when a session fell silent */
    bool asked;
    const struct upstream *only; /* NULL: any upstream may be asked */
    uint16_t tried;              /* the upstreams it was sent to, a bit each */
    uint16_t met_silence;        /* of these, the ones whose session was silent: others are waited for */
    uint16_t failed_at;          /* upstreams where attempts failed, see exchange_note_failure */
    struct opinions opinions;
};

/* Sets the pool's fields to those of a new exchange. */
void exchange_begin(struct exchange *exchange, uint64_t number);

/* The exchange is over: forgets its attempts and calls on_done, which may free it or submit it again. If upstreams
 * said that they failed, that is the result in place of any other failure. */
void exchange_finish(struct exchange *exchange, enum exchange_result result, const struct answer *answer);

/* Forgets it without calling on_done. */
void exchange_cancel(struct exchange *exchange);

/* An attempt at one of `count` upstreams failed. It may fail there again, so that others are asked first; when it has
 * failed at all of them, only the last failure counts. */
void exchange_note_failure(struct exchange *exchange, const struct upstream *upstream, unsigned count);

static inline bool exchange_has_failed_at(const struct exchange *exchange, const struct upstream *upstream)
{
    return exchange->failed_at & (1u << upstream->index);
}

/* One more attempt is within the bounds. */
bool exchange_may_try(const struct exchange *exchange);

/* As many attempts are in flight as may be, and silence is no reason to abandon one of them any more: the attempts that
 * are left are for those that fail. */
bool exchange_is_spent(const struct exchange *exchange);

/* Attempts that met silence, or are in flight. */
static inline unsigned exchange_unanswered(const struct exchange *exchange)
{
    return exchange->attempts_made - exchange->cut - exchange->invalid;
}

/* How many attempts may meet silence where the question seems to be the reason. Silence of several upstreams is no
 * better reason to think so than that of one: the first attempt at each further one is not counted. */
unsigned exchange_slow_max(const struct exchange *exchange);

/* It met silence so often that one more attempt is left, which is not to be wasted on silence, too. */
static inline bool exchange_is_at_last_attempt(const struct exchange *exchange)
{
    return exchange->slow && exchange_unanswered(exchange) + 1 >= exchange_slow_max(exchange);
}

/* It is in flight on a session that is relied on. */
bool exchange_may_be_answered(const struct exchange *exchange);

enum exchange_class exchange_class(const struct exchange *exchange);
unsigned exchange_in_flight(const struct exchange *exchange);

static inline bool exchange_is_live(const struct exchange *exchange)
{
    return exchange->attempts[0].session || exchange->attempts[1].session;
}

static inline bool exchange_is_on(const struct exchange *exchange, const struct session *session)
{
    return exchange->attempts[0].session == session || exchange->attempts[1].session == session;
}

static inline bool exchange_is_waiting(const struct exchange *exchange)
{
    return !list_is_empty(&exchange->waiting);
}

const char *exchange_result_text(enum exchange_result result);

#endif
