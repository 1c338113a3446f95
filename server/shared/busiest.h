/* busiest: the connections (IP and port) with most queries a second, for the metrics and an alert.
 *
 * A worker reports a connection's rate when its second is over, so the figures are exact, a few seconds old at the
 * most, and cost the way of a query an addition. Memory is fixed: BUSIEST_KEPT connections; a new one takes the place
 * of the oldest report or of the least busy. One mutex, a leaf. Any thread. */
#ifndef SHARED_BUSIEST_H
#define SHARED_BUSIEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

enum { BUSIEST_KEPT = 64 };

struct busiest;

struct busiest *busiest_new(void);
void busiest_free(struct busiest *busiest);

void busiest_report(struct busiest *busiest, const struct address *client, double queries_per_s, uint64_t now_ns);

/* The busiest first, of those reported in the last BUSIEST_RECENT_NS. */
#define BUSIEST_RECENT_NS UINT64_C(3000000000)
struct busiest_client {
    struct address address;
    double queries_per_s;
};
size_t busiest_list(struct busiest *busiest, uint64_t now_ns, struct busiest_client *ret_clients, size_t max);

#endif
