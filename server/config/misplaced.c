#include "config/misplaced.h"

#include <string.h>

#include "config/suggest.h"

enum { PLACES_MAX = 3 }; /* that are named; more do not help */

/* Keys that a word was compared with, and those found to be alike. */
struct places {
    const char *keys[PLACES_MAX];
    unsigned count;
};

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

static void add_place(struct places *places, const char *key)
{
    if (places->count < PLACES_MAX) places->keys[places->count++] = key;
}

/* Settings, and those of the entries of lists, whose last part is the word. */
static void find_places(struct settings settings, const char *word, struct places *places)
{
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        if (strcmp(last_part(setting->key), word) == 0) add_place(places, setting->key);
        if (!setting_is_list_of_mappings(setting)) continue;
        for (size_t j = 0; j < setting->list->entry.count; j++)
            if (strcmp(last_part(setting->list->entry.rows[j].key), word) == 0)
                add_place(places, setting->list->entry.rows[j].key);
    }
}

/* The part that is nearest to a mistyped word, in any section. */
static void find_near(struct settings settings, const char *word, struct places *places)
{
    struct hint hint = hint_begin(word);
    for (size_t i = 0; i < settings.count; i++) hint_offer(&hint, last_part(settings.rows[i].key));
    if (hint.found[0]) find_places(settings, hint.found, places);
}

/* "http.listen" as a key of the top. */
static bool is_path(struct settings settings, const char *section, const char *key)
{
    return section[0] == '\0' && strchr(key, '.') && settings_find(settings, key);
}

const char *misplaced_key(struct settings settings, const char *section, const char *key, char text[static HINT_BYTES])
{
    struct places places = {.count = 0};
    size_t used = 0;
    text[0] = '\0';
    if (strlen(key) >= SETTING_NAME_BYTES) return text;
    if (is_path(settings, section, key)) {
        snprintf(text, HINT_BYTES, "write %.*s: {%s: ...}", (int)strcspn(key, "."), key, last_part(key));
        return text;
    }
    find_places(settings, key, &places);
    if (places.count == 0) find_near(settings, key, &places);
    for (unsigned i = 0; i < places.count && used < HINT_BYTES; i++)
        used += (size_t)snprintf(text + used, HINT_BYTES - used, "%s'%s'", i == 0 ? "did you mean " : " or ",
                                 places.keys[i]);
    if (places.count > 0 && used < HINT_BYTES) snprintf(text + used, HINT_BYTES - used, "?");
    return text;
}

const char *misplaced_for_section(struct settings settings, const char *section, const char *value,
                                  char text[static HINT_BYTES])
{
    char name[SETTING_NAME_BYTES], taken[SUGGEST_BYTES], quoted[SUGGEST_BYTES];
    text[0] = '\0';
    for (size_t i = 0; i < settings.count && text[0] == '\0'; i++) {
        const struct setting *setting = &settings.rows[i];
        bool is_in = section[0] && setting_name_in(setting, section, name);
        if (!is_in || setting_is_list_of_mappings(setting) || !suggest_value(setting, value, taken)) continue;
        bool is_list = setting_is_list(setting);
        snprintf(text, HINT_BYTES, "; write {%s: %s%s%s}", name, is_list ? "[" : "",
                 suggest_quote(setting, taken, quoted), is_list ? "]" : "");
    }
    return text;
}

const char *misplaced_for_list(const struct setting *setting, const char *value, char text[static HINT_BYTES])
{
    char taken[SUGGEST_BYTES], quoted[SUGGEST_BYTES], mapping[HINT_BYTES];
    text[0] = '\0';
    if (setting_is_list_of_mappings(setting)) {
        static const char write[] = "; write ";
        hint_for_ip(value, setting->list->is_of_names, mapping);
        char *end = strrchr(mapping, '}'); /* what is said behind it is not for here */
        if (end && strncmp(mapping, "; write {", strlen("; write {")) == 0)
            snprintf(text, HINT_BYTES, "%s[%.*s]", write, (int)(end + 1 - mapping - strlen(write)),
                     mapping + strlen(write));
    } else if (suggest_value(setting, value, taken)) {
        snprintf(text, HINT_BYTES, "; write [%s]", suggest_quote(setting, taken, quoted));
    }
    return text;
}

const char *misplaced_in_list(const struct setting *setting, const char *value, char text[static HINT_BYTES])
{
    char taken[SUGGEST_BYTES], quoted[SUGGEST_BYTES];
    text[0] = '\0';
    if (!setting_is_list(setting) && suggest_value(setting, value, taken))
        snprintf(text, HINT_BYTES, "; write %s", suggest_quote(setting, taken, quoted));
    return text;
}

const char *misplaced_for_file(const char *value, char text[static HINT_BYTES])
{
    const char *sign = strpbrk(value, "=:");
    text[0] = '\0';
    if (sign && *sign == ':')
        snprintf(text, HINT_BYTES, "; a space is wanted behind the ':' of a key");
    else if (sign)
        snprintf(text, HINT_BYTES, "; write KEY: VALUE, not KEY = VALUE");
    return text;
}
