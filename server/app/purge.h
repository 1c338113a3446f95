/* purge: what the operator has forgotten on purpose. Any thread. */
#ifndef APP_PURGE_H
#define APP_PURGE_H

#include <stdbool.h>
#include <stdint.h>

/* For endpoint_sources.flush; `context` is the struct server. Of a name go the answers of all types below PURGE_TYPES,
 * whatever their flags; what is asked for or read from elsewhere at that moment is not kept (shared/purges.h,
 * state/purged.h). */
enum { PURGE_TYPES = 512 };
bool purge(void *context, const char *name, uint64_t *ret_removed);

#endif
