/* setting: one setting: how a text becomes its value, its default, what is allowed. What stands in the table:
 * settings.h. Main thread only. */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"

/* Amounts (what has a range) first, lists last. */
enum setting_kind {
    SETTING_NUMBER,
    SETTING_WORKERS, /* a number or "auto" */
    SETTING_DURATION,
    SETTING_SIZE,
    SETTING_BOOLEAN,
    SETTING_CHOICE,
    SETTING_PATH,
    SETTING_ADDRESS, /* with a port; port 0 stands for the empty text */
    SETTING_IP,
    SETTING_NAME,
    SETTING_LISTEN,   /* a list of addresses with ports */
    SETTING_PREFIXES, /* a list of prefixes */
    SETTING_UPSTREAMS /* a list of mappings, see settings_of_upstream */
};

struct setting {
    const char *key; /* "workers", "upstream.padding" */
    enum setting_kind kind;
    uint16_t offset; /* of the field in its struct */
    uint16_t width;  /* bytes of the field */
    uint64_t min;    /* of the value, in nanoseconds, bytes, or as it is; of a list: its entries */
    uint64_t max;
    const char *words; /* what 0 means where it is allowed beside min..max, else NULL; of a choice: the words, a space
                          between them */
    const char *usual; /* the default as a text; of a list: its entries, a space between them; NULL: it must be given */
    const char *help;
};

/* Reads `text` into the setting's field of `fields`, a struct config or struct upstream_options; a list gets one more
 * entry. False: untouched, and `ret_why` says what is wrong and what is allowed. */
enum { SETTING_WHY_BYTES = 320 };
bool setting_set(const struct setting *setting, void *fields, const char *text, char ret_why[static SETTING_WHY_BYTES]);

/* One more entry of the list `upstreams`; false as setting_set. */
bool setting_add_upstream(const struct setting *setting, struct config *config, const struct upstream_options *upstream,
                          char ret_why[static SETTING_WHY_BYTES]);

/* Sets the default; false only where memory is short. */
bool setting_set_default(const struct setting *setting, void *fields);

/* The next entry of a list's default, and `*usual`, at first the setting's, moves behind it; false at the end. */
enum { SETTING_ENTRY_BYTES = 72 };
bool setting_next_entry(const char **usual, char ret_entry[static SETTING_ENTRY_BYTES]);

/* Empties a list; nothing for other kinds. */
void setting_clear(const struct setting *setting, struct config *config);

bool setting_is_list(const struct setting *setting);

/* What is allowed, in words: "a duration (with ms, s, m, h or d) 100ms..1m"; of an amount the range alone: "100ms..1m".
 * Both return `text`. */
enum { SETTING_ALLOWED_BYTES = 160 };
const char *setting_allowed(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES]);
const char *setting_allowed_range(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES]);

#endif
