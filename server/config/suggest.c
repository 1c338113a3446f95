#include "config/suggest.h"

#include <string.h>

#include "config/respell.h"

enum { QUOTED_MAX = SUGGEST_BYTES - 3 }; /* of a value between two quotes */
_Static_assert((int)RESPELL_BYTES <= (int)QUOTED_MAX, "every spelling is a suggestion");

/* It can be shown, in double quotes, as it is. */
static bool is_plain(const char *candidate)
{
    for (const char *c = candidate; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ' || *c == 0x7f) return false;
    return strlen(candidate) <= QUOTED_MAX;
}

/* Keeps the candidate if the setting takes it. */
static bool keep(const struct setting *setting, const char *candidate, char ret_value[static SUGGEST_BYTES])
{
    if (!is_plain(candidate) || !setting_takes(setting, candidate)) return false;
    memcpy(ret_value, candidate, strlen(candidate) + 1);
    return true;
}

/* The unit of the default: 5 for "4.5s" is 5s. "" where the default has none. */
static const char *unit_of_default(const struct setting *setting)
{
    return setting->usual ? setting->usual + strspn(setting->usual, "0123456789.") : "";
}

/* With the unit of the default if none is given, and, where the setting does not take that, with others. */
static bool suggest_amount(const struct setting *setting, const char *wrong, char ret_value[static SUGGEST_BYTES])
{
    static const char *const durations[] = {"s", "ms", "m", "h", "d"};
    static const char *const sizes[] = {"MiB", "KiB", "GiB"};
    bool is_duration = setting->kind == SETTING_DURATION;
    const char *const *units = is_duration ? durations : sizes;
    size_t count = is_duration ? sizeof durations / sizeof *durations : sizeof sizes / sizeof *sizes;
    bool (*respell)(const char *, const char *, char *) = is_duration ? respell_duration : respell_size;
    char candidate[RESPELL_BYTES];
    if (respell(wrong, unit_of_default(setting), candidate) && keep(setting, candidate, ret_value)) return true;
    for (size_t i = 0; i < count; i++)
        if (respell(wrong, units[i], candidate) && keep(setting, candidate, ret_value)) return true;
    return false;
}

static bool respell_list_entry(const struct setting *setting, const char *wrong, char ret_text[static RESPELL_BYTES])
{
    if (setting->list->is_of_addresses) return respell_address(wrong, ret_text);
    return setting->list->is_of_prefixes && respell_prefix(wrong, ret_text);
}

/* A spelling to try; false: there is none for the kind, or none is known. */
static bool respell(const struct setting *setting, const char *wrong, char ret_text[static RESPELL_BYTES])
{
    switch (setting->kind) {
    case SETTING_NUMBER: return respell_number(wrong, ret_text);
    case SETTING_WORKERS: return respell_choice(wrong, "auto", ret_text) || respell_number(wrong, ret_text);
    case SETTING_BOOLEAN: return respell_boolean(wrong, ret_text);
    case SETTING_CHOICE: return respell_choice(wrong, setting->words, ret_text);
    case SETTING_ADDRESS: return respell_address(wrong, ret_text);
    case SETTING_NAME: return respell_name(wrong, ret_text);
    case SETTING_LIST: return respell_list_entry(setting, wrong, ret_text);
    case SETTING_DURATION:
    case SETTING_SIZE:
    case SETTING_PATH:
    case SETTING_USER:
    case SETTING_WORD:
    case SETTING_IP: break;
    }
    return false;
}

/* What switches the setting off: 0 of an amount, nothing of an address. */
static const char *off_value(const struct setting *setting)
{
    return setting->kind == SETTING_ADDRESS ? "" : "0";
}

bool suggest_value(const struct setting *setting, const char *wrong, char ret_value[static SUGGEST_BYTES])
{
    bool is_amount = setting->kind == SETTING_DURATION || setting->kind == SETTING_SIZE;
    char candidate[RESPELL_BYTES];
    if (keep(setting, wrong, ret_value)) return true;
    if (is_amount && suggest_amount(setting, wrong, ret_value)) return true;
    if (respell(setting, wrong, candidate) && keep(setting, candidate, ret_value)) return true;
    return respell_is_off(wrong) && keep(setting, off_value(setting), ret_value);
}

static bool is_text(const struct setting *setting)
{
    return setting->kind == SETTING_PATH || setting->kind == SETTING_USER || setting->kind == SETTING_ADDRESS ||
           setting->kind == SETTING_WORD || setting->kind == SETTING_IP || setting_is_list(setting);
}

const char *suggest_quote(const struct setting *setting, const char *value, char text[static SUGGEST_BYTES])
{
    const char *quote = is_text(setting) ? "\"" : "";
    snprintf(text, SUGGEST_BYTES, "%s%.*s%s", quote, (int)QUOTED_MAX, value, quote);
    return text;
}

/* What is known of the kind beside other spellings. */
static const char *hint_of_kind(const struct setting *setting, const char *wrong, char text[static HINT_BYTES])
{
    enum { DNS_PORT = 53 };
    if (setting->kind == SETTING_ADDRESS)
        return hint_for_address(wrong, (uint16_t)setting->max, setting_is_host(setting), text);
    if (setting->kind == SETTING_IP) return hint_for_ip(wrong, setting->usual != NULL, text);
    if (setting->list && setting->list->is_of_addresses) return hint_for_address(wrong, DNS_PORT, false, text);
    const char *fault = setting->list && setting->list->fault_of ? setting->list->fault_of(wrong) : NULL;
    snprintf(text, HINT_BYTES, "%s%s", fault ? ": " : "", fault ? fault : "");
    return text;
}

const char *suggest_hint(const struct setting *setting, const char *wrong, char text[static HINT_BYTES])
{
    char value[SUGGEST_BYTES], quoted[SUGGEST_BYTES];
    text[0] = '\0';
    if (setting_takes(setting, wrong)) return text;
    if (!suggest_value(setting, wrong, value)) return hint_of_kind(setting, wrong, text);
    const char *also = strcmp(value, "0.0.0.0/0") == 0 ? " and \"::/0\"" : "";
    snprintf(text, HINT_BYTES, "; write %s%s", suggest_quote(setting, value, quoted), also);
    return text;
}
