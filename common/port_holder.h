/* port_holder: which process listens on a TCP port that is taken, for messages to the operator. Reads /proc; Linux
 * only. Any thread. */
#ifndef COMMON_PORT_HOLDER_H
#define COMMON_PORT_HOLDER_H

#include "common/address.h"

enum { PORT_HOLDER_BYTES = 256 };

/* "; held by NAME (process 123)", with what can be done about it for systemd-resolved; "" if no socket listens
 * there. Without the right to look at other processes it can only be guessed, or is "another
 * process". Returns `text`. */
const char *port_holder(const struct address *address, char text[static PORT_HOLDER_BYTES]);

/* The same with the files to read in place of /proc/self/net/tcp and tcp6, and the folder in place of /proc. */
const char *port_holder_in(const char *tcp, const char *tcp6, const char *processes, const struct address *address,
                           char text[static PORT_HOLDER_BYTES]);

#endif
