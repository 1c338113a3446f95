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
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "clients.h"
#include "common/address.h"
#include "common/buffer.h"
#include "common/loop.h"
#include "common/timeouts.h"

/* A client's slot: what its handle finds. */
struct client_place {
    struct slot slot;
    struct client *client;
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
bool client_start(struct clients *clients, int fd, const struct address *address);

/* ---- the worker's thread ---- */

/* One turn of it: writes what waits, reads what it may, and closes it where nothing more is to come. It may be gone
 * afterwards. */
void client_turn(struct client *client);

/* Whether it may ask, by the access list as it is now. */
void client_judge(struct client *client);

/* It is to have a turn. */
void client_mark_dirty(struct client *client);

/* It is to be closed at its next turn, for a cause of LABEL_CLOSED_. */
void client_fail(struct client *client, unsigned cause);

/* Sends what waits for the socket, as far as it takes it. */
void client_flush(struct client *client);

/* Tells the table of the busiest how much it asked in its second, or in the part of it that was. */
void client_report_rate(struct client *client, uint64_t now_ns);

/* At once. */
void client_close(struct client *client, unsigned cause);

/* Where replies to it go. */
struct slot_handle client_handle(const struct client *client);

#endif
