/* listener: the sockets clients connect to: opened here, or taken from systemd (socket activation, sd_listen_fds(3)).
 * Main thread. */
#ifndef CLIENTS_LISTENER_H
#define CLIENTS_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/log.h"

enum { LISTENERS_MAX = 16, LISTENER_ERROR_BYTES = 512 };

struct listeners {
    int fds[LISTENERS_MAX];
    struct address addresses[LISTENERS_MAX];
    unsigned count;
    bool inherited;                        /* from systemd, which decides the addresses */
    struct address missing[LISTENERS_MAX]; /* configured, but not opened, since this machine has no such address now */
    unsigned missing_count;
};

/* Takes the sockets that systemd passed, if any; else opens every address, or takes its socket of `former`: those that
 * the process before this one handed over (app/handover.h), which is not changed. An IPv6 address that the machine does
 * not have (yet) is logged and becomes `missing`, if there is another address; one that is still tentative (RFC 4862,
 * 5.4) is opened. False: `ret_error` says which address and why, and of the new sockets none is left open. */
bool listeners_open(struct listeners *ret_listeners, const struct listeners *former, const struct address *addresses,
                    unsigned count, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES]);

/* Adds a socket that was handed over and that is said to listen on `address`. False: it does not, or there are
 * LISTENERS_MAX; it is still the caller's. */
bool listeners_add(struct listeners *listeners, int fd, const struct address *address);

/* The same for a reload: an address of `current` keeps its socket, and `current` is not changed. Systemd's sockets stay
 * as they are. On success, call listeners_retire for the former set; to give up the new set, listeners_close_but.
 *
 * A new address may cover one that is given up or is covered by it (127.0.0.1:53 and 0.0.0.0:53). The kernel lets both
 * listen only while both have SO_REUSEPORT, which the sockets have for the time of this call alone: while it is set,
 * any process of our user may open the address, too, and gets a part of the clients. */
bool listeners_reopen(const struct listeners *current, struct listeners *ret_listeners, const struct address *addresses,
                      unsigned count, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES]);

/* Prepares the sockets that are not among `kept` for being closed soon: their clients are accepted without having sent
 * a query, and the address may be opened again before they are closed. */
void listeners_retire(const struct listeners *listeners, const struct listeners *kept);

/* Tries what is missing in `current` again. True: something was opened, and `ret_listeners` is all of `current` with
 * it.
 */
bool listeners_retry(const struct listeners *current, struct listeners *ret_listeners);

/* bind(2), also for an IPv6 address that is still tentative. False: errno. */
bool listener_bind(int fd, const struct address *address);

bool listeners_have(const struct listeners *listeners, int fd);
void listeners_close(struct listeners *listeners);
void listeners_close_but(struct listeners *listeners, const struct listeners *kept);

#endif
