/* cause: why a session ended, why an attempt or an upstream failed, and why a question is asked again. The folder's own
 * words for it; tally.c alone knows the metrics' labels for them. Pure. */
#ifndef UPSTREAM_CAUSE_H
#define UPSTREAM_CAUSE_H

#include <stdbool.h>

enum cause {
    /* the upstream failed */
    CAUSE_CONNECT_REFUSED,
    CAUSE_CONNECT_TIMEOUT,
    CAUSE_CONNECT_ERROR,
    CAUSE_TLS,
    CAUSE_TLS_TIMEOUT,
    CAUSE_CERTIFICATE,
    CAUSE_CLOSED,
    CAUSE_RESET,
    CAUSE_SILENT,
    CAUSE_FRAME,       /* what it sent is no DNS response */
    CAUSE_UNSOLICITED, /* more responses than questions */
    CAUSE_MISMATCH,    /* a response to another question */
    CAUSE_MALFORMED,
    /* nothing is wrong */
    CAUSE_IDLE,
    CAUSE_AGE,
    CAUSE_REPLACED,
    CAUSE_REVALIDATED,
    CAUSE_RELOAD,
    CAUSE_PEER_IDLE, /* the upstream closed a session that nobody used */
    CAUSES
};

enum retry {
    RETRY_CLOSED,  /* the session ended */
    RETRY_SILENT,  /* the session is silent */
    RETRY_HEDGE,   /* the answer is overdue */
    RETRY_RCODE,   /* another upstream is asked for its opinion */
    RETRY_INVALID, /* the response was no answer */
    RETRIES
};

static inline bool cause_is_failure(enum cause cause)
{
    return cause < CAUSE_IDLE;
}

/* The peer or the network ended the connection. */
static inline bool cause_is_loss(enum cause cause)
{
    return cause == CAUSE_CLOSED || cause == CAUSE_RESET;
}

/* A word for the log. */
const char *cause_text(enum cause cause);

#endif
