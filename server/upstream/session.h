/* session: one TLS connection to an upstream, with many questions in flight on it (RFC 7858, 7766).
 *
 *             connected          handshake done           told to drain
 *   CONNECTING -----> HANDSHAKING -----> READY ----------------------> DRAINING
 *        |                 |               |                              |
 *        +-----------------+-------+-------+------------------------------+--> ended: the host's on_end, who frees it
 *
 * A session belongs to the pool of one worker, which is its host, and runs on that worker's thread. Queries asked in
 * one turn of the loop leave in one TLS write, when the host flushes. Responses find their ask by id; what they say is
 * the host's to judge. */
#ifndef UPSTREAM_SESSION_H
#define UPSTREAM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/list.h"
#include "common/loop.h"
#include "upstream/ids.h"
#include "upstream/tls.h"
#include "upstream/upstream.h"

struct exchange;
struct question_key;

/* A question sent once, on one session. Part of its exchange. */
struct attempt {
    struct list by_age;      /* in session->asks or session->overdue */
    struct session *session; /* NULL: not asked */
    struct exchange *exchange;
    uint64_t sent_ns;
    uint16_t id;
    bool counted; /* in session->counted */
};

enum session_state { SESSION_CONNECTING, SESSION_HANDSHAKING, SESSION_READY, SESSION_DRAINING };

struct session {
    struct loop_source source;
    struct list of_upstream; /* in upstream->sessions */
    struct list dirty;       /* in host->dirty while queries wait to be written */
    struct session_host *host;
    struct upstream *upstream;
    struct tls *tls;
    enum session_state state;
    bool full;            /* begun without a ticket: its handshake validates the certificate */
    bool doubted;         /* silent while it should not be: gets no new questions */
    bool served;          /* carried a client's question at least once */
    uint8_t suspicion;    /* the most deaths of a question counted on it; 0 when none is */
    unsigned drain_label; /* LABEL_SESSION_END_: why it drains */
    int connect_error;    /* errno of the connection that could not be made; 0 where it was, or is on its way */
    uint32_t in_flight;
    uint32_t counted;     /* of these, whom a new question would be mixed with: not those that are overdue */
    uint32_t answers;     /* valid ones */
    struct list attempts; /* of struct attempt, oldest first: in time */
    struct list overdue;  /* the same: their time-out ran out; they may still be answered */
    struct ids ids;
    uint64_t opened_ns;
    uint64_t max_age_ns;       /* with this session's own jitter */
    uint64_t used_ns;          /* asked or received, last */
    uint64_t heard_ns;         /* received, last; at first when it was ready */
    uint64_t silent_from_ns;   /* when the first question was asked since anything was received, */
    uint32_t asked_in_silence; /* and how many were */
    struct buffer *unsent;     /* framed queries; NULL where none */
    struct buffer *partial;    /* the front of a response; NULL where none */
};

/* What a session needs of its worker, and whom it tells. */
struct session_host {
    struct loop *loop;
    struct buffers *buffers;
    struct list dirty; /* sessions to flush */
    uint8_t *scratch;  /* borrowed while reading; holds a whole response and a read more */
    size_t scratch_bytes;
    uint32_t max_in_flight; /* queries on a session */
    uint16_t padding;

    void (*on_ready)(struct session *session);
    /* A message for `ask`, which stays in flight until session_forget. May ask on this session; must not free it. */
    void (*on_response)(struct session *session, struct attempt *attempt, const uint8_t *message, size_t size);
    /* A message with an id nobody waits for: late, or wrong. */
    void (*on_stray)(struct session *session);
    /* The session is dead, for a reason of LABEL_FAILURE_; its asks are still listed. The host frees it. */
    void (*on_end)(struct session *session, unsigned failure);
};

/* Scratch bytes a host must lend. */
enum { SESSION_SCRATCH_BYTES = 2 * (2 + 65535) };

/* Begins to connect. `resume` false: a full handshake. NULL: it failed at once, for the LABEL_FAILURE_ reason given,
 * and errno says why; on_end is not called. */
struct session *session_open(struct session_host *host, struct upstream *upstream, struct tls_context *tls, bool resume,
                             unsigned *ret_failure);

/* Closes and frees. Says goodbye where the state allows. Its asks must have been forgotten. */
void session_free(struct session *session);

/* Sends the question at the next flush. False: no id or memory is left. */
bool session_start_attempt(struct session *session, struct attempt *attempt, const struct question_key *key,
                           uint64_t now_ns);

/* The ask's time-out ran out: it goes from `asks` to `overdue`, and is not counted any more. */
void session_mark_overdue(struct attempt *attempt);

/* The ask is over, answered or not; harmless where it was not asked. */
void session_forget(struct attempt *attempt);

/* Takes no new questions; the host ends it when none is in flight. */
void session_drain(struct session *session, unsigned label);

/* Writes what waits; on failure on_end is called. */
void session_flush(struct session *session);

/* What is in flight on it may still be answered: also while it drains, not while it hangs. */
static inline bool session_is_relied_on(const struct session *session)
{
    return session->state >= SESSION_READY && !session->doubted;
}

/* It takes questions. */
static inline bool session_is_open(const struct session *session)
{
    return session->state == SESSION_READY && !session->doubted;
}

#endif
