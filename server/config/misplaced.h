/* misplaced: where a key or a value belongs that stands where it does not: a setting in another section, a single value
 * where a list or a section is wanted. All functions write what is said behind the fault, "" if nothing is known, and
 * return `text`. Main thread only. */
#ifndef CONFIG_MISPLACED_H
#define CONFIG_MISPLACED_H

#include "config/hints.h"
#include "config/settings.h"

/* A key that is none in `section` ("" = the top): "did you mean 'upstream.query_timeout'?" */
const char *misplaced_key(struct settings settings, const char *section, const char *key, char text[static HINT_BYTES]);

/* A single value in place of a section: "; write {level: debug}". */
const char *misplaced_for_section(struct settings settings, const char *section, const char *value,
                                  char text[static HINT_BYTES]);

/* A single value in place of the setting's list: "; write [\"0.0.0.0:53\"]". */
const char *misplaced_for_list(const struct setting *setting, const char *value, char text[static HINT_BYTES]);

/* The only entry of a list in place of the setting's value: "; write 5s". */
const char *misplaced_in_list(const struct setting *setting, const char *value, char text[static HINT_BYTES]);

/* A single value in place of the whole file, as "workers = 4" or "workers:4". */
const char *misplaced_for_file(const char *value, char text[static HINT_BYTES]);

#endif
