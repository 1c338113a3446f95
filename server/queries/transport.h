/* transport: the seam between who asks and who answers. The forwarder knows an asker as a transport and a handle, never
 * as a socket, so another way in (UDP, TLS) is a file of its own. Every query a transport hands over is ended by
 * exactly one end_reply; a handle whose client has gone resolves to nothing. A worker's thread. */
#ifndef QUERIES_TRANSPORT_H
#define QUERIES_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/slots.h"

struct transport {
    /* Room for a reply of up to `capacity` bytes; NULL: the client has gone, or memory is short; the query is
     * then ended without a reply. */
    uint8_t *(*begin_reply)(struct transport *transport, struct slot_handle client, size_t capacity);

    /* The reply stands there with `size` bytes; 0: there is none, the query is over all the same. */
    void (*end_reply)(struct transport *transport, struct slot_handle client, size_t size);

    /* The client broke the protocol: no more is read from it, and it is closed as soon as control is back with the
     * transport. */
    void (*abort)(struct transport *transport, struct slot_handle client);

    uint16_t keepalive_100ms; /* how long an idle connection stays, for askers who want to know (RFC 7828) */
};

#endif
