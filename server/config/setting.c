#include "config/setting.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "config/faults.h"

/* Workers beyond this many gain a proxy nothing that its sessions, one set a worker, do not cost. */
enum { AUTO_WORKERS_MAX = 8 };

static void *field_of(const struct setting *setting, void *fields)
{
    return (char *)fields + setting->offset;
}

static void store(const struct setting *setting, void *fields, uint64_t value)
{
    const uint8_t one = (uint8_t)value;
    const uint16_t two = (uint16_t)value;
    const uint32_t four = (uint32_t)value;
    void *field = field_of(setting, fields);
    switch (setting->width) {
    case sizeof one: memcpy(field, &one, sizeof one); break;
    case sizeof two: memcpy(field, &two, sizeof two); break;
    case sizeof four: memcpy(field, &four, sizeof four); break;
    default: memcpy(field, &value, sizeof value); break;
    }
}

static uint64_t usual_workers(void)
{
    cpu_set_t processors;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof processors, &processors) == 0) count = CPU_COUNT(&processors);
    if (count < 1) return 1;
    return count > AUTO_WORKERS_MAX ? AUTO_WORKERS_MAX : (uint64_t)count;
}

static enum value_status parse_amount(enum setting_kind kind, const char *text, uint64_t *ret)
{
    if (kind == SETTING_DURATION) return value_parse_duration(text, ret);
    if (kind == SETTING_SIZE) return value_parse_size(text, ret);
    return value_parse_number(text, ret);
}

static enum value_status set_amount(const struct setting *setting, void *fields, const char *text)
{
    uint64_t value;
    enum value_status status = parse_amount(setting->kind, text, &value);
    if (status != VALUE_OK) return status;
    bool is_wanted_zero = value == 0 && setting->words;
    if (!is_wanted_zero && (value < setting->min || value > setting->max)) return VALUE_OUT_OF_RANGE;
    store(setting, fields, value);
    return VALUE_OK;
}

static enum value_status set_workers(const struct setting *setting, void *fields, const char *text)
{
    if (strcmp(text, "auto") != 0) return set_amount(setting, fields, text);
    store(setting, fields, usual_workers());
    return VALUE_OK;
}

static enum value_status set_boolean(const struct setting *setting, void *fields, const char *text)
{
    bool value;
    enum value_status status = value_parse_boolean(text, &value);
    if (status == VALUE_OK) store(setting, fields, value);
    return status;
}

static enum value_status set_choice(const struct setting *setting, void *fields, const char *text)
{
    uint64_t index;
    enum value_status status = value_parse_choice(text, setting->words, &index);
    if (status == VALUE_OK) store(setting, fields, index);
    return status;
}

static enum value_status set_path(const struct setting *setting, void *fields, const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) return VALUE_MALFORMED;
    if (strlen(text) > setting->max) return VALUE_TOO_LONG;
    memcpy(field_of(setting, fields), text, strlen(text) + 1);
    return VALUE_OK;
}

/* What adduser takes at most (Debian's NAME_REGEX, with the dots, at-signs and capitals of directories). */
static enum value_status set_user(const struct setting *setting, void *fields, const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-";
    if (text[0] == '-' || strspn(text, allowed) != strlen(text)) return VALUE_MALFORMED;
    return set_path(setting, fields, text);
}

static enum value_status set_word(const struct setting *setting, void *fields, const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f) return VALUE_MALFORMED;
    return set_path(setting, fields, text);
}

bool setting_is_host(const struct setting *setting)
{
    return setting->kind == SETTING_ADDRESS && setting->min == 1;
}

static enum value_status set_address(const struct setting *setting, void *fields, const char *text)
{
    struct address address = {.port = 0};
    if (text[0] != '\0' && (!address_parse(text, 0, &address) || address_needs_interface(&address)))
        return VALUE_MALFORMED;
    if (text[0] != '\0' && setting_is_host(setting) && !address_is_host(&address)) return VALUE_MALFORMED;
    memcpy(field_of(setting, fields), &address, sizeof address);
    return VALUE_OK;
}

/* Empty only if that is the default. */
static enum value_status set_name(const struct setting *setting, void *fields, const char *text)
{
    char *field = field_of(setting, fields);
    if (text[0] != '\0' || !setting->usual || setting->usual[0] != '\0') return value_parse_name(text, field);
    field[0] = '\0';
    return VALUE_OK;
}

/* Empty only if that is the default. The port beside it stays. */
static enum value_status set_ip(const struct setting *setting, void *fields, const char *text)
{
    struct address *address = field_of(setting, fields);
    if (text[0] != '\0' || !setting->usual || setting->usual[0] != '\0') return value_parse_ip(text, address);
    *address = (struct address){.port = address->port};
    return VALUE_OK;
}

