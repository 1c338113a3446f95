/* name_table: makes the names (queries/names.h) that a configuration means: its records, its hosts file and the zones
 * of its routes. Main thread only. */
#ifndef APP_NAME_TABLE_H
#define APP_NAME_TABLE_H

#include "common/log.h"
#include "config/options.h"
#include "queries/names.h"

/* The caller's share; NULL where memory is short. `former` has the records of the same hosts file, for where that
 * cannot be read now; NULL: there are none. */
struct names *name_table_new(const struct config *config, const struct names *former, const struct log *log);

#endif
