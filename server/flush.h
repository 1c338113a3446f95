/* flush: what the operator has forgotten on purpose. Any thread. */
#ifndef SERVER_FLUSH_H
#define SERVER_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

/* For endpoint_sources.flush; `context` is the struct server. Of a name go the answers of all types below FLUSH_TYPES,
 * whatever their flags. */
enum { FLUSH_TYPES = 512 };
bool flush(void *context, const char *name, uint64_t *ret_removed);

#endif
