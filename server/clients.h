/* clients: all TCP clients of one worker: the transport replies go through, their time-outs, and who has a turn. One
 * thread. */
#ifndef SERVER_CLIENTS_H
#define SERVER_CLIENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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

struct client;

/* Time over which a client's rate is counted. */
#define RATE_NS NS_PER_S

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
    struct timeouts rates;      /* seconds in which clients ask */
    struct list dirty;          /* of struct client */
    struct access_list *access; /* who may ask; a share */
    uint8_t *scratch;           /* CLIENT_SCRATCH_BYTES, borrowed while reading */
    struct client *current;     /* whose messages are being handled, */
    struct buffer outbox;       /* the replies to them that were not sent yet, */
    size_t made;                /* and the bytes of all of them in this turn */
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

/* Who may ask from now on; takes a share. Who is there already and may not any more gets REFUSED for its next query.
 * Not before it was called is a client handed over. */
void clients_set_access(struct clients *clients, struct access_list *access);

/* Closes whose time is over, writes what waits, goes on reading who was held back. At the end of every turn. */
void clients_tick(struct clients *clients, uint64_t now_ns);

/* When to call clients_tick next, at the latest. */
uint64_t clients_deadline_ns(const struct clients *clients);

/* Reads no more queries and closes each client when its last reply is written. */
void clients_drain(struct clients *clients);

/* Closes clients, a bounded number of them, since there is no room for new ones: those who never sent a byte, then the
 * idlest, then those who have taken nothing of their replies for longest. */
void clients_shed(struct clients *clients);

#endif
