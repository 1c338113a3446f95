/* placement: which of the active workers gets a connection.
 *
 * The one with the fewest clients. But a connection of one query costs more by the threads it wakes than by the query:
 * so while connections come and go, one worker gets them in a run and handles many in a turn (with two workers on two
 * processors some 25 us of processor time each, instead of 32 and more). Connections count as such if in the last
 * tenth of a second as many ended as are open. A run ends if its worker has PLACEMENT_RUN clients more than another:
 * so many are out of balance at the most, should they stay after all.
 *
 * The acceptor's thread; pure except for its own state. */
#ifndef CLIENTS_PLACEMENT_H
#define CLIENTS_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

enum { WORKERS_MAX = 64, PLACEMENT_RUN = 64 };

struct placement {
    unsigned favoured;  /* the worker that got the last connection */
    uint64_t placed;    /* connections, ever */
    uint64_t looked_ns; /* when their lives were last looked at, */
    uint64_t ended;     /* and how many had ended then */
    bool is_coming_and_going;
};

/* The index of the worker for a connection that came now: of the `count` active ones (1..WORKERS_MAX), whose clients
 * are `loads`; `open` are there in all. The connection counts as placed. */
unsigned placement_choose(struct placement *placement, const unsigned *loads, unsigned count, uint32_t open,
                          uint64_t now_ns);

#endif
