/* upstream: what one worker knows of one upstream: where it is, its state and since when, what was learnt of its
 * habits, and the list of sessions to it.
 *
 * Health is judged by answers: an upstream is up when it answered lately. One that completes handshakes and does not
 * answer is avoided: clients' questions go to others if there are others, until a query of the proxy's own is
 * answered. The time until that query is sent doubles each time, up to a minute.
 *
 *              answered                        no answer, though connected
 *   STANDBY ------------> UP  <-------------->  SILENT
 *      ^                   ^
 *      | a minute          | answered
 *      | without a try     v
 *      +---------------- DOWN, CERTIFICATE     connecting failed; its certificate is not right
 *
 * This file keeps state and decides nothing of sessions. One thread; time and randomness are passed in. */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/list.h"
#include "common/random.h"
#include "upstream/backoff.h"
#include "upstream/cause.h"
#include "upstream/options.h"
#include "upstream/rtt.h"
#include "upstream/tls.h"

/* In the order in which the states of several workers become one: the largest is shown. */
enum upstream_state {
    UPSTREAM_STANDBY,     /* nothing is known of it now: not tried lately, or not needed */
    UPSTREAM_DOWN,        /* connecting fails */
    UPSTREAM_CERTIFICATE, /* its certificate is not right: out of use until it is */
    UPSTREAM_SILENT,      /* connects, and does not answer, or sends what nobody asked for */
    UPSTREAM_UP,          /* answered lately */
    UPSTREAM_STATES
};

enum { UPSTREAM_LABEL_MAX = 2 * UPSTREAM_NAME_MAX + ADDRESS_TEXT_BYTES + 4 };

struct upstream {
    struct upstream_options options;
    unsigned index;                 /* its index in the configuration of its route, from 0 */
    unsigned series;                /* its series in the metrics */
    char label[UPSTREAM_LABEL_MAX]; /* ADDR#NAME or ADDR, ROUTE/ before it, for the log */
    struct list sessions;           /* of struct session, oldest first */
    struct tls_ticket *ticket;      /* or NULL */

    /* state */
    enum upstream_state state;
    uint64_t state_ns;       /* since when */
    uint64_t answered_ns;    /* a valid answer, last; 0 = never */
    uint64_t tried_ns;       /* a connection was begun, last */
    uint64_t failed_ns;      /* the first failure since it answered or completed a handshake; 0 = none */
    struct backoff backoff;  /* of connecting */
    bool avoided;            /* others are preferred, until a query of our own is answered, */
    uint64_t probe_at_ns;    /* which is sent then; CLOCK_NEVER while it is not avoided */
    uint64_t avoid_ns;       /* how long it is, or was, avoided: doubled each time, */
    uint64_t avoid_ended_ns; /* unless that was long ago */

    /* certificate */
    uint64_t validated_ns;     /* checked in a full handshake; 0 = never */
    uint64_t revalidate_at_ns; /* when the next check is due */
    bool revalidating;         /* a session with a full handshake is being opened, to replace the others */

    /* habits */
    struct rtt rtt;
    uint64_t handshake_ns;       /* from connecting to ready, last; 0 = not known */
    uint64_t idle_limit_ns;      /* silence after which it closes a session, as seen; CLOCK_NEVER = not seen */
    uint32_t answers_max;        /* answers after which a session ends; UINT32_MAX = no bound is known */
    bool ends_silently;          /* it then stays open and silent, and is replaced by us in time */
    uint32_t silent_answers;     /* answers of the session that fell silent last */
    uint32_t silent_sessions;    /* that fell silent with many questions, since one spoke again or lasted longer */
    uint64_t learnt_ns;          /* when answers_max was learnt */
    uint64_t keep_ns;            /* how long a bound of sessions that end silently is believed: doubled each time */
    uint32_t window;             /* questions in flight with which a new session begins */
    bool reorders;               /* it answered a later question before an earlier one: a slow one delays no others */
    bool reads_batches;          /* it answered more messages than it got TLS records */
    uint64_t plain_until_ns;     /* it does not know EDNS: asked without OPT until then */
    bool one_message_per_record; /* it seems to read the first message of a TLS record only */
    uint64_t records_until_ns;   /* so long that is believed, */
    uint64_t records_keep_ns;    /* and for so long in all: doubled each time */
};

/* "ADDR#NAME", "ROUTE/ADDR#NAME", or without a name if there is none; "NAME:PORT" without an address. `route` "" is the
 * default route. */
void upstream_format_label(const struct upstream_options *options, const char *route,
                           char label[static UPSTREAM_LABEL_MAX]);

void upstream_init(struct upstream *upstream, const struct upstream_options *options, unsigned index, uint32_t window);
/* The route it belongs to, by its first zone, as a part of its label. */
void upstream_set_route(struct upstream *upstream, const char *route);
void upstream_done(struct upstream *upstream); /* its sessions must be gone */

/* ---- health ---- */

/* A valid answer came, after `took_ns` of attended time (common/loop.h). True where the state is another now. An
 * avoided upstream is trusted again where `proves`: the answer was to a query sent after the trouble, or came from the
 * session in doubt. */
bool upstream_answered(struct upstream *upstream, uint64_t took_ns, bool proves, uint64_t now_ns);

/* Connecting or a handshake failed; a session that was of no use ended. */
void upstream_failed(struct upstream *upstream, enum cause cause, unsigned upstream_count, struct random *random,
                     uint64_t now_ns);

/* A question was answered by another session while this upstream's was silent: a query of our own will decide. */
void upstream_suspect(struct upstream *upstream, uint64_t now_ns);

/* It does not answer, or sends without end: avoided for a time that doubles. */
void upstream_fell_silent(struct upstream *upstream, struct random *random, uint64_t now_ns);

/* A handshake was done: it can be reached. Says nothing of whether it answers. */
void upstream_reached(struct upstream *upstream);

/* Brings the state up to date if time alone changes it. */
void upstream_pass_time(struct upstream *upstream, uint64_t now_ns);

static inline bool upstream_is_up(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_UP && !upstream->avoided;
}

/* It did not answer for so long that it may answer nothing; one that did will answer what is merely slow. */
bool upstream_is_mute(const struct upstream *upstream, uint64_t now_ns);

/* It cannot answer now: no wait would help. */
bool upstream_is_known_down(const struct upstream *upstream, uint64_t now_ns);

const char *upstream_state_text(enum upstream_state state);

/* ---- habits ---- */

/* A session ended directly behind its `answers`-th answer: so many questions fit on one, it seems. */
void upstream_learn_end(struct upstream *upstream, uint32_t answers, uint64_t now_ns);

/* A session fell silent behind its `answers`-th answer; believed from the second time on. */
void upstream_learn_silence(struct upstream *upstream, uint32_t answers, uint64_t now_ns);

/* A session gave its `answers`-th answer and goes on: a bound below that is wrong. */
void upstream_learn_answers(struct upstream *upstream, uint32_t answers, uint64_t now_ns);

/* A session answered the first message of each TLS record only: sent one message a record for a minute, doubled with
 * each repetition up to an hour, or until it shows that it reads more. */
void upstream_learn_records(struct upstream *upstream, uint64_t now_ns);

/* The upstream closed a session that was unused for so long: be earlier next time. */
void upstream_learn_idle_limit(struct upstream *upstream, uint64_t silence_ns);

/* How long a session may be silent with a question in flight before new questions prefer others. */
uint64_t upstream_quiet_ns(const struct upstream *upstream);

#endif
