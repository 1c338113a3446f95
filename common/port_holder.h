/* port_holder: which process has a TCP or UDP port that is taken, for messages to the operator. Reads /proc; Linux
 * only. Any thread. */
#ifndef COMMON_PORT_HOLDER_H
#define COMMON_PORT_HOLDER_H

#include "common/address.h"

enum { PORT_HOLDER_BYTES = 320 };

enum port_transport { PORT_TCP, PORT_UDP };

/* "; held by NAME (process 123)", with what can be done about it for systemd-resolved; "" if no socket is
 * there. Without the right to look at other processes it can only be guessed, or is "another
 * process". Returns `text`. */
const char *port_holder(const struct address *address, enum port_transport transport,
                        char text[static PORT_HOLDER_BYTES]);

/* Where to look: for IPv4, for IPv6, and for processes. */
struct port_files {
    const char *sockets; /* /proc/self/net/tcp or udp */
    const char *sockets6;
    const char *processes; /* /proc */
};

/* The same with other files. */
const char *port_holder_in(const struct port_files *files, const struct address *address, enum port_transport transport,
                           char text[static PORT_HOLDER_BYTES]);

#endif
