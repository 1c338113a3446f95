#include "app/config_changes.h"

#include <stdio.h>
#include <string.h>

#include "config/print.h"
#include "config/settings.h"

/* A list of prefixes may be long; its beginning says enough. */
enum { VALUE_BYTES = 256 };

static void print_value(const struct setting *setting, const struct config *config, char text[static VALUE_BYTES])
{
    static const char cut[] = "...";
    FILE *out = fmemopen(text, VALUE_BYTES, "w");
    text[0] = '\0';
    if (!out) return;
    setbuf(out, NULL); /* so that what does not fit is lost byte by byte, and not as a whole */
    print_setting(setting, config, out);
    fclose(out);
    text[VALUE_BYTES - 1] = '\0';
    if (strlen(text) == VALUE_BYTES - 1) memcpy(text + VALUE_BYTES - sizeof cut, cut, sizeof cut);
}

/* A line as a whole, or "..." where there is no room for it. False: the text is full. */
static bool append(char *text, size_t size, const char *key, const char *former, const char *value)
{
    static const char more[] = "...\n";
    size_t used = strlen(text);
    size_t room = size - used - (sizeof more - 1);
    int wanted = snprintf(text + used, room, "%s: %s -> %s\n", key, former, value);
    if (wanted >= 0 && (size_t)wanted < room) return true;
    memcpy(text + used, more, sizeof more);
    return false;
}

void config_changes_note(const struct config *former, const struct config *config, const struct log *log, char *text,
                         size_t size)
{
    struct settings settings = settings_of_config();
    bool has_room = true;
    text[0] = '\0';
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        char before[VALUE_BYTES];
        char now[VALUE_BYTES];
        if (setting_equal(setting, former, config)) continue;
        print_value(setting, former, before);
        print_value(setting, config, now);
        log_info(log, "setting changed", log_text("setting", setting->key), log_text("former", before),
                 log_text("value", now));
        has_room = has_room && append(text, size, setting->key, before, now);
    }
}
