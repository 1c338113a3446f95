/* name_table: makes the names (queries/names.h) that a configuration means: its records, its hosts file and the zones
 * of its routes. Main thread only. */
#ifndef APP_NAME_TABLE_H
#define APP_NAME_TABLE_H

#include "common/log.h"
#include "config/options.h"
#include "queries/names.h"

/* The caller's share; NULL where memory is short. */
struct names *name_table_new(const struct config *config, const struct log *log);

#endif
