#include "config/print.h"

#include <string.h>

#include "config/settings.h"

/* Texts are quoted, so that YAML takes none of them for something else. */
static void write_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_word(const struct setting *setting, uint64_t index, FILE *out)
{
    const char *word = setting->words;
    for (; index > 0; index--) word += strcspn(word, " ") + 1;
    fprintf(out, "%.*s", (int)strcspn(word, " "), word);
}

static void write_value(const struct setting *setting, const void *fields, FILE *out);

/* "{address: "1.1.1.1", port: 853}" */
static void write_mapping(struct settings settings, const void *entry, FILE *out)
{
    fputc('{', out);
    for (size_t i = 0; i < settings.count; i++) {
        fprintf(out, "%s%s: ", i > 0 ? ", " : "", strrchr(settings.rows[i].key, '.') + 1);
        write_value(&settings.rows[i], entry, out);
    }
    fputc('}', out);
}

static void write_list(const struct setting_list *list, const void *entries, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < list->count(entries); i++) {
        char text[SETTING_ENTRY_BYTES];
        const void *entry = list->entry_at(entries, i);
        if (i > 0) fputs(", ", out);
        if (list->entry.count > 0) {
            write_mapping(list->entry, entry, out);
        } else {
            list->format(entry, text);
            write_quoted(text, out);
        }
    }
    fputc(']', out);
}

static void write_value(const struct setting *setting, const void *fields, FILE *out)
{
    const char *field = (const char *)fields + setting->offset;
    const struct address *address = (const struct address *)(const void *)field;
    char text[SETTING_ENTRY_BYTES] = "";
    switch (setting->kind) {
    case SETTING_NUMBER:
    case SETTING_WORKERS:
    case SETTING_DURATION:
    case SETTING_SIZE: fputs(setting_format_amount(setting, setting_load(setting, fields), text), out); break;
    case SETTING_BOOLEAN: fputs(setting_load(setting, fields) ? "true" : "false", out); break;
    case SETTING_CHOICE: write_word(setting, setting_load(setting, fields), out); break;
    case SETTING_NAME: /* a host name needs quotes only if it could be taken for `null` */
        if (strchr(field, '.'))
            fputs(field, out);
        else
            write_quoted(field, out);
        break;
    case SETTING_PATH:
    case SETTING_USER:
    case SETTING_WORD: write_quoted(field, out); break;
    case SETTING_ADDRESS: write_quoted(address->port == 0 ? "" : value_format_address(address, true, text), out); break;
    case SETTING_IP:
        write_quoted(address_is_any(address) ? "" : value_format_address(address, false, text), out);
        break;
    case SETTING_LIST: write_list(setting->list, field, out); break;
    }
}

void print_setting(const struct setting *setting, const struct config *config, FILE *out)
{
    write_value(setting, config, out);
}

void print_mappings(const struct setting *setting, const void *fields, const char *indent, FILE *out)
{
    const struct setting_list *list = setting->list;
    const void *entries = (const char *)fields + setting->offset;
    for (size_t i = 0; i < list->count(entries); i++) {
        fprintf(out, "%s- ", indent);
        write_mapping(list->entry, list->entry_at(entries, i), out);
        fputc('\n', out);
    }
}

static bool has_entries(const struct setting *list, const struct config *config)
{
    return list->list->count((const char *)config + list->offset) > 0;
}

/* The sections of the table follow each other, so each is opened once. */
void print_config(const struct config *config, FILE *out)
{
    struct settings settings = settings_of_config();
    char section[SETTING_NAME_BYTES] = "";
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        const char *dot = strchr(setting->key, '.');
        const char *name = dot ? dot + 1 : setting->key;
        char first[SETTING_NAME_BYTES];
        setting_name_in(setting, "", first);
        if (dot && strcmp(first, section) != 0) fprintf(out, "%s:\n", first);
        snprintf(section, sizeof section, "%s", dot ? first : "");
        const char *indent = dot ? "  " : "";
        fprintf(out, "%s%s:", indent, name);
        if (setting_is_list_of_mappings(setting) && has_entries(setting, config)) {
            fputc('\n', out);
            print_mappings(setting, config, dot ? "    " : "  ", out);
        } else {
            fputc(' ', out);
            write_value(setting, config, out);
            fputc('\n', out);
        }
    }
}
