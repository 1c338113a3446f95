/* print: a configuration as YAML that the parser takes again: --print-config, and the defaults in the manual. Main
 * thread only. */
#ifndef CONFIG_PRINT_H
#define CONFIG_PRINT_H

#include <stdio.h>

#include "config/options.h"
#include "config/setting.h"

/* Every setting with its value in force; `auto` is written as the number it stands for. */
void print_config(const struct config *config, FILE *out);

/* The value of one setting, in one line; lists as [..., ...]. */
void print_setting(const struct setting *setting, const struct config *config, FILE *out);

/* The entries of a list of mappings in `fields`, a line each, each begun with `indent`. */
void print_mappings(const struct setting *setting, const void *fields, const char *indent, FILE *out);

#endif
