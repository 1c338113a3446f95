/* http_connections: the connections of HTTP clients, and the path of a request over each of them.
 *
 *     IDLE ──first byte──> HEAD ──blank line──> WAITING ──its turn──> FORWARDED ──whole response──> RESPONDING
 * ──read──> IDLE └──last──> CLOSING
 *
 * A request is forwarded to the server when its head is complete and valid (http_request.h; else it is refused with 400
 * or the like and the connection ends), on a connection of its own, and in the words of http_request_write. The
 * response is read as fast as the server sends it and kept here until the client has read it. So no client can occupy a
 * thread of the server: neither by silence, nor by sending byte by byte, nor by reading slowly or not at all, nor
 * between two requests. Bodies of requests are not forwarded: the response to a request with a body ends the
 * connection, and what the client still sends is discarded (CLOSING), so that a reset does not overtake the response.
 * One request of a client is handled at a time; requests sent ahead wait in its buffer and in the kernel.
 *
 * Bounds: HTTP_CONNECTIONS_MAX clients, one descriptor each; HTTP_FORWARDED_MAX requests at the server, one descriptor
 * here and one there; a head of HTTP_HEAD_BYTES (beyond it 431); a response of HTTP_RESPONSE_BYTES_MAX (beyond it 503);
 * all responses together HTTP_RESPONSES_BYTES_MAX, beyond which the client that has been reading longest is closed.
 * Each state but FREE has a timeout: a head that does not end gets 408, a server that does not answer 503, and
 * otherwise the connection is closed.
 *
 * If all slots are taken, a new connection replaces the one that has been in its state longest among those that wait
 * for nothing of the server (neither WAITING nor FORWARDED). If there is none, the next responses end their
 * connections.
 *
 * Everything belongs to the thread of its loop; time is loop->now_ns. */
#ifndef METRICS_HTTP_CONNECTIONS_H
#define METRICS_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buffer.h"
#include "common/loop.h"
#include "common/timeouts.h"
#include "metrics/http_request.h"

enum {
    HTTP_CONNECTIONS_MAX = 64,   /* scrapers, probes and people are a dozen; server/server.c reserves descriptors */
    HTTP_FORWARDED_MAX = 4,      /* each of the server's two threads has a next request */
    HTTP_HEAD_BYTES = 16 * 1024, /* browsers send 1 KiB, and cookies of other services of the same host */
    HTTP_RESPONSE_BYTES_MAX = 1024 * 1024,      /* the largest, metrics of many upstreams, is a quarter of it */
    HTTP_RESPONSES_BYTES_MAX = 4 * 1024 * 1024, /* docs/CONFIG.md has it in its sum */
};

enum http_state {
    HTTP_FREE,
    HTTP_IDLE,       /* no byte of a request has come */
    HTTP_HEAD,       /* a part of its head has come */
    HTTP_WAITING,    /* a complete head, while HTTP_FORWARDED_MAX others are at the server */
    HTTP_FORWARDED,  /* the server has it, or is being sent it */
    HTTP_RESPONDING, /* the client is to read the response */
    HTTP_CLOSING,    /* the client is to close the connection */
    HTTP_STATES
};

struct http_connections;

struct http_connection {
    struct http_connections *table;
    enum http_state state;
    struct timeout age; /* in the list of its state */
    struct loop_source client;
    struct loop_source server;   /* while FORWARDED, else fd -1 */
    struct buffer *response;     /* while FORWARDED (the request first) or RESPONDING, else NULL */
    bool last;                   /* the response ends the connection */
    size_t request_bytes;        /* size of the complete head at the front of `head` */
    struct http_request request; /* from WAITING on; refers to `head` until its response is complete */
    bool is_sent;                /* the server has the whole request */
    size_t discarded_bytes;      /* received and ignored while CLOSING */
    size_t head_bytes;           /* received: this request and what was sent ahead */
    uint8_t *head;               /* its part of connections->heads */
};

struct http_connections {
    struct loop *loop;
    struct address server;
    struct buffers buffers;
    unsigned forwarded;
    bool crowded;                        /* a connection was not accepted because all slots were taken */
    struct timeouts states[HTTP_STATES]; /* the connections in each state, by age */
    struct http_connection list[HTTP_CONNECTIONS_MAX];
    uint8_t heads[HTTP_CONNECTIONS_MAX][HTTP_HEAD_BYTES]; /* last: pages of unused slots are never touched */
};

/* For the server at `server`. `loop` must live as long as `connections`. */
void http_connections_init(struct http_connections *connections, struct loop *loop, const struct address *server);

/* Closes them all. */
void http_connections_done(struct http_connections *connections);

/* Whether http_connections_open would find a slot: one is free, or its connection can be replaced. False is remembered
 * until the next call: the connection that is answered next is closed, to make room for those that wait. */
bool http_connections_have_slot(struct http_connections *connections);

/* Takes ownership of `fd`, a connection just accepted and non-blocking. Closes it at once if there is no slot. */
void http_connections_open(struct http_connections *connections, int fd);

/* Call once a turn of the loop, after its events: forwards waiting requests in order and ends what took too long. */
void http_connections_turn(struct http_connections *connections);

/* When http_connections_turn must be called without an event, or CLOCK_NEVER. */
uint64_t http_connections_deadline_ns(const struct http_connections *connections);

#endif
