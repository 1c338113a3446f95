/* probe: asks a running instance whether it is ready, for --health-check. Blocks, for 3 s at the most; for a command
 * that does nothing else. */
#ifndef METRICS_PROBE_H
#define METRICS_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"

/* Room for the whole answer of a program with as many threads as there can be. */
enum { PROBE_MESSAGE_BYTES = 32 * 1024 };

/* GET /readyz of the instance that listens at `listen`; an address that means all of a machine's (0.0.0.0, ::) is asked
 * at loopback. True: ready. `message` has what was answered, as a whole and without the last line's end, or what went
 * wrong. */
bool probe_ready(const struct address *listen, char message[static PROBE_MESSAGE_BYTES]);

#endif
