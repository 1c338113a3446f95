#include "config/setting.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/faults.h"
#include "config/value.h"

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

static enum value_status set_address(const struct setting *setting, void *fields, const char *text)
{
    struct address address = {.port = 0};
    if (text[0] != '\0' && !address_parse(text, 0, &address)) return VALUE_MALFORMED;
    memcpy(field_of(setting, fields), &address, sizeof address);
    return VALUE_OK;
}

static enum value_status add_listen(struct config *config, const char *text)
{
    struct acceptor_options *acceptor = &config->acceptor;
    struct address address;
    if (!address_parse(text, 0, &address)) return VALUE_MALFORMED;
    for (unsigned i = 0; i < acceptor->listen_count; i++)
        if (address_equal(&acceptor->listen[i], &address)) return VALUE_TWICE;
    if (acceptor->listen_count == LISTENERS_MAX) return VALUE_TOO_MANY;
    acceptor->listen[acceptor->listen_count++] = address;
    return VALUE_OK;
}

static enum value_status add_prefix(const struct setting *setting, struct config *config, const char *text)
{
    struct access_options *access = &config->access;
    struct prefix prefix;
    if (!prefix_parse(text, &prefix)) return VALUE_MALFORMED;
    if (access->allow_count == setting->max) return VALUE_TOO_MANY;
    bool is_power_of_two = (access->allow_count & (access->allow_count - 1)) == 0;
    if (is_power_of_two) { /* or 0: the memory is used up, make it twice as much */
        size_t room = access->allow_count > 0 ? access->allow_count * 2 : 1;
        struct prefix *allow = reallocarray(access->allow, room, sizeof *allow);
        if (!allow) return VALUE_NO_MEMORY;
        access->allow = allow;
    }
    access->allow[access->allow_count++] = prefix;
    return VALUE_OK;
}

static enum value_status add_upstream(struct config *config, const struct upstream_options *upstream)
{
    struct pool_options *pool = &config->pool;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (address_equal(&pool->upstreams[i].address, &upstream->address)) return VALUE_TWICE;
    if (pool->upstream_count == UPSTREAMS_MAX) return VALUE_TOO_MANY;
    pool->upstreams[pool->upstream_count++] = *upstream;
    return VALUE_OK;
}

static enum value_status parse_and_add_upstream(struct config *config, const char *text)
{
    struct upstream_options upstream;
    enum value_status status = value_parse_upstream(text, &upstream);
    return status == VALUE_OK ? add_upstream(config, &upstream) : status;
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
    case SETTING_ADDRESS: return set_address(setting, fields, text);
    case SETTING_IP: return value_parse_ip(text, field_of(setting, fields));
    case SETTING_NAME: return value_parse_name(text, field_of(setting, fields));
    case SETTING_LISTEN: return add_listen(fields, text);
    case SETTING_PREFIXES: return add_prefix(setting, fields, text);
    case SETTING_UPSTREAMS: return parse_and_add_upstream(fields, text);
    }
    return VALUE_MALFORMED;
}

static const char *format_bound(const struct setting *setting, uint64_t bound, char text[static VALUE_TEXT_BYTES])
{
    if (setting->kind == SETTING_DURATION) return value_format_duration(bound, text);
    if (setting->kind == SETTING_SIZE) return value_format_size(bound, text);
    snprintf(text, VALUE_TEXT_BYTES, "%" PRIu64, bound);
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
    format_bound(setting, setting->min, min);
    format_bound(setting, setting->max, max);
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

static const char *grammar_of(enum setting_kind kind)
{
    switch (kind) {
    case SETTING_NUMBER:
    case SETTING_WORKERS: return "a whole number ";
    case SETTING_DURATION: return "a duration (with ms, s, m, h or d) ";
    case SETTING_SIZE: return "a size (in bytes, or with KiB, MiB or GiB) ";
    case SETTING_BOOLEAN: return "true or false";
    case SETTING_PATH: return "a path of a file";
    case SETTING_ADDRESS: return "IP:PORT or [IP6]:PORT, or empty (off)";
    case SETTING_IP: return "the IP address of a host, without a port";
    case SETTING_NAME: return "a DNS host name (an IP address is none)";
    case SETTING_LISTEN: return "IP:PORT or [IP6]:PORT";
    case SETTING_PREFIXES: return "IP/BITS with no bit set behind the prefix, as 10.0.0.0/8 or \"fc00::/7\"";
    case SETTING_UPSTREAMS: return "IP#NAME, IP:PORT#NAME or [IP6]:PORT#NAME, as 1.1.1.1:853#cloudflare-dns.com";
    case SETTING_CHOICE: break;
    }
    return "";
}

const char *setting_allowed(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES])
{
    if (setting->kind == SETTING_CHOICE) return format_words(setting, text);
    int used = snprintf(text, SETTING_ALLOWED_BYTES, "%s", grammar_of(setting->kind));
    if (has_range(setting)) format_range(setting, text + used, SETTING_ALLOWED_BYTES - used);
    return text;
}

const char *setting_allowed_range(const struct setting *setting, char text[static SETTING_ALLOWED_BYTES])
{
    return has_range(setting) ? format_range(setting, text, SETTING_ALLOWED_BYTES) : setting_allowed(setting, text);
}

/* True where the status is good; else says in words what it is. */
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
    case VALUE_NO_MEMORY: snprintf(ret_why, SETTING_WHY_BYTES, "no memory for it"); break;
    }
    return false;
}

bool setting_set(const struct setting *setting, void *fields, const char *text, char ret_why[static SETTING_WHY_BYTES])
{
    return explain(setting, set(setting, fields, text), text, ret_why);
}

bool setting_add_upstream(const struct setting *setting, struct config *config, const struct upstream_options *upstream,
                          char ret_why[static SETTING_WHY_BYTES])
{
    char text[ADDRESS_TEXT_BYTES];
    return explain(setting, add_upstream(config, upstream), address_format(&upstream->address, text), ret_why);
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
    return setting->kind >= SETTING_LISTEN;
}

void setting_clear(const struct setting *setting, struct config *config)
{
    if (setting->kind == SETTING_LISTEN) config->acceptor.listen_count = 0;
    if (setting->kind == SETTING_UPSTREAMS) config->pool.upstream_count = 0;
    if (setting->kind == SETTING_PREFIXES) {
        free(config->access.allow);
        config->access = (struct access_options){.allow = NULL};
    }
}
