/* udp_queue: what waits in a socket of the kernel's: how old it may be, and whether more comes than can be answered.
 *
 * A question that waited for over a second is of no use: its client has asked again or given up. Where the kernel had
 * to drop datagrams because the socket's buffer was full, the socket is overrun, and what waited for over 5 ms is of no
 * use, either, until a second has passed without a sign of that. So a flood that is more than can be answered costs
 * others a part of their questions, but no delay: a full buffer would hold each of them back by what it takes to answer
 * all that is before it.
 *
 * Times of datagrams are read only where one may be too old, since that costs: not where the socket was empty lately.
 * Pure; one thread. */
#ifndef CLIENTS_UDP_QUEUE_H
#define CLIENTS_UDP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct udp_queue {
    uint64_t emptied_ns; /* when the socket had no datagram left: what it has now came later */
    uint64_t overrun_ns; /* until then it is held to be overrun */
    uint32_t drops;      /* by the kernel since the socket was opened, as far as they are known; wraps */
};

/* What came before is too old, by the wall clock; 0: nothing in the socket can be. Both times are of this turn. */
uint64_t udp_queue_oldest_ns(const struct udp_queue *queue, uint64_t now_ns, uint64_t wall_ns);

/* What one batch showed. */
struct udp_batch {
    bool is_full;   /* there may be more behind it */
    bool has_old;   /* some of it came before udp_queue_oldest_ns */
    uint32_t drops; /* as in struct udp_queue; may be a former figure */
};

/* Takes note of a batch, and returns how many more the kernel had dropped. */
uint32_t udp_queue_received(struct udp_queue *queue, const struct udp_batch *batch, uint64_t now_ns);

#endif
