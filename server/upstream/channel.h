/* channel: one connection to an upstream, over TLS or in plain text, that carries framed DNS messages (RFC 7858, 7766):
 * connecting, handshake, reading, writing. It knows nothing of questions; its owner (session.h) gives it messages and
 * is told of what comes.
 *
 * Work per turn of the loop is bounded: a channel reads at most CHANNEL_TURN_BYTES and hands on at most
 * CHANNEL_TURN_MESSAGES, and the rest waits in host->unread for the next turn. A peer that sends CHANNEL_USELESS_BYTES
 * without a message that its owner accepts is ended. Messages written in one turn leave in one TLS write, when the host
 * flushes. One thread. */
#ifndef UPSTREAM_CHANNEL_H
#define UPSTREAM_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buffer.h"
#include "common/list.h"
#include "common/loop.h"
#include "upstream/cause.h"
#include "upstream/tls.h"

enum {
    CHANNEL_TURN_BYTES = 128 * 1024,
    CHANNEL_TURN_MESSAGES = 1024,
    CHANNEL_USELESS_BYTES = 2 * 1024 * 1024, /* a message of 64 kB with one byte in each TLS record needs 1.5 MB */
    CHANNEL_SCRATCH_BYTES = 2 * (2 + 65535),
};

enum channel_state { CHANNEL_CONNECTING, CHANNEL_HANDSHAKING, CHANNEL_READY };

struct channel;

/* What the channels of a thread share; all of it outlives them. */
struct channel_host {
    struct loop *loop;
    struct buffers *buffers;
    uint8_t *scratch;      /* CHANNEL_SCRATCH_BYTES, borrowed while reading */
    struct list unwritten; /* channels to flush in this turn */
    struct list unread;    /* channels with more to read than a turn allows */
    bool had_event;        /* of a channel; the owner clears it */
};

/* Events that a channel reports to its owner. */
struct channel_events {
    void (*on_ready)(void *owner);
    /* A whole message of any content. False: the owner has no use for it, and the channel ends with `ret_cause`. The
     * channel must not be freed from within. */
    bool (*on_message)(void *owner, const uint8_t *message, size_t size, enum cause *ret_cause);
    /* The channel is dead; the last call. The owner frees it, at once or later. */
    void (*on_end)(void *owner, enum cause cause);
};

/* Where to connect, and how. */
struct channel_target {
    struct address address;
    const char *name;                /* of the certificate */
    struct tls_context *tls;         /* shared, not taken; NULL: plain text */
    const struct tls_ticket *ticket; /* NULL: a full handshake */
    bool one_message_per_record;     /* for servers that read no more than the first message of a TLS record */
};

/* Begins to connect. NULL: it failed at once for ret_cause, and errno says why; on_end is not called. */
struct channel *channel_open(struct channel_host *host, const struct channel_target *target,
                             const struct channel_events *events, void *owner, enum cause *ret_cause);

/* Closes (with close_notify if a handshake was done) and frees. NULL is fine. */
void channel_free(struct channel *channel);

/* Room for a message of at most `size` bytes behind what waits to be written; NULL without memory. Follow with
 * channel_send, which frames the message of `size` bytes written to the room and has it flushed. */
uint8_t *channel_room(struct channel *channel, size_t size);
void channel_send(struct channel *channel, size_t size);

/* Writes what waits. A channel that fails is ended: on_end is called. At the end of every turn. */
void channels_flush(struct channel_host *host);

/* Goes on reading where an earlier turn left off. Once a turn; channels_have_unread: the next turn must
 * come at once. */
void channels_resume(struct channel_host *host);
static inline bool channels_have_unread(const struct channel_host *host)
{
    return !list_is_empty(&host->unread);
}

enum channel_state channel_state(const struct channel *channel);

/* Each message gets a TLS record of its own, from the next flush on that has nothing left of an earlier one. False: it
 * was so already. */
bool channel_split_records(struct channel *channel);

/* TLS records written: a message that leaves together with others shares theirs. */
uint32_t channel_records(const struct channel *channel);

/* After the handshake; see tls.h. */
bool channel_is_resumed(const struct channel *channel);
int64_t channel_certificate_expiry_s(struct channel *channel);
struct tls_ticket *channel_take_ticket(struct channel *channel);

/* Why it ended, in words; NULL if nothing failed. */
const char *channel_error(const struct channel *channel);

#endif
