/* descriptors: how many connections the limit of open files allows. Main thread. */
#ifndef APP_DESCRIPTORS_H
#define APP_DESCRIPTORS_H

#include <stdint.h>

#include "common/log.h"
#include "config/config.h"

/* Raises the process's limit of open files to the hard limit, and returns the number of client connections it allows:
 * at most `connections.max_connections` of the configuration. Logs a warning if it is less. */
uint32_t descriptors_connections_max(const struct config *config, const struct log *log);

#endif
