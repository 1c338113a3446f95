/* handover_take: the start of a process that takes what the one before it handed over (app/handover_give.h).
 *
 * It looks first and takes last: descriptors are copied out of the bag, and the bag in systemd's store stays as it is
 * until all that can fail has succeeded, so that a start that fails leaves everything to the next try. Then the bag is
 * emptied, in the kernel, for whoever has it: it is never used twice, also where systemd still keeps it, and a
 * connection that is closed from then on is closed for its client, too. What cannot be used is discarded as a whole,
 * with one line in the log, and the program starts as without. Main thread. */
#ifndef APP_HANDOVER_TAKE_H
#define APP_HANDOVER_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/handover_image.h"
#include "clients/listener.h"
#include "clients/tcp_clients.h"
#include "clients/udp_listener.h"
#include "common/fd_bag.h"
#include "common/log.h"
#include "shared/connections.h"

/* Of this start, for the metrics; all 0 where nothing was handed over. */
struct handover_figures {
    uint32_t given;    /* connections that the former process handed over */
    uint32_t taken;    /* and those of them that this one has */
    uint32_t closed;   /* and those that it closed: limits, or a state that does not fit */
    uint64_t pause_ns; /* from the last read of the former process to the first of this one */
};

struct handover {
    const struct log *log;
    int bag; /* -1: nothing was handed over, or it is taken */
    const uint8_t *image;
    size_t image_bytes;
    struct handover_reader reader;
    struct fd_bag_reader descriptors;
    struct listeners listeners; /* the descriptors are the caller's from now on */
    struct udp_former udp;      /* the same */
    uint32_t over_limit;
    uint32_t unfit;
    struct handover_figures figures;
};

/* Looks at what systemd passed from its store. If it can be used, handover_is_there, and `listeners` and `udp` have the
 * sockets; else it is discarded. */
void handover_look(struct handover *handover, const struct log *log);
bool handover_is_there(const struct handover *handover);

/* Gives the clients to the workers, whose threads do not run yet, in turn; those for which the limits leave no room are
 * closed by handover_commit. False: memory is short. */
bool handover_take_clients(struct handover *handover, struct connections *connections,
                           struct tcp_clients *const *workers, unsigned worker_count, uint64_t now_ns);

/* All else has succeeded: what was taken is this process's alone. */
void handover_commit(struct handover *handover, uint64_t now_ns);

/* Closes what was not taken; what is in the store stays there. */
void handover_done(struct handover *handover);

#endif
