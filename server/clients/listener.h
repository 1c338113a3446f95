/* listener: the sockets clients connect to: opened here, or taken from systemd (socket activation, sd_listen_fds(3)).
 * Main thread. */
#ifndef CLIENTS_LISTENER_H
#define CLIENTS_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/log.h"

enum { LISTENERS_MAX = 16, LISTENER_ERROR_BYTES = 256 };

struct listeners {
    int fds[LISTENERS_MAX];
    struct address addresses[LISTENERS_MAX];
    unsigned count;
    bool inherited; /* from systemd, which decides the addresses */
};

/* Takes the sockets systemd passed, if any; else opens every address. An IPv6 address on a machine without IPv6 is left
 * out, and logged, where there is another. False: `ret_error` says which and why, and none is left open. */
bool listeners_open(struct listeners *ret_listeners, const struct address *addresses, unsigned count,
                    const struct log *log, char ret_error[static LISTENER_ERROR_BYTES]);

/* The same for a reload: an address of `current` keeps its socket, and `current` is not changed. Systemd's sockets stay
 * as they are. Where all go well, tell listeners_retire of those given up; else close what was opened by
 * listeners_close_but.
 *
 * A new address may cover one that is given up or is covered by it (127.0.0.1:53 and 0.0.0.0:53). The kernel lets both
 * listen only while both have SO_REUSEPORT, which the sockets have for the time of this call alone: while it is set,
 * any process of our user may open the address, too, and gets a part of the clients. */
bool listeners_reopen(const struct listeners *current, struct listeners *ret_listeners, const struct address *addresses,
                      unsigned count, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES]);

/* Those that are not among `kept` will be closed soon: clients who are there already need not have asked to be
 * accepted, and the address may be opened again before. */
void listeners_retire(const struct listeners *listeners, const struct listeners *kept);

bool listeners_have(const struct listeners *listeners, int fd);
void listeners_close(struct listeners *listeners);
void listeners_close_but(struct listeners *listeners, const struct listeners *kept);

#endif
