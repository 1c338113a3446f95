/* links: the connections of HTTP clients, and the way of a request over each of them.
 *
 *     IDLE ──first byte──> HEAD ──blank line──> WAITING ──its turn──> ASKING ──whole answer──> ANSWERING ──read──> IDLE
 *                                                                                                   └──last──> PARTING
 *
 * A request goes to the server when its head is whole, on a connection of its own; the answer is taken as fast as the
 * server gives it and kept here until the client has read it. So no client can hold a thread of the server: not by
 * silence, not byte by byte, not by reading slowly or not at all, not between two requests. Bodies of requests do not
 * go to the server: its answer ends the connection, and what still comes is thrown away (PARTING), lest a reset
 * overtake the answer. One request of a client at a time; those sent ahead wait in its buffer and in the kernel.
 *
 * Bounds: LINKS_MAX clients, a descriptor each; ASKS_MAX requests at the server, a descriptor here and one there; a
 * head of LINK_HEAD_BYTES (beyond it 431); an answer of ANSWER_BYTES_MAX (beyond it 503), all together
 * ANSWERS_BYTES_MAX, beyond which the client that has been reading longest is closed. Each state but the first has its
 * time; a head that does not end gets 408, a server that does not answer 503, else the connection is closed.
 *
 * Where all places are taken, whoever has been in its state longest of those who wait for nothing of ours (not WAITING,
 * not ASKING) gives way to a newcomer; and where nobody can, the next answers end their connections.
 *
 * All of it belongs to the thread of its loop; time is loop->now_ns. */
#ifndef METRICS_LINKS_H
#define METRICS_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buffer.h"
#include "common/loop.h"
#include "common/timeouts.h"

enum {
    LINKS_MAX = 64,                      /* scrapers, probes and people are a dozen; server/server.c counts them */
    ASKS_MAX = 4,                        /* the server's two threads always have a next one */
    LINK_HEAD_BYTES = 4096,              /* browsers send 1 KiB */
    ANSWER_BYTES_MAX = 1024 * 1024,      /* the largest, metrics of many upstreams, is a quarter of it */
    ANSWERS_BYTES_MAX = 4 * 1024 * 1024, /* docs/CONFIG.md has it in its sum */
};

enum link_state {
    LINK_FREE,
    LINK_IDLE,      /* nothing of a request is there */
    LINK_HEAD,      /* a part of it is */
    LINK_WAITING,   /* all of it, and ASKS_MAX others are at the server */
    LINK_ASKING,    /* it is at the server */
    LINK_ANSWERING, /* the client is to read */
    LINK_PARTING,   /* the client is to close */
    LINK_STATES
};

struct links;

struct link {
    struct links *links;
    enum link_state state;
    struct timeout age; /* in the list of its state */
    struct loop_source client;
    struct loop_source server; /* while ASKING, else fd -1 */
    struct buffer *answer;     /* while ASKING or ANSWERING, else NULL */
    bool last;                 /* the answer ends the connection */
    size_t request_bytes;      /* the head at the front of `head`, once it is whole; */
    size_t asked_bytes;        /* and how much of it the server has */
    size_t parting_bytes;      /* thrown away */
    size_t head_bytes;         /* received, this request's and what was sent ahead */
    uint8_t *head;             /* its place in links->heads */
};

struct links {
    struct loop *loop;
    struct address server;
    struct buffers buffers;
    unsigned asking;
    bool crowded;                        /* somebody was not let in for want of a place */
    struct timeouts states[LINK_STATES]; /* the links of each, by age */
    struct link list[LINKS_MAX];
    uint8_t heads[LINKS_MAX][LINK_HEAD_BYTES]; /* apart: the memory of those nobody uses is not touched */
};

/* For the server at `server`; both are to stay while `links` is in use. */
void links_init(struct links *links, struct loop *loop, const struct address *server);

/* Closes them all. */
void links_done(struct links *links);

/* Whether links_open would find a place: one is free, or somebody can give way. False is remembered until the next
 * call: the connection that is answered next ends, for whoever waits outside. */
bool links_have_place(struct links *links);

/* Takes `fd`, a connection just accepted and non-blocking, and closes it in the end; at once, where there is no place.
 */
void links_open(struct links *links, int fd);

/* Once a turn of the loop, after its events: asks for those whose turn it is, and ends what took too long. */
void links_turn(struct links *links);

/* When links_turn is wanted without an event, or CLOCK_NEVER. */
uint64_t links_deadline_ns(const struct links *links);

#endif
