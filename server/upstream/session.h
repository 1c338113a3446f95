/* session: the book-keeping of one connection to an upstream and of the questions in flight on it. No sockets: those
 * are the channel's, which each session owns.
 *
 *              handshake done           told to drain
 *   OPENING -----------------> READY ----------------> DRAINING
 *      |                         |                         |
 *      +-------------------------+-------------------------+--> ended: the host's on_end, who frees the session
 *
 * A session belongs to the pool of one worker, which is its host, and runs on that worker's thread. A response finds
 * its attempt by id; what it says is the host's to judge. A response that nobody asked for is allowed once for each
 * question that was given up without an answer; one more ends the session.
 *
 * Invariants, checked as the program runs: attempts + overdue = in_flight = ids in use; counted and leading <=
 * in_flight; suspicion is 0 where counted is 0; reserved is false where in_flight is 0. */
#ifndef UPSTREAM_SESSION_H
#define UPSTREAM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "dns/question.h"
#include "upstream/cause.h"
#include "upstream/channel.h"
#include "upstream/ids.h"
#include "upstream/upstream.h"

struct exchange;
struct session_row;
struct dnstap_tap;

/* A question sent once, on one session. Part of its exchange. */
struct attempt {
    struct list by_age;      /* in session->attempts or session->overdue */
    struct session *session; /* NULL: not in flight */
    struct exchange *exchange;
    uint64_t sent_ns;          /* when, by the clock, */
    uint64_t sent_attended_ns; /* and in attended time (common/loop.h) */
    uint16_t id;
    bool plain;    /* sent without OPT; set before it starts */
    bool leading;  /* its exchange had none in flight when it started, so it is the nearest to an answer; set before */
    bool was_slow; /* its question seemed slow already when it was sent; set before */
    bool counted;  /* in session->counted */
};

enum session_state { SESSION_OPENING, SESSION_READY, SESSION_DRAINING };

struct session {
    struct list of_upstream; /* in upstream->sessions */
    struct session_host *host;
    struct upstream *upstream;
    struct channel *channel;
    struct session_row *row; /* of /status.json, or NULL; the pool's */
    uint32_t number;         /* of the pool's sessions, for the log */
    enum session_state state;
    enum cause drain_cause; /* why it drains */
    bool full;              /* begun without a ticket: its handshake validates the certificate */
    bool doubted;           /* silent while it should not be: gets no new questions */
    bool served;            /* carried a client's question at least once */
    bool reserved;          /* a question that is asked alone is in flight: nobody joins it */
    uint8_t suspicion;      /* the most deaths of a question counted on it; 0 when none is */
    uint32_t in_flight;
    uint32_t leading;     /* of these, the ones nearest to an answer to their question */
    uint32_t counted;     /* of these, whom a new question would be mixed with: not those that are overdue */
    uint32_t window;      /* questions in flight it takes: grows with each answer, shrinks while answers queue up */
    uint32_t sent;        /* questions in all, */
    uint32_t responses;   /* to them, of any kind, */
    uint32_t answers;     /* valid answers to them, */
    uint32_t abandoned;   /* and those given up, whose responses may still come */
    struct list attempts; /* of struct attempt, oldest first: in time */
    struct list overdue;  /* the same: their time-out ran out; they may still be answered */
    struct ids ids;
    uint64_t opened_ns;
    uint64_t max_age_ns; /* with this session's own jitter */
    uint64_t used_ns;    /* asked or answered, last */
    uint64_t doubted_ns; /* since when it is doubted */
    /* in attended time */
    uint64_t heard_ns;    /* a response to a question came, last; at first when it was ready */
    uint64_t busy_ns;     /* when the first question went in flight, since none was */
    uint64_t narrowed_ns; /* when the window was narrowed last */
    uint64_t split_ns;    /* what was sent until then may have shared a TLS record and not been read; 0: nothing */
};

/* What a session uses of its worker, and who gets its events. */
struct session_host {
    struct channel_host channels;
    uint32_t max_in_flight; /* queries on a session: the size of its id table */
    uint16_t padding;
    uint32_t sessions_opened;
    struct dnstap_tap *tap; /* copies of messages go there; NULL: none are made */
    bool room_made;         /* a question left a session: one in line may go in its place */

    void (*on_ready)(struct session *session);
    /* A message for `attempt`, which stays in flight until session_forget. May ask on this session; must
     * not free it. */
    void (*on_response)(struct session *session, struct attempt *attempt, const uint8_t *message, size_t size);
    /* A response to a question that was given up. */
    void (*on_late_response)(struct session *session);
    /* The session is about to be freed. */
    void (*on_free)(struct session *session);
    /* The session is dead; its attempts are still listed. The host frees it. */
    void (*on_end)(struct session *session, enum cause cause);
};

/* Begins to connect; `number` names the session in the log. `resume` false: a full handshake. NULL: it failed at once
 * for ret_cause, and errno says why; on_end is not called. */
struct session *session_open(struct session_host *host, struct upstream *upstream, struct tls_context *tls, bool resume,
                             enum cause *ret_cause);

/* Closes and frees. Its attempts must have been forgotten. NULL is fine. */
void session_free(struct session *session);

/* Sends the question at the next flush. False: no id or memory is left. */
bool session_start_attempt(struct session *session, struct attempt *attempt, const struct question_key *key,
                           uint64_t now_ns);

/* The attempt's time-out ran out: it goes from `attempts` to `overdue`, and is not counted any more. */
void session_mark_overdue(struct attempt *attempt);

/* The attempt is over, answered or not; harmless if it is not in flight. */
void session_forget(struct attempt *attempt);
void session_forget_answered(struct attempt *attempt);

/* A valid answer came for an attempt, `took_ns` of attended time after it was sent; the attempt is forgotten by it. */
void session_count_answer(struct attempt *attempt, uint64_t took_ns);

/* Takes no new questions; the host ends it when none is in flight. */
void session_drain(struct session *session, enum cause cause);

/* Gets no new questions, until it is trusted again because it said something. session_trust: true if
 * it was doubted. */
void session_doubt(struct session *session, uint64_t now_ns);
bool session_trust(struct session *session);

/* Since when, in attended time, it is silent with questions in flight: since the last response, or since the first of
 * them was sent. CLOCK_NEVER: none is in flight. */
uint64_t session_silent_since_ns(const struct session *session);

/* The attended time of the worker. */
static inline uint64_t session_attended_ns(const struct session *session)
{
    return loop_attended_ns(session->host->channels.loop);
}

/* The attempt that has been in flight longest, or NULL. */
struct attempt *session_oldest_attempt(const struct session *session);

/* Questions it still takes before the upstream ends it, as far as that was learnt. */
uint32_t session_answers_left(const struct session *session);

/* What is in flight on it may still be answered: also while it drains, not while it is doubted. */
static inline bool session_is_relied_on(const struct session *session)
{
    return session->state != SESSION_OPENING && !session->doubted;
}

/* It takes questions. */
static inline bool session_is_open(const struct session *session)
{
    return session->state == SESSION_READY && !session->doubted;
}

/* How many sessions to an upstream are being opened (connecting, in their handshake), and how many take questions. */
unsigned session_count_opening(const struct upstream *upstream);
unsigned session_count_open(const struct upstream *upstream);

/* Walks the lists and compares them with the counts. For tests and checked builds. */
bool session_is_sound(const struct session *session);

#endif
