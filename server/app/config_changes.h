/* config_changes: which settings a reload changed, for the log and the status page. Main thread only. */
#ifndef APP_CONFIG_CHANGES_H
#define APP_CONFIG_CHANGES_H

#include <stddef.h>

#include "common/log.h"
#include "config/options.h"

/* Compares two configurations row by row of the settings table. Logs each setting that differs, with both values (cut
 * where they are long), and writes the same into `text`, a line each: "KEY: FORMER -> VALUE". What does not fit into
 * `size` bytes is left out, whole lines first; "..." stands for it. */
void config_changes_note(const struct config *former, const struct config *config, const struct log *log, char *text,
                         size_t size);

#endif
