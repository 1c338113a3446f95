/* service: what systemd and the program say to each other: readiness, status, watchdog, sockets, and the descriptor
 * store (sd_notify(3), sd_listen_fds(3), sd_pid_notify_with_fds(3)); the only file that knows libsystemd. Without
 * systemd each call does nothing. Main thread. */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* `status` is a line for `systemctl status`. */
void service_ready(const char *status);
void service_status(const char *status);
void service_reloading(void);                                   /* follow with service_ready */
void service_stopping(const char *status, uint64_t longest_ns); /* so long it may take */

/* How often it expects a notification; 0 = never. */
uint64_t service_watchdog_ns(void);
void service_alive(void);
void service_hung(void); /* we do not: act now, not when the time is over */

/* The descriptors that it passed and that are not from the store: a socket unit's. They are not passed on to children.
 * Returns how many; of more than SERVICE_SOCKETS_MAX the first. */
enum { SERVICE_SOCKETS_MAX = 64 };
unsigned service_sockets(int ret_fds[static SERVICE_SOCKETS_MAX]);

/* A TCP socket that listens. */
bool service_is_listener(int fd);

/* A UDP socket. */
bool service_is_datagram(int fd);

/* ---- the descriptor store (FileDescriptorStoreMax=): descriptors that outlive a restart of the service ---- */

/* Whether it keeps descriptors for this service. Where the environment does not tell (systemd before 254), it is tried
 * out, which waits for systemd, at most SERVICE_WAIT_NS. */
#define SERVICE_WAIT_NS UINT64_C(1000000000)
bool service_has_store(void);

/* Stores a copy of a descriptor. True: it was sent to systemd, which says nothing where it keeps no more. A name that
 * is in use already is used twice. */
bool service_store(int fd);

/* Waits until systemd has read all that it was sent, at most SERVICE_WAIT_NS; false: it has not. */
bool service_wait_read(void);

/* Forgets all that is stored. */
void service_empty_store(void);

/* What it passed from the store, the descriptor stored last first; as service_sockets. */
enum { SERVICE_STORED_MAX = 16 };
unsigned service_stored(int ret_fds[static SERVICE_STORED_MAX]);

#endif
