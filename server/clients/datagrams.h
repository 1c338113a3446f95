/* datagrams: what a socket has received, many UDP datagrams with one system call. Replies are datagram_sender's.
 *
 * The memory is allocated once for a worker; nothing is allocated later. What was received is valid until the next
 * batch. One thread. */
#ifndef CLIENTS_DATAGRAMS_H
#define CLIENTS_DATAGRAMS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    DATAGRAMS_MAX = 64,        /* of one batch */
    DATAGRAM_QUERY_MAX = 2048, /* bytes that are received of one datagram; what is behind them is lost */
    DATAGRAM_REPLY_MAX = 1400, /* bytes of a reply; longer ones may need fragments (RFC 9715, 3.1) */
};

/* Where a datagram came from, and to which of our addresses. A reply takes the same path back. */
struct datagram_path {
    union {
        sa_family_t family;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } remote;

    /* Our address, if the socket is bound to none; else AF_UNSPEC. */
    sa_family_t local_family;
    union {
        struct in_pktinfo ipv4;
        struct in6_pktinfo ipv6;
    } local;
};

struct datagram_receiver;

/* NULL if memory is short. */
struct datagram_receiver *datagram_receiver_new(void);
void datagram_receiver_free(struct datagram_receiver *receiver);

/* Receives up to DATAGRAMS_MAX datagrams without blocking, and returns their number; fewer: the socket has no more.
 * `is_wildcard`: it is bound to no address, so our address is read with each. `oldest_ns`: what came before is old, by
 * CLOCK_REALTIME, with which the kernel marks datagrams; 0: none is, and times are not read, which costs less. */
unsigned datagrams_receive(struct datagram_receiver *receiver, int fd, bool is_wildcard, uint64_t oldest_ns);

struct datagram {
    const uint8_t *bytes;
    size_t size;                      /* at most DATAGRAM_QUERY_MAX */
    bool is_cut;                      /* it was longer */
    bool is_old;                      /* it came before `oldest_ns` */
    const struct datagram_path *path; /* of the batch */
};

/* Datagram `index` of the last batch. */
struct datagram datagrams_at(struct datagram_receiver *receiver, unsigned index);

/* Datagrams that the kernel has dropped since the socket was opened because its buffer was full, as the last batch
 * said it; wraps. False: it did not say, since there were none. */
bool datagrams_dropped(const struct datagram_receiver *receiver, uint32_t *ret_drops);

/* The same as it is now. False: the socket does not say. */
bool datagrams_dropped_by(int fd, uint32_t *ret_drops);

/* Whether one of the last batch is old. */
bool datagrams_have_old(const struct datagram_receiver *receiver);

#endif
