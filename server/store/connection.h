/* connection: one connection to the store: connecting, TLS, and a pipeline of commands and replies. It knows no command
 * and no reply; its owner (store.h) writes the ones and is told of the others, in order.
 *
 * Work per turn of the loop is bounded: a connection reads at most CONNECTION_TURN_BYTES, and the rest waits for the
 * next turn. Commands written in one turn leave in one write, when the owner flushes. Memory: of what is read never
 * more than one reply is kept; what waits to be written is the owner's to bound. One thread; nothing blocks. */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buffer.h"
#include "common/loop.h"
#include "store/entry.h"
#include "store/resp.h"
#include "upstream/tls.h"

enum {
    CONNECTION_TURN_BYTES = 128 * 1024,
    CONNECTION_SCRATCH_BYTES = 2 * (2 + 65535), /* what a worker lends its readers; an entry and more */
};
_Static_assert((int)CONNECTION_SCRATCH_BYTES > (int)ENTRY_BYTES_MAX + (int)RESP_OVERHEAD_MAX, "any reply has room");

/* Why a connection ended, or could not be made. */
enum connection_end {
    CONNECTION_UNREACHABLE, /* refused, no route, no memory */
    CONNECTION_TLS,
    CONNECTION_CERTIFICATE,
    CONNECTION_CLOSED,
    CONNECTION_RESET,
    CONNECTION_PROTOCOL, /* what came is no reply */
};

/* What a connection uses of its worker; all outlive it. */
struct connection_deps {
    struct loop *loop;
    struct buffers *buffers;
    uint8_t *scratch; /* CONNECTION_SCRATCH_BYTES, borrowed while reading */
};

struct connection_target {
    struct address address;
    const char *tls_name;    /* of the certificate */
    struct tls_context *tls; /* shared, not taken; NULL: plain text */
};

struct connection_events {
    void (*on_open)(void *owner); /* commands are written from now on */
    /* False: it is no reply to what was asked, and the connection ends with CONNECTION_PROTOCOL. The connection must
     * not be freed from within. */
    bool (*on_reply)(void *owner, const struct resp_reply *reply);
    /* The connection is dead; the last call. The owner frees it, at once or later. `why`: a constant text. */
    void (*on_end)(void *owner, enum connection_end end, const char *why);
};

struct connection;

/* Begins to connect. NULL: it failed at once, and errno says why; on_end is not called. */
struct connection *connection_open(const struct connection_deps *deps, const struct connection_target *target,
                                   const struct connection_events *events, void *owner);

/* NULL is fine. */
void connection_free(struct connection *connection);

/* Adds a command. False without memory, and nothing was added. */
bool connection_send(struct connection *connection, const struct resp_part *parts, unsigned count);

/* Octets that wait to be written. */
size_t connection_unsent(const struct connection *connection);

/* Writes what waits, once it is open. At the end of every turn. on_end may be called. */
void connection_flush(struct connection *connection);

/* Goes on reading where the last turn left off; connection_has_more: it is to be called, and the next turn must come at
 * once. on_reply and on_end may be called. */
void connection_resume(struct connection *connection);
bool connection_has_more(const struct connection *connection);

#endif