static enum value_status set(const struct setting *setting, void *fields, const char *text)
{
    switch (setting->kind) {
    case SETTING_NUMBER:
    case SETTING_DURATION:
    case SETTING_SIZE: return set_amount(setting, fields, text);
    case SETTING_WORKERS: return set_workers(setting, fields, text);
    case SETTING_BOOLEAN: return set_boolean(setting, fields, text);
    case SETTING_CHOICE: return set_choice(setting, fields, text);
    case SETTING_PATH: return set_path(setting, fields, text);
    case SETTING_USER: return set_user(setting, fields, text);
    case SETTING_WORD: return set_word(setting, fields, text);
    case SETTING_ADDRESS: return set_address(setting, fields, text);
    case SETTING_IP: return set_ip(setting, fields, text);
    case SETTING_NAME: return set_name(setting, fields, text);
    case SETTING_LIST: return setting->list->add_text(field_of(setting, fields), setting->max, text);
    }
    return VALUE_MALFORMED;
}

const char *setting_format_amount(const struct setting *setting, uint64_t amount, char text[static VALUE_TEXT_BYTES])
{
    if (setting->kind == SETTING_DURATION) return value_format_duration(amount, text);
    if (setting->kind == SETTING_SIZE) return value_format_size(amount, text);
    snprintf(text, VALUE_TEXT_BYTES, "%" PRIu64, amount);
    return text;
}

static bool has_range(const struct setting *setting)
{
    return setting->kind <= SETTING_SIZE;
}

/* "1..512, or 0 (off)" */
static const char *format_range(const struct setting *setting, char *text, size_t size)
{
    char min[VALUE_TEXT_BYTES], max[VALUE_TEXT_BYTES];
    setting_format_amount(setting, setting->min, min);
    setting_format_amount(setting, setting->max, max);
    int used = snprintf(text, size, "%s..%s", min, max);
    if (setting->words) snprintf(text + used, size - used, ", or 0 (%s)", setting->words);
    if (setting->kind == SETTING_WORKERS) snprintf(text + used, size - used, ", or auto");
    return text;
}

static const char *format_words(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES])
{
    size_t used = (size_t)snprintf(text, SETTING_ALLOWED_BYTES, "one of ");
    for (const char *c = setting->words; *c && used + 3 < SETTING_ALLOWED_BYTES; c++) {
        if (*c == ' ') text[used++] = ',';
        text[used++] = *c;
    }
    text[used] = '\0';
    return text;
}

static const char *grammar_of(const struct setting *setting)
{
    switch (setting->kind) {
    case SETTING_NUMBER:
    case SETTING_WORKERS: return "a whole number ";
    case SETTING_DURATION: return "a duration (with ms, s, m, h or d) ";
    case SETTING_SIZE: return "a size (in bytes, or with KiB, MiB or GiB) ";
    case SETTING_BOOLEAN: return "true or false";
    case SETTING_PATH: return "a path of a file";
    case SETTING_USER: return "the name or number of a user, or empty (none)";
    case SETTING_WORD: return "a text of printable ASCII characters without spaces";
    case SETTING_ADDRESS:
        return setting_is_host(setting) ? "IP:PORT or [IP6]:PORT of a host, or empty (off)"
                                        : "IP:PORT or [IP6]:PORT, or empty (off)";
    case SETTING_IP: return "the IP address of a host, without a port";
    case SETTING_NAME: return "a DNS host name (an IP address is none)";
    case SETTING_LIST: return setting->list->grammar;
    case SETTING_CHOICE: break;
    }
    return "";
}

const char *setting_allowed(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES])
{
    if (setting->kind == SETTING_CHOICE) return format_words(setting, text);
    int used = snprintf(text, SETTING_ALLOWED_BYTES, "%s", grammar_of(setting));
    if (has_range(setting)) format_range(setting, text + used, SETTING_ALLOWED_BYTES - used);
    return text;
}

const char *setting_allowed_range(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES])
{
    return has_range(setting) ? format_range(setting, text, SETTING_ALLOWED_BYTES) : setting_allowed(setting, text);
}

/* True if the status is good; else says in words what it is. */
static bool explain(const struct setting *setting, enum value_status status, const char *text,
                    char ret_why[static SETTING_WHY_BYTES])
{
    char value[FAULT_QUOTE_BYTES], allowed[SETTING_ALLOWED_BYTES], range[SETTING_ALLOWED_BYTES];
    fault_quote(text, value);
    switch (status) {
    case VALUE_OK: return true;
    case VALUE_MALFORMED:
        snprintf(ret_why, SETTING_WHY_BYTES, "%s is not %s", value, setting_allowed(setting, allowed));
        break;
    case VALUE_OUT_OF_RANGE:
        snprintf(ret_why, SETTING_WHY_BYTES, "%s is out of range %s", value,
                 format_range(setting, range, sizeof range));
        break;
    case VALUE_TOO_LONG:
        snprintf(ret_why, SETTING_WHY_BYTES, "%s is longer than %" PRIu64 " bytes", value, setting->max);
        break;
    case VALUE_TWICE: snprintf(ret_why, SETTING_WHY_BYTES, "%s is in the list already", value); break;
    case VALUE_TOO_MANY: snprintf(ret_why, SETTING_WHY_BYTES, "more than %" PRIu64 " entries", setting->max); break;
    case VALUE_CONFLICT: snprintf(ret_why, SETTING_WHY_BYTES, "%s: %s", value, setting->list->conflict); break;
    case VALUE_NO_MEMORY: snprintf(ret_why, SETTING_WHY_BYTES, "no memory for it"); break;
    }
    return false;
}

