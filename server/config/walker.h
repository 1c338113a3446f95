/* walker: walks the tree of a configuration file by the table of settings, sets what it finds and adds a fault for
 * whatever is no setting or no value of it. Main thread only. */
#ifndef CONFIG_WALKER_H
#define CONFIG_WALKER_H

#include <stddef.h>

#include "config/faults.h"
#include "config/options.h"
#include "config/settings.h"

/* Reads `size` bytes at `text` into `config`, which holds the defaults; a list that is given replaces its default.
 * `locations`, one for each of settings_of_config, in its order, gets the locations of what is given. A text without
 * any setting (empty, comments alone) is a fault. */
void walker_read(const char *text, size_t size, struct config *config,
                 struct source_location locations[static SETTINGS_MAX], struct faults *faults);

#endif
