/* datagram_sender: replies over UDP that leave a worker together, with one system call.
 *
 * They are written one behind the other into the sender's memory, which is allocated once for a worker. Replies that
 * take the same path are one message for the kernel, which divides it into datagrams at the end of its way
 * (UDP_SEGMENT, docs/decisions/0033-replies-that-leave-together.md); it does that where all have the size of the first,
 * and the last may be shorter. So replies of one batch to one client may arrive in another order than that in which
 * they were added. Where an interface does not divide, they are sent one by one, and so are those of the next 1,000
 * batches; where the kernel cannot, all are. One thread. */
#ifndef CLIENTS_DATAGRAM_SENDER_H
#define CLIENTS_DATAGRAM_SENDER_H

#include <stddef.h>
#include <stdint.h>

#include "clients/datagrams.h"

struct datagram_sender;

/* Replies that were given to the kernel, and those it did not take. */
struct datagrams_sent {
    unsigned sent;
    unsigned lost;
    unsigned truncated; /* were too large for the interface, and were sent again with TC and the question alone */
};

struct datagram_sender *datagram_sender_new(void);
void datagram_sender_free(struct datagram_sender *sender);

/* Memory for a reply of up to `capacity` bytes, at most ANSWER_BYTES_MAX + EDNS_REPLY_MAX (dns/answer.h), behind those
 * that wait. There must be room: fewer than DATAGRAMS_MAX wait. Valid until the next call. */
uint8_t *datagram_sender_room(struct datagram_sender *sender, size_t capacity);

/* The reply at that memory has `size` bytes, at most DATAGRAM_REPLY_MAX: it waits to be sent on that path. */
void datagram_sender_add(struct datagram_sender *sender, const struct datagram_path *path, size_t size);

/* How many wait. */
unsigned datagram_sender_count(const struct datagram_sender *sender);

/* Sends all that wait from that socket. What the kernel does not take is lost, as datagrams may be. */
struct datagrams_sent datagrams_send(struct datagram_sender *sender, int fd);

#endif
