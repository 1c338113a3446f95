/* client: the TCP connections of one worker's clients (RFC 7766): bytes in, queries to the forwarder, replies out.
 *
 * The acceptor makes a client (client_new) and adds it to the worker's loop; from its first event on, which comes at
 * once, it is the worker's alone. Queries are taken from what one read brought, replies to them leave in one write;
 * replies that come later leave with the turn's flush. An idle client owns no buffer: only the front of a message and
 * what the socket did not take are kept.
 *
 * Back-pressure: a client is not read from while it has max_in_flight queries unanswered or does not take its replies.
 * Bounds of one client's memory: one message's front (max_query_bytes) or what one read brought (64 KiB) while it is
 * held back, and max_unsent_bytes. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buffer.h"
#include "common/loop.h"
#include "common/slots.h"
#include "common/timeouts.h"
#include "metrics/counters.h"
#include "shared/busiest.h"
#include "shared/connections.h"
#include "transport.h"

struct client_options {
    uint64_t idle_timeout_ns; /* with no query in flight */
    uint64_t
        read_timeout_ns; /* for the rest of a message once begun, and for a reader to take some of what waits for it */
    uint64_t first_timeout_ns; /* from connecting to the first byte */
    uint32_t max_in_flight;    /* queries of one client */
    uint32_t max_query_bytes;  /* a longer message is answered FORMERR and skipped */
    uint32_t max_unsent_bytes; /* of replies a client does not read; above it is closed */
    uint32_t crowded_above;    /* connections of all workers; with more, idle_timeout is a quarter */
};

struct client {
    struct loop_source source;
    struct clients *clients;
    struct client_place *place; /* its slot; NULL until adopted */
    struct address address;
    struct list all;        /* in clients->all */
    struct list dirty;      /* in clients->dirty: replies wait for the flush, or input for the next turn */
    struct timeout input;   /* of clients->first, read or idle */
    struct timeout output;  /* of clients->write */
    struct buffer *partial; /* input not handled yet; NULL where none */
    struct buffer *unsent;  /* replies not taken by the socket yet; NULL where none */
    uint32_t in_flight;
    uint32_t asked;         /* queries since */
    uint64_t asked_from_ns; /* this time, about a second ago at the most */
    uint32_t discard;       /* bytes of an over-long message still to skip */
    uint8_t abort_cause;    /* LABEL_CLOSED_ */
    bool greeted;           /* sent a byte at least */
    bool readable;          /* the kernel may have more */
    bool ending;            /* the kernel says that the client's end of stream is behind what it has */
    bool held_back;         /* `partial` may hold whole messages that had to wait */
    bool ended;             /* no more input is read: end of stream, or enough */
    bool aborted;           /* to be closed, whatever is in flight */
    bool refused;           /* not of the access list: gets one REFUSED */
};

struct clients {
    struct transport transport; /* first: a transport is its clients */
    struct client_options options;
    struct loop *loop;
    struct buffers *buffers;
    struct counters *counters;
    struct connections *connections;
    struct busiest *busiest;
    atomic_uint *load;   /* this worker's clients, counted up by the acceptor */
    struct slots places; /* of struct client_place: handles */
    struct list all;     /* of struct client, adopted */
    struct timeouts first;
    struct timeouts read;
    struct timeouts idle;
    struct timeouts write;
    struct list dirty;      /* of struct client */
    uint8_t *scratch;       /* CLIENT_SCRATCH_BYTES, borrowed while reading */
    struct client *current; /* whose messages are being handled, */
    struct buffer outbox;   /* and the replies to them so far */
    bool draining;

    /* A message. Ends in one end_reply, now or later. */
    void (*on_message)(struct clients *clients, struct client *client, const uint8_t *message, size_t size);
    /* The first max_query_bytes of a message that is longer. Ends in one end_reply, now. */
    void (*on_too_long)(struct clients *clients, struct client *client, const uint8_t *front, size_t size);
};

enum { CLIENT_SCRATCH_BYTES = 2 * (2 + 65535) };

/* What clients use of their worker; all outlive them. */
struct clients_place {
    struct loop *loop;
    struct buffers *buffers;
    struct counters *counters;
    struct connections *connections;
    struct busiest *busiest;
    atomic_uint *load;
    uint8_t *scratch;
};

bool clients_init(struct clients *clients, const struct client_options *options, const struct clients_place *place);
void clients_done(struct clients *clients); /* closes them all */
void clients_set_options(struct clients *clients, const struct client_options *options);

/* Hands an accepted, non-blocking socket over; it is the worker's from here on, also where false (no memory, no room in
 * the loop) says that it was closed. The acceptor's thread; touches nothing of `clients` but its loop. */
bool client_start(struct clients *clients, int fd, const struct address *address, bool refused);

/* Closes whose time is over, writes what waits, goes on reading who was held back. At the end of every turn. */
void clients_tick(struct clients *clients, uint64_t now_ns);

/* When to call clients_tick next, at the latest. */
uint64_t clients_deadline_ns(const struct clients *clients);

/* Reads no more queries and closes each client when its last reply is written. */
void clients_drain(struct clients *clients);

/* Closes the idlest clients, a bounded number of them: there is no room for new ones. */
void clients_shed(struct clients *clients);

/* Where replies to it go. */
struct slot_handle client_handle(const struct client *client);

#endif
