/* settings: the table of all settings: key, kind, place, bounds, default, help. It makes the parser, the defaults, the
 * faults' texts and docs/CONFIG.md.
 *
 * To add a setting: a line in the table in settings.c, a field in the options of the part that reads it, and
 * docs/CONFIG.md written anew. Main thread only. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/setting.h"

struct settings {
    const struct setting *list;
    size_t count;
};

enum { SETTINGS_MAX = 64 };

/* Fields of struct config, in the order of docs/CONFIG.md, sections together; at most SETTINGS_MAX. */
struct settings settings_of_config(void);

/* Fields of struct upstream_options: what an entry of `upstreams` consists of. */
struct settings settings_of_upstream(void);

/* NULL where there is none. */
const struct setting *settings_find(struct settings settings, const char *key);

/* The name of the setting's part below `section` ("" = the top, where sections are parts themselves), copied to
 * `ret_name`. False: it is not in there. */
enum { SETTING_NAME_BYTES = 32 };
bool setting_name_in(const struct setting *setting, const char *section, char ret_name[static SETTING_NAME_BYTES]);

/* The name in `section` that `name` may have been meant to be; false where none is near. */
bool settings_nearest(struct settings settings, const char *section, const char *name,
                      char ret_name[static SETTING_NAME_BYTES]);

#endif
