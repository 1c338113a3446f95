/* config: what the operator decides: the YAML file and the command line, read into the options of each part.
 *
 * Beside it: settings (the table: key, kind, place, bounds, default, help), value (texts to values), document (YAML to
 * a tree with locations), walker (tree to options, by the table), faults, command_line, manual (docs/CONFIG.md and the
 * example file, by the table). Every fault of a file is found in one go, each as "FILE:LINE:COLUMN: 'key': what is
 * wrong, what is allowed". Main thread only. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/command_line.h"
#include "config/options.h"

/* The largest file read: 10,000 prefixes with a comment each fit well. */
enum { CONFIG_FILE_BYTES = 1 << 20 };

/* Defaults, then the file (if any), then the flags. False: every fault was written to `errors`, a line each;
 * `ret_config` is untouched and nothing needs freeing. */
bool config_load(const struct command_line *command, struct config *ret_config, FILE *errors);
void config_free(struct config *config);

/* The same for a file's text, which need not end with a NUL; the faults contain `name`. */
bool config_parse(const char *text, size_t size, const char *name, struct config *ret_config, FILE *errors);

#endif