bool setting_takes(const struct setting *setting, const char *text)
{
    void *fields = calloc(1, setting->offset + setting->width); /* a list has its whole struct there */
    bool is_taken = fields && set(setting, fields, text) == VALUE_OK;
    if (fields) setting_clear(setting, fields);
    free(fields);
    return is_taken;
}

bool setting_set(const struct setting *setting, void *fields, const char *text, char ret_why[static SETTING_WHY_BYTES])
{
    return explain(setting, set(setting, fields, text), text, ret_why);
}

bool setting_add_mapping(const struct setting *setting, void *fields, const void *entry,
                         char ret_why[static SETTING_WHY_BYTES])
{
    char text[SETTING_ENTRY_BYTES];
    enum value_status status = setting->list->add_mapping(field_of(setting, fields), setting->max, entry);
    if (status == VALUE_CONFLICT && setting->list->format_conflict)
        setting->list->format_conflict(field_of(setting, fields), entry, text);
    else
        setting->list->format(entry, text);
    return explain(setting, status, text, ret_why);
}

bool setting_next_entry(const char **usual, char ret_entry[static SETTING_ENTRY_BYTES])
{
    size_t size = strcspn(*usual, " ");
    if (size == 0) return false;
    snprintf(ret_entry, SETTING_ENTRY_BYTES, "%.*s", (int)size, *usual);
    *usual += size + ((*usual)[size] == ' ');
    return true;
}

bool setting_set_default(const struct setting *setting, void *fields)
{
    const char *usual = setting->usual;
    char entry[SETTING_ENTRY_BYTES];
    if (!usual) return true;
    if (!setting_is_list(setting)) return set(setting, fields, usual) == VALUE_OK;
    while (setting_next_entry(&usual, entry))
        if (set(setting, fields, entry) != VALUE_OK) return false;
    return true;
}

bool setting_is_list(const struct setting *setting)
{
    return setting->kind == SETTING_LIST;
}

bool setting_is_list_of_mappings(const struct setting *setting)
{
    return setting_is_list(setting) && setting->list->entry.count > 0;
}

void setting_clear(const struct setting *setting, void *fields)
{
    if (setting_is_list(setting)) setting->list->clear(field_of(setting, fields));
}

/* ---- values that are set ---- */

uint64_t setting_load(const struct setting *setting, const void *fields)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t value;
    const char *field = (const char *)fields + setting->offset;
    switch (setting->width) {
    case sizeof one: return memcpy(&one, field, sizeof one), one;
    case sizeof two: return memcpy(&two, field, sizeof two), two;
    case sizeof four: return memcpy(&four, field, sizeof four), four;
    default: return memcpy(&value, field, sizeof value), value;
    }
}

static bool lists_equal(const struct setting_list *list, const void *a, const void *b)
{
    char text[SETTING_ENTRY_BYTES], other[SETTING_ENTRY_BYTES];
    size_t count = list->count(a);
    if (count != list->count(b)) return false;
    for (size_t i = 0; i < count; i++) {
        const void *entry = list->entry_at(a, i), *other_entry = list->entry_at(b, i);
        list->format(entry, text);
        list->format(other_entry, other);
        if (strcmp(text, other) != 0) return false;
        for (size_t j = 0; j < list->entry.count; j++)
            if (!setting_equal(&list->entry.rows[j], entry, other_entry)) return false;
    }
    return true;
}

bool setting_equal(const struct setting *setting, const void *fields, const void *other)
{
    const char *field = (const char *)fields + setting->offset;
    const char *other_field = (const char *)other + setting->offset;
    if (setting_is_list(setting)) return lists_equal(setting->list, field, other_field);
    if (setting->kind >= SETTING_PATH && setting->kind <= SETTING_WORD) return strcmp(field, other_field) == 0;
    if (setting->kind == SETTING_NAME) return strcmp(field, other_field) == 0;
    if (setting->kind == SETTING_ADDRESS || setting->kind == SETTING_IP)
        return address_equal((const struct address *)(const void *)field,
                             (const struct address *)(const void *)other_field);
    return setting_load(setting, fields) == setting_load(setting, other);
}

bool setting_is_default(const struct setting *setting, const void *fields)
{
    void *usual = calloc(1, setting->offset + setting->width);
    bool is_equal = usual && setting_set_default(setting, usual) && setting_equal(setting, fields, usual);
    if (usual) setting_clear(setting, usual);
    free(usual);
    return is_equal;
}

bool setting_copy(const struct setting *setting, void *fields, const void *other)
{
    const struct setting_list *list = setting->list;
    const void *from = (const char *)other + setting->offset;
    if (!list) {
        memcpy(field_of(setting, fields), from, setting->width);
        return true;
    }
    CHECK(!setting_is_list_of_mappings(setting));
    setting_clear(setting, fields);
    for (size_t i = 0; i < list->count(from); i++) {
        char text[SETTING_ENTRY_BYTES];
        list->format(list->entry_at(from, i), text);
        if (set(setting, fields, text) != VALUE_OK) return false;
    }
    return true;
}
