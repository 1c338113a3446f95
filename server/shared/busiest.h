/* busiest: the connections (IP and port) with the most queries per second, for the metrics and an alert.
 *
 * A worker reports the rate of a connection once a second. The figures are exact, at most a few seconds old, and cost
 * one addition for each query. Memory is fixed: BUSIEST_KEPT connections; a new one replaces an old report or the least
 * busy connection. One mutex, a leaf. Any thread. */
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

/* Lists the connections that were reported in the last BUSIEST_RECENT_NS, the busiest first; returns their number. */
#define BUSIEST_RECENT_NS UINT64_C(3000000000)
struct busiest_client {
    struct address address;
    double queries_per_s;
};
size_t busiest_list(struct busiest *busiest, uint64_t now_ns, struct busiest_client *ret_clients, size_t max);

#endif
