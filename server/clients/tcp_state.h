/* tcp_state: the state of the TCP clients of one worker, private to tcp_input, tcp_output,
 * tcp_client and tcp_clients. */
#ifndef CLIENTS_TCP_STATE_H
#define CLIENTS_TCP_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clients/cookie_option.h"
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

/* What a client's socket is registered for. Writable at once: so the worker is told of it now, and learns of its query
 * in the same event if that is there already. */
#define TCP_CLIENT_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP)

/* Time over which a client's rate is counted. */
#define RATE_NS NS_PER_S

struct tcp_client_options {
    uint64_t idle_timeout_ns; /* with no query in flight */
    uint64_t
        read_timeout_ns; /* for the rest of a message once begun, and for a reader to take some of what waits for it */
    uint64_t first_timeout_ns;   /* from connecting to the first byte */
    uint32_t max_in_flight;      /* queries of one client */
    uint32_t max_query_bytes;    /* a longer message is answered FORMERR and skipped */
    uint32_t max_unsent_bytes;   /* of replies that a client has not taken; above it no more queries are read from it */
    uint64_t max_buffered_bytes; /* of input and replies that wait, of all clients of a worker; half of it of one */
    uint32_t crowded_above;      /* connections of all workers; with more, idle_timeout is a quarter */
};

/* Where clients of this worker go, by the last window (worker_demand.h). */
struct tcp_moves {
    struct tcp_clients *to;    /* of another worker; NULL: nowhere */
    bool all;                  /* this worker is inactive: each client goes as soon as it asks */
    uint64_t queries;          /* else: clients may still go that ask so many in a window, in thousandths */
    struct tcp_clients *later; /* where those go that are to be answered first */
};

struct tcp_clients {
    struct transport transport; /* first: a transport is its clients */
    struct tcp_client_options options;
    struct loop *loop;
    struct buffers *buffers;
    struct counters *counters;
    struct connections *connections;
    struct busiest *busiest;
    atomic_uint *load;  /* this worker's clients, counted up by the acceptor and by workers that hand one over */
    struct slots slots; /* of struct client_place: handles */
    struct list all;    /* of struct client, adopted */
    struct timeouts first;
    struct timeouts read;
    struct timeouts idle;
    struct timeouts write;
    struct timeouts rates;   /* seconds in which clients ask */
    struct timeouts leaving; /* of clients that are not read from until they are answered, to move */
    struct tcp_moves moves;
    const atomic_bool *moves_stopped; /* set where workers end; NULL: no client ever moves */
    uint64_t asked;                   /* queries of all clients, ever */
    struct list dirty;                /* of struct client */
    struct access_list *access;       /* who may ask; a share */
    uint8_t *scratch;                 /* CLIENT_SCRATCH_BYTES, borrowed while reading */
    /* The batch: replies to the client whose messages are being handled, made while they are. */
    struct tcp_client *batching;                    /* that client; NULL outside of its turn */
    struct buffer outbox;                           /* its replies that were not sent yet */
    size_t made;                                    /* the bytes of all its replies in this turn */
    struct client_message messages[READ_AHEAD_MAX]; /* of it, that are handed over next */
    uint32_t in_flight;                             /* questions of all clients that are there */
    bool draining;
    bool holding; /* nothing is read, and nobody closed for it: clients come or go by a hand-over (tcp_handover.h) */
    struct cookie_service *cookies; /* NULL: none */
    struct dnstap_tap *tap;         /* the same */

    /* Several messages, at most READ_AHEAD_MAX, that are handed over next, unless the client may not go on before the
     * last; so that what handling them needs can be fetched meanwhile. NULL: not told. */
    void (*read_ahead)(struct tcp_clients *clients, struct client_message *messages, unsigned count);

    /* A message, from a batched requester. Its query is ended by one end_reply, at once or later; if the message is
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
    uint8_t counted_bits;   /* the prefix it is counted for (shared/connections.h) */
    struct list all;        /* in clients->all */
    struct list dirty;      /* in clients->dirty: replies wait for the flush, or input for the next turn */
    struct timeout input;   /* of clients->first, read, idle or leaving */
    struct timeout output;  /* of clients->write */
    struct buffer *partial; /* input not handled yet; NULL if none */
    struct buffer *unsent;  /* replies not taken by the socket yet; NULL if none */
    struct timeout rate;    /* of clients->rates: the second in which */
    uint32_t asked;         /* so many queries came */
    uint32_t in_flight;     /* queries not answered yet */
    uint32_t handled;       /* messages, ever; wraps */
    uint32_t discard;       /* bytes of an over-long message still to skip */
    uint8_t abort_cause;    /* LABEL_CLOSED_ */
    bool greeted;           /* sent a byte at least */
    bool readable;          /* the kernel may have more */
    bool ending;            /* the kernel says that the client's end of stream is behind what it has */
    bool is_taken;          /* from the former process, and not in the loop yet (tcp_handover.h) */
    bool held_back;         /* `partial` may hold whole messages that had to wait */
    bool ended;             /* no more input is read; closed when its replies are sent */
    uint8_t end_cause;      /* LABEL_CLOSED_, if `ended`: by the client, or why its input is not read */
    bool aborted;           /* to be closed at once, whatever is in flight */
    bool moved;             /* it was another worker's before */
    bool leaving;           /* not read from: when its queries are answered it goes to another worker */
    uint8_t stays;          /* seconds with queries for which it is not asked to leave again */
};

/* The client is to have a turn. */
static inline void tcp_client_mark_dirty(struct tcp_client *client)
{
    if (list_is_empty(&client->dirty)) list_push(&client->clients->dirty, &client->dirty);
}

/* The client is to be closed at its next turn, whatever is in flight. */
static inline void tcp_client_fail(struct tcp_client *client, enum label_closed cause)
{
    client->aborted = true;
    client->abort_cause = (uint8_t)cause;
}

/* Where replies to it go. */
static inline struct slot_handle tcp_client_handle(const struct tcp_client *client)
{
    return slot_handle(client->slot);
}

#endif
