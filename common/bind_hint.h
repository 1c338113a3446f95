/* bind_hint: what can be done about an address at which no socket can be opened, for messages to the operator. Any
 * thread. */
#ifndef COMMON_BIND_HINT_H
#define COMMON_BIND_HINT_H

#include <stdbool.h>

#include "common/address.h"
#include "common/port_holder.h"

enum { BIND_HINT_BYTES = 384 };

/* What is said behind strerror(`error`): who holds the port (EADDRINUSE), what lets a user have a port below 1024
 * (EACCES), or "". Returns `text`. */
const char *bind_hint(int error, const struct address *address, enum port_transport transport,
                      char text[static BIND_HINT_BYTES]);

/* Of EACCES alone: in a container it names the flags of the command that runs it. Constant. */
const char *bind_hint_refused(bool is_in_container);

#endif
