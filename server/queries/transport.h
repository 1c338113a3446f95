/* transport: the interface between clients and queries. The forwarder knows a client as a transport and a handle, never
 * as a socket, so that another kind of transport (UDP, TLS) is a file of its own.
 *
 * Every query that a transport hands over is ended by exactly one end_reply, at once or later. A handle whose client
 * has gone resolves to nothing: begin_reply then returns NULL and end_reply does nothing. A worker's thread. */
#ifndef QUERIES_TRANSPORT_H
#define QUERIES_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/slots.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "queries/refusal.h"

struct incoming;
struct transport;

/* The client that asked. */
struct requester {
    struct transport *transport;
    struct slot_handle client;

    /* Also where the client has gone; valid as long as the requester. */
    const struct address *address;

    /* The transport is handing over this client's messages now: the reply joins the others of this batch, which the
     * transport sends when it has handed over the last message. False: the reply is made later, at any time. */
    bool batched;

    /* The transport has no room for one more question that waits: this one is answered at once, or refused. */
    bool must_not_wait;
};

/* Messages that are read ahead together: enough for their waits for memory to overlap, and few enough for what is read
 * of them to stay in the processor's first cache. */
enum { READ_AHEAD_MAX = 16 };

/* A message as a transport hands it over. It is read only until forwarder_handle returns. */
struct client_message {
    const uint8_t *bytes;
    size_t size;

    /* Why the transport wants it refused, whatever it says: REFUSAL_NONE, or REFUSAL_TOO_LONG (`bytes` is then the
     * beginning of the message) or REFUSAL_PROHIBITED. */
    enum refusal refusal;

    /* What forwarder_read_ahead has read of it; NULL: nothing. */
    struct incoming *read_ahead;

    /* So many messages of the same client are handed over directly behind this one, unless it may not go on before the
     * last. Their tokens of the rate limit are taken with this one's. */
    uint32_t behind;
};

struct transport {
    enum label_transport label; /* in metrics */

    /* No reply to this transport's clients is larger: DNS_MESSAGE_MAX on a stream. */
    uint16_t max_reply_bytes;

    /* For how long an idle connection stays open, in units of 100 ms, for clients that ask (RFC 7828); 0: the transport
     * has no connections, and nobody is told. */
    uint16_t keepalive_100ms;

    /* Memory for a reply of up to `capacity` bytes. NULL: the client has gone, or memory is short; the query is then
     * ended without a reply. */
    uint8_t *(*begin_reply)(const struct requester *requester, size_t capacity);

    /* Ends a query. Its reply is in the memory that begin_reply returned last, and has `size` bytes; 0:
     * there is none. */
    void (*end_reply)(const struct requester *requester, size_t size);

    /* The client broke the protocol, or may not go on: its connection is closed as soon as control is back with the
     * transport. A transport without connections does nothing. */
    void (*abort)(const struct requester *requester);

    /* Admits a query, or says why it is refused, and completes what its replies need: `profile` comes filled from the
     * question and from the members above, and the transport may lower max_bytes and add options (a cookie). The
     * question is filled as far as `verdict` allows, which is never QUESTION_CLOSE. `ret_is_verified`: the client's
     * address is its own, so the query counts in the common rate limit, and may use all room for questions in flight.
     * NULL: nothing to complete, and every client is verified. */
    enum refusal (*admit)(const struct requester *requester, const struct question *question,
                          enum question_verdict verdict, struct reply_profile *profile, bool *ret_is_verified);
};

#endif
