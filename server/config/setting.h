/* setting: one row of the table of settings: how a text becomes a value, its default, what is allowed, when a change
 * counts, and how a value is written and compared. The rows themselves are in settings.c, the lists in lists.c. Main
 * thread only. */
#ifndef CONFIG_SETTING_H
#define CONFIG_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/options.h"
#include "config/value.h"

/* Kinds that have a range come first (setting_has_range). */
enum setting_kind {
    SETTING_NUMBER,
    SETTING_WORKERS, /* a number or "auto" */
    SETTING_DURATION,
    SETTING_SIZE,
    SETTING_BOOLEAN,
    SETTING_CHOICE,
    SETTING_PATH,
    SETTING_USER,    /* of the system, a name or a number; empty: none */
    SETTING_WORD,    /* printable characters without spaces; may be empty */
    SETTING_ADDRESS, /* with a port; port 0 stands for the empty text. `max`: the port that a hint names. `min` 1: of a
                        host that can be connected to, see setting_is_host */
    SETTING_IP,
    SETTING_NAME,
    SETTING_LIST /* of texts or of mappings, see struct setting_list */
};

/* When a changed value counts. */
enum setting_applies {
    SETTING_LIVE,   /* from the next reload on */
    SETTING_RESTART /* from the next start on; a reload logs the setting's key and keeps the former value */
};

struct setting;
struct setting_list;

struct settings {
    const struct setting *rows;
    size_t count;
};

struct setting {
    const char *key; /* "workers", "upstream.padding" */
    enum setting_kind kind;
    enum setting_applies applies;
    uint32_t offset; /* of the field in its struct; of a list: of the struct that `list` works on */
    uint32_t width;  /* bytes of the field */
    uint64_t min;    /* of the value, in nanoseconds, bytes, or as it is; of a list: its entries */
    uint64_t max;
    const char *words; /* what 0 means if it is allowed beside min..max, else NULL; of a choice: the words, a space
                          between them */
    const char *usual; /* the default as a text; of a list: its entries, a space between them; NULL: it must be given */
    const char *help;
    const struct setting_list *list; /* of SETTING_LIST, else NULL */
};

/* The longest text of a list's entry, its NUL included. */
enum { SETTING_ENTRY_BYTES = 1024 };

/* How a list keeps its entries. `list` is always the struct at the setting's offset. An entry is a text, or a mapping
 * whose settings `entry` names; the fields of these are in a struct of `entry_bytes`. The first functions are needed by
 * every list, the last one by lists of mappings alone. Lists may stand in entries of other lists. */
struct setting_list {
    const char *grammar;   /* what an entry is, in words, as "IP:PORT or [IP6]:PORT" */
    bool is_of_addresses;  /* IP:PORT; for suggestions, */
    bool is_of_prefixes;   /* IP/BITS; */
    bool is_of_names;      /* or mappings that may have a name alone */
    const char *example;   /* of a mapping, as "{zone: corp.example}" */
    const char *conflict;  /* the rule that VALUE_CONFLICT says is broken; NULL if it is never returned */
    struct settings entry; /* none: the entries are texts */
    size_t entry_bytes;    /* at most SETTING_ENTRY_STRUCT_BYTES */

    /* Parses a text and adds it. `max` is the setting's. */
    enum value_status (*add_text)(void *list, uint64_t max, const char *text);
    size_t (*count)(const void *list);
    const void *(*entry_at)(const void *list, size_t index);
    /* The entry as a text that add_text takes; two entries are equal if their texts are. */
    void (*format)(const void *entry, char text[static SETTING_ENTRY_BYTES]);
    /* Empties the list and frees what it owns. */
    void (*clear)(void *list);
    /* Why add_text found the text malformed, in words, where there is more to say than `grammar`; NULL where there is
     * not. The function may be NULL. */
    const char *(*fault_of)(const char *text);
    /* Writes which part of a mapping breaks the rule of `conflict`, to be named in its stead; may be NULL. */
    void (*format_conflict)(const void *list, const void *entry, char text[static SETTING_ENTRY_BYTES]);
    /* Adds a mapping whose settings were all read. On VALUE_OK the list owns what the entry owned. */
    enum value_status (*add_mapping)(void *list, uint64_t max, const void *entry);
};

enum { SETTING_ENTRY_STRUCT_BYTES = 16384 };

/* Reads `text` into the setting's field of `fields`, a struct config or the struct of a list's entry; a list gets one
 * more entry. False: untouched, and `ret_why` says what is wrong and what is allowed; suggest.h knows what may have
 * been meant. */
enum { SETTING_WHY_BYTES = 384 };
bool setting_set(const struct setting *setting, void *fields, const char *text, char ret_why[static SETTING_WHY_BYTES]);

/* Whether setting_set would take the text, of a list as its first entry. */
bool setting_takes(const struct setting *setting, const char *text);

/* One more entry of a list of mappings; false as setting_set. */
bool setting_add_mapping(const struct setting *setting, void *fields, const void *entry,
                         char ret_why[static SETTING_WHY_BYTES]);

/* Sets the default; false only if memory is short. */
bool setting_set_default(const struct setting *setting, void *fields);

/* The next entry of a list's default, and `*usual`, at first the setting's, moves behind it; false at the end. */
bool setting_next_entry(const char **usual, char ret_entry[static SETTING_ENTRY_BYTES]);

/* Whether the value is the default; false also if memory is short. */
bool setting_is_default(const struct setting *setting, const void *fields);

/* Whether an address has to be that of one host (address_is_host), and not one to listen at. */
bool setting_is_host(const struct setting *setting);

/* Empties a list; nothing for other kinds. */
void setting_clear(const struct setting *setting, void *fields);

bool setting_is_list(const struct setting *setting);
bool setting_is_list_of_mappings(const struct setting *setting);

/* Whether both structs hold the same value; lists: the same entries in the same order. */
bool setting_equal(const struct setting *setting, const void *fields, const void *other);

/* Sets the field in `fields` to the value that `other` holds. Not for lists of mappings. False: memory is short. */
bool setting_copy(const struct setting *setting, void *fields, const void *other);

/* The value of a field of 1, 2, 4 or 8 bytes: numbers, durations, sizes, booleans, choices. */
uint64_t setting_load(const struct setting *setting, const void *fields);

/* An amount in the unit of its kind, as the parser takes it; returns `text`. */
const char *setting_format_amount(const struct setting *setting, uint64_t amount, char text[static VALUE_TEXT_BYTES]);

/* What is allowed, in words: "a duration (with ms, s, m, h or d) 100ms..1m"; of an amount the range alone: "100ms..1m".
 * Both return `text`. */
enum { SETTING_ALLOWED_BYTES = 160 };
const char *setting_allowed(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES]);
const char *setting_allowed_range(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES]);

#endif
