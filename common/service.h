/* service: what systemd and the program say to each other: readiness, status, watchdog, sockets (sd_notify(3),
 * sd_listen_fds(3)); the only file that knows libsystemd. Without systemd each call does nothing. Main thread. */
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

/* The first descriptor of those it passed, and how many; they are not passed on to children. */
unsigned service_sockets(int *ret_first);

/* A TCP socket that listens. */
bool service_is_listener(int fd);

/* A UDP socket. */
bool service_is_datagram(int fd);

#endif
