/* client: one client's TCP connection (RFC 7766): bytes in, queries to the worker, replies out.
 *
 * The acceptor hands it over by adding it to the worker's loop; from its first event on, which comes at once, it is the
 * worker's alone. Queries are taken from what one read brought, replies to them leave in one write; replies that come
 * later leave with the turn's flush. An idle client owns no buffer: only the front of a message and what the socket did
 * not take are kept.
 *
 * Back-pressure: a client is not read from while it has max_in_flight queries unanswered or does not take its replies.
 * A turn of one client is bounded: one read, and some 256 KiB of replies to it; the rest waits for the next turn.
 * Bounds of its memory: one message's front (max_query_bytes), or what one read brought (64 KiB) while it is held back,
 * and max_unsent_bytes. */
#ifndef CLIENTS_TCP_CLIENT_H
#define CLIENTS_TCP_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/loop.h"
#include "common/slots.h"
#include "common/timeouts.h"
#include "metrics/counters.h"
#include "queries/transport.h"
#include "shared/access.h"
#include "shared/busiest.h"
#include "shared/connections.h"

struct tcp_client;

/* Time over which a client's rate is counted. */
#define RATE_NS NS_PER_S

struct tcp_client_options {
    uint64_t idle_timeout_ns; /* with no query in flight */
    uint64_t
        read_timeout_ns; /* for the rest of a message once begun, and for a reader to take some of what waits for it */
    uint64_t first_timeout_ns; /* from connecting to the first byte */
    uint32_t max_in_flight;    /* queries of one client */
    uint32_t max_query_bytes;  /* a longer message is answered FORMERR and skipped */
    uint32_t max_unsent_bytes; /* of replies a client does not read; above it is closed */
    uint32_t crowded_above;    /* connections of all workers; with more, idle_timeout is a quarter */
};

struct tcp_clients {
    struct transport transport; /* first: a transport is its clients */
    struct tcp_client_options options;
    struct loop *loop;
    struct buffers *buffers;
    struct counters *counters;
    struct connections *connections;
    struct busiest *busiest;
    atomic_uint *load;  /* this worker's clients, counted up by the acceptor */
    struct slots slots; /* of struct client_place: handles */
    struct list all;    /* of struct client, adopted */
    struct timeouts first;
    struct timeouts read;
    struct timeouts idle;
    struct timeouts write;
    struct timeouts rates;      /* seconds in which clients ask */
    struct list dirty;          /* of struct client */
    struct access_list *access; /* who may ask; a share */
    uint8_t *scratch;           /* CLIENT_SCRATCH_BYTES, borrowed while reading */
    /* The batch: replies to the client whose messages are being handled, made while they are. */
    struct tcp_client *batching; /* that client; NULL outside of its turn */
    struct buffer outbox;        /* its replies that were not sent yet */
    size_t made;                 /* the bytes of all its replies in this turn */
    bool draining;

    /* A message, from a batched requester. Its query is ended by one end_reply, at once or later; where the message is
     * refused, at once. */
    void (*on_message)(struct tcp_clients *clients, const struct requester *requester,
                       const struct client_message *message);
};

enum { CLIENT_SCRATCH_BYTES = 2 * (2 + 65535) };

/* A client's slot: what its handle finds. */
struct client_slot {
    struct slot slot;
    struct tcp_client *client;
};

struct tcp_client {
    struct loop_source source;
    struct tcp_clients *clients;
    struct client_slot *slot; /* its slot; NULL until adopted */
    struct address address;
    struct list all;        /* in clients->all */
    struct list dirty;      /* in clients->dirty: replies wait for the flush, or input for the next turn */
    struct timeout input;   /* of clients->first, read or idle */
    struct timeout output;  /* of clients->write */
    struct buffer *partial; /* input not handled yet; NULL where none */
    struct buffer *unsent;  /* replies not taken by the socket yet; NULL where none */
    struct timeout rate;    /* of clients->rates: the second in which */
    uint32_t asked;         /* so many queries came */
    uint32_t in_flight;     /* queries not answered yet */
    uint32_t handled;       /* messages, ever; wraps */
    uint32_t discard;       /* bytes of an over-long message still to skip */
    uint8_t abort_cause;    /* LABEL_CLOSED_ */
    bool greeted;           /* sent a byte at least */
    bool readable;          /* the kernel may have more */
    bool ending;            /* the kernel says that the client's end of stream is behind what it has */
    bool held_back;         /* `partial` may hold whole messages that had to wait */
    bool ended;             /* no more input is read: end of stream, or enough */
    bool aborted;           /* to be closed, whatever is in flight */
    bool refused;           /* may not ask: gets one REFUSED */
};

/* Hands an accepted, non-blocking socket over; it is the worker's from here on, also where false (no memory, no room in
 * the loop) says that it was closed. The acceptor's thread; touches nothing of `clients` but its loop. */
bool tcp_client_start(struct tcp_clients *clients, int fd, const struct address *address);

/* ---- the worker's thread ---- */

/* One turn of it: writes what waits, reads what it may, and closes it where nothing more is to come. It may be gone
 * afterwards. */
void tcp_client_turn(struct tcp_client *client);

/* Whether it may ask, by the access list as it is now. */
void tcp_client_judge(struct tcp_client *client);

/* It is to have a turn. */
void tcp_client_mark_dirty(struct tcp_client *client);

/* It is to be closed at its next turn, for a cause of LABEL_CLOSED_. */
void tcp_client_fail(struct tcp_client *client, enum label_closed cause);

/* Sends what waits for the socket, as far as it takes it. */
void tcp_client_flush(struct tcp_client *client);

/* Tells the table of the busiest how much it asked in its second, or in the part of it that was. */
void tcp_client_report_rate(struct tcp_client *client, uint64_t now_ns);

/* At once. */
void tcp_client_close(struct tcp_client *client, enum label_closed cause);

/* Where replies to it go. */
struct slot_handle tcp_client_handle(const struct tcp_client *client);

#endif
