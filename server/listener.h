/* listener: the sockets clients connect to: opened here, or taken from systemd (socket activation, sd_listen_fds(3)).
 * Main thread. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

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

/* The same addresses as `listeners` keep their sockets, others are opened; on success `listeners` is empty but for
 * those no longer wanted. */
bool listeners_reopen(struct listeners *listeners, struct listeners *ret_listeners, const struct address *addresses,
                      unsigned count, char ret_error[static LISTENER_ERROR_BYTES]);

void listeners_close(struct listeners *listeners);

#endif
