/* settings: the table of all settings: key, kind, when a change counts, field, bounds, default, help. The parser, the
 * defaults, the texts of faults, reload, --print-config and docs/CONFIG.md all come from it.
 *
 * To add a setting: a row in settings.c (a list also needs its functions in lists.c), a field in the options of the
 * part that reads it, and scripts/write-docs. A LIVE row needs a line in reload.c or in the part that reload.c tells,
 * and a case in test/integration/test_settings_reload.py. Main thread only. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/setting.h"

enum { SETTINGS_MAX = 128 };

/* Fields of struct config, in the order of docs/CONFIG.md, sections together; at most SETTINGS_MAX. */
struct settings settings_of_config(void);

/* NULL if there is none. */
const struct setting *settings_find(struct settings settings, const char *key);

/* The name of the setting's part below `section` ("" = the top, if sections are parts themselves), copied to
 * `ret_name`. False: it is not in there. */
enum { SETTING_NAME_BYTES = 32 };
bool setting_name_in(const struct setting *setting, const char *section, char ret_name[static SETTING_NAME_BYTES]);

/* Why a key ("upstreams.transport") is no setting, where people look for it; NULL for other keys. */
const char *settings_why_not(const char *key);

/* The name in `section` that `name` may have been meant to be; false where none is near. */
bool settings_nearest(struct settings settings, const char *section, const char *name,
                      char ret_name[static SETTING_NAME_BYTES]);

#endif
