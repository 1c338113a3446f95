/* udp_listener: the sockets on which questions come over UDP: one for each address and worker, among which the kernel
 * spreads the clients (SO_REUSEPORT), or the questions while not all workers are active; or those that systemd passed,
 * each for all workers.
 *
 * SO_REUSEPORT has to stay set, so a process of the same user may open the same address and get a part of the
 * questions. A second instance of this program does not get so far: it opens TCP first, which it is refused. Main
 * thread. */
#ifndef CLIENTS_UDP_LISTENER_H
#define CLIENTS_UDP_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "clients/listener.h"
#include "clients/placement.h"
#include "common/address.h"
#include "common/log.h"

/* The sockets of one worker. */
struct udp_sockets {
    int fds[LISTENERS_MAX];
    bool is_wildcard[LISTENERS_MAX]; /* bound to no address: each reply says from which of ours it leaves */
    unsigned count;
    bool shared;       /* by all workers; not closed */
    bool counts_drops; /* this worker counts what the kernel drops: its own sockets', or all others' that share one */
};

struct udp_listeners {
    struct udp_sockets of_worker[WORKERS_MAX];
    struct address addresses[LISTENERS_MAX];
    unsigned workers;
    bool inherited; /* from systemd, which decides the addresses */
};

/* Sockets that the process before this one handed over (app/handover.h): one for each of its addresses and workers. */
enum { UDP_FORMER_MAX = LISTENERS_MAX * WORKERS_MAX };

struct udp_former {
    unsigned count;
    struct {
        int fd;
        struct address address;
    } sockets[UDP_FORMER_MAX];
};

/* Adds a socket that is said to be bound to `address`. False: it is not, or there are UDP_FORMER_MAX; it is still the
 * caller's. */
bool udp_former_add(struct udp_former *former, int fd, const struct address *address);

/* Opens each address (none for `count` 0) for each of `workers` workers, with a receive buffer of `buffer_bytes` or
 * what the kernel allows, or takes the datagram sockets that systemd passed, if it passed any socket. Sockets of
 * `former` (NULL: there are none) are used where they fit; those that are left in it are the caller's, to be emptied
 * and closed. As listeners_open for what cannot be opened. */
bool udp_listeners_open(struct udp_listeners *ret_listeners, struct udp_former *former, const struct address *addresses,
                        unsigned count, unsigned workers, uint32_t buffer_bytes, const struct log *log,
                        char ret_error[static LISTENER_ERROR_BYTES]);

/* The sockets that are left are given to the workers in turn, as former ones of theirs (udp_give_up). */
void udp_former_spread(const struct udp_former *former, unsigned worker, unsigned workers,
                       struct udp_sockets *ret_sockets);

/* The same for a reload: an address of `current` keeps its sockets, and `current` is not changed. Systemd's stay as
 * they are. `count` 0: none from now on. */
bool udp_listeners_reopen(const struct udp_listeners *current, struct udp_listeners *ret_listeners,
                          const struct address *addresses, unsigned count, uint32_t buffer_bytes, const struct log *log,
                          char ret_error[static LISTENER_ERROR_BYTES]);

/* From now on the kernel gives what comes to the address of `fd` to the sockets of its workers 0 to active-1 only, each
 * question by its id, so that a retransmission goes where the first one went; with all workers active, each client's to
 * one of all. What waits in a socket stays there. Sockets of one address are numbered as they were bound: worker 0's
 * first, unless others of the address were closed meanwhile: then active workers may get nothing, and others do. To be
 * called for one of them, not for those of systemd's, while none of the address is connected. Any thread. Where the
 * kernel cannot do it, all sockets go on getting questions, and nothing but the saving is lost. */
void udp_listener_steer(int fd, unsigned active, unsigned workers);

bool udp_sockets_have(const struct udp_sockets *sockets, int fd);

/* Closes the sockets that are not among `kept` (of the same worker), unless they are shared. */
void udp_sockets_close_but(const struct udp_sockets *sockets, const struct udp_sockets *kept);
void udp_listeners_close_but(struct udp_listeners *listeners, const struct udp_listeners *kept);

#endif
