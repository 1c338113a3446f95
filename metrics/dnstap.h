/* dnstap: copies of the DNS messages of clients and upstreams for a program that collects them, over a Unix socket in
 * frames of Frame Streams (libfstrm).
 *
 * A worker encodes a message and puts the frame into a queue of its own; a thread of the library's takes the frames of
 * all workers out and writes them. No worker waits: where its queue is full (DNSTAP_QUEUE_FRAMES, DNSTAP_QUEUE_BYTES),
 * or nobody reads the socket, frames are lost and counted. A reader that comes back is found within DNSTAP_REOPEN_S;
 * one that takes nothing for DNSTAP_PATIENCE_S is left. Of `sample` exchanges one is copied, its query and its
 * response. Main thread, but for dnstap_wants_... and dnstap_..._message, which are the tap's thread's, and
 * dnstap_counts, which any thread may call.
 */
#ifndef METRICS_DNSTAP_H
#define METRICS_DNSTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "common/address.h"
#include "metrics/dnstap_message.h"

enum {
    DNSTAP_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path,
    DNSTAP_QUEUE_FRAMES = 4096,    /* of a worker, a power of two: what one turn of its loop may bring */
    DNSTAP_QUEUE_BYTES = 16 << 20, /* of all workers together */
    DNSTAP_REOPEN_S = 1,
    DNSTAP_PATIENCE_S = 1,
};

struct dnstap_options {
    char socket[DNSTAP_PATH_MAX]; /* "": off */
    uint32_t sample;              /* one of so many */
    bool clients;                 /* messages of clients, too, with their addresses */
};

struct dnstap;
struct dnstap_tap; /* of one thread */

/* With a tap for each of `count` threads. NULL: memory or threads are short. That nobody reads the socket is no error.
 */
struct dnstap *dnstap_start(const struct dnstap_options *options, unsigned count);
struct dnstap_tap *dnstap_tap(struct dnstap *dnstap, unsigned index);

/* Writes what waits, for DNSTAP_PATIENCE_S at most, and ends its thread. The taps' threads have ended. NULL is fine. */
void dnstap_stop(struct dnstap *dnstap);

/* Frames since the start: those that were written, and those that were lost. */
struct dnstap_counts {
    uint64_t written;
    uint64_t lost;
};
struct dnstap_counts dnstap_counts(const struct dnstap *dnstap); /* NULL: zeros */

/* A message of a client or to it; `transport` is LABEL_TRANSPORT_. Whether it is copied depends on the client's
 * address, port and id alone, so that it is the same for a query and its response. `tap` NULL: nothing is done. */
void dnstap_client_message(struct dnstap_tap *tap, enum dnstap_type type, enum dnstap_protocol protocol,
                           const struct address *client, const uint8_t *bytes, size_t size);

/* A message to an upstream or from it. `session` is the number of its session: that and the id choose it. */
void dnstap_upstream_message(struct dnstap_tap *tap, enum dnstap_type type, enum dnstap_protocol protocol,
                             const struct address *upstream, uint32_t session, const uint8_t *bytes, size_t size);

#endif
