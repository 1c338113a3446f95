#include "config/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

struct unit {
    const char *name;
    uint64_t factor;
};

enum { DOT_PORT = 853, DNS_PORT = 53 }; /* RFC 7858, 3.1; RFC 1035, 4.2 */

enum { UNITS = 6 }; /* at most five and an end without a name */

/* The largest first, for the writers. */
static const struct unit durations[UNITS] = {
    {"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS},
};
static const struct unit sizes[UNITS] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};
static const struct unit numbers[UNITS] = {{"", 1}};

/* The digits at `*text`, which moves behind them. */
static enum value_status take_digits(const char **text, uint64_t *ret)
{
    size_t count = strspn(*text, "0123456789");
    if (count == 0) return VALUE_MALFORMED;
    uint64_t number = 0;
    bool fits = true;
    for (const char *end = *text + count; *text < end; ++*text)
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_add_overflow(number, (uint64_t)(**text - '0'), &number);
    *ret = number;
    return fits ? VALUE_OK : VALUE_OUT_OF_RANGE;
}

/* The ".5" at `*text`, if any, of a unit of `factor`; what is no whole number of the smallest unit is malformed. */
static enum value_status take_fraction(const char **text, uint64_t *ret_part, uint64_t *ret_scale)
{
    enum { DIGITS_MAX = 9 };
    *ret_part = 0;
    *ret_scale = 1;
    if (**text != '.') return VALUE_OK;
    const char *digits = ++*text;
    if (take_digits(text, ret_part) != VALUE_OK || *text - digits > DIGITS_MAX) return VALUE_MALFORMED;
    for (; digits < *text; digits++) *ret_scale *= 10;
    return VALUE_OK;
}

static const struct unit *find_unit(const struct unit units[static UNITS], const char *name)
{
    for (const struct unit *unit = units; unit->name; unit++)
        if (strcmp(unit->name, name) == 0) return unit;
    return NULL;
}

static enum value_status parse_amount(const char *text, const struct unit units[static UNITS], uint64_t *ret)
{
    bool negative = *text == '-';
    text += negative;
    if (text[0] == '0' && isdigit((unsigned char)text[1])) return VALUE_MALFORMED;
    uint64_t whole, part, scale;
    enum value_status status = take_digits(&text, &whole);
    if (status == VALUE_MALFORMED || take_fraction(&text, &part, &scale) != VALUE_OK) return VALUE_MALFORMED;
    const struct unit *unit = find_unit(units, text);
    if (!unit || (unit->factor == 1 && scale != 1)) return VALUE_MALFORMED;
    if (__builtin_mul_overflow(part, unit->factor, &part) || part % scale != 0) return VALUE_MALFORMED;
    if (status != VALUE_OK || negative || __builtin_mul_overflow(whole, unit->factor, &whole))
        return VALUE_OUT_OF_RANGE;
    if (__builtin_add_overflow(whole, part / scale, &whole)) return VALUE_OUT_OF_RANGE;
    *ret = whole;
    return VALUE_OK;
}

enum value_status value_parse_number(const char *text, uint64_t *ret_number)
{
    return parse_amount(text, numbers, ret_number);
}

enum value_status value_parse_duration(const char *text, uint64_t *ret_ns)
{
    if (strcmp(text, "0") == 0) text = "0s";
    return parse_amount(text, durations, ret_ns);
}

enum value_status value_parse_size(const char *text, uint64_t *ret_bytes)
{
    return parse_amount(text, sizes, ret_bytes);
}

enum value_status value_parse_boolean(const char *text, bool *ret_boolean)
{
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) return VALUE_MALFORMED;
    *ret_boolean = is_true;
    return VALUE_OK;
}

enum value_status value_parse_choice(const char *text, const char *words, uint64_t *ret_index)
{
    size_t size = strlen(text);
    for (uint64_t index = 0; *words; index++) {
        size_t word = strcspn(words, " ");
        if (word == size && memcmp(words, text, size) == 0) {
            *ret_index = index;
            return VALUE_OK;
        }
        words += word + (words[word] == ' ');
    }
    return VALUE_MALFORMED;
}

static bool is_label(const char *label, size_t size)
{
    enum { LABEL_MAX = 63 };
    if (size == 0 || size > LABEL_MAX || label[0] == '-' || label[size - 1] == '-') return false;
    for (size_t i = 0; i < size; i++) {
        bool letter = (label[i] >= 'a' && label[i] <= 'z') || (label[i] >= 'A' && label[i] <= 'Z');
        if (!letter && (label[i] < '0' || label[i] > '9') && label[i] != '-') return false;
    }
    return true;
}

enum value_status value_parse_name(const char *text, char ret_name[static UPSTREAM_NAME_MAX + 1])
{
    enum { NAME_MAX_TEXT = 253 }; /* 255 bytes on the wire (RFC 1035, 2.3.4) */
    size_t size = strlen(text);
    if (size > 0 && text[size - 1] == '.') size--;
    if (size == 0 || size > NAME_MAX_TEXT) return VALUE_MALFORMED;
    const char *label = text;
    size_t label_size = 0;
    for (const char *end = text + size;; label += label_size + 1) {
        const char *dot = memchr(label, '.', (size_t)(end - label));
        label_size = (size_t)((dot ? dot : end) - label);
        if (!is_label(label, label_size)) return VALUE_MALFORMED;
        if (!dot) break;
    }
    if (strspn(label, "0123456789") >= label_size) return VALUE_MALFORMED;
    for (size_t i = 0; i < size; i++)
        ret_name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    ret_name[size] = '\0';
    return VALUE_OK;
}

enum value_status value_parse_ip(const char *text, struct address *ret_address)
{
    const char *colon = strchr(text, ':');
    bool has_port = colon && !strchr(colon + 1, ':');
    struct address address;
    if (has_port || text[0] == '[' || !address_parse(text, 1, &address) || !address_is_host(&address))
        return VALUE_MALFORMED;
    address.port = ret_address->port;
    *ret_address = address;
    return VALUE_OK;
}

enum value_status value_parse_upstream(const char *text, struct upstream_options *ret_upstream)
{
    char host[ADDRESS_TEXT_BYTES + 8];
    struct upstream_options upstream = {.transport = UPSTREAM_TLS}; /* a text has no way to say plain TCP */
    const char *hash = strchr(text, '#');
    if (!hash || (size_t)(hash - text) >= sizeof host) return VALUE_MALFORMED;
    memcpy(host, text, (size_t)(hash - text));
    host[hash - text] = '\0';
    if (!address_parse(host, DOT_PORT, &upstream.address) || !address_is_host(&upstream.address))
        return VALUE_MALFORMED;
    if (value_parse_name(hash + 1, upstream.name) != VALUE_OK) return VALUE_MALFORMED;
    *ret_upstream = upstream;
    return VALUE_OK;
}

enum value_status value_parse_named_upstream(const char *text, struct upstream_options *ret_upstream)
{
    char name[UPSTREAM_NAME_MAX + 1];
    struct upstream_options upstream = {.transport = UPSTREAM_TLS, .address.port = DOT_PORT};
    size_t size = strcspn(text, ":");
    uint64_t port = DOT_PORT;
    if (size >= sizeof name) return VALUE_MALFORMED;
    if (text[size] == ':' && value_parse_number(text + size + 1, &port) != VALUE_OK) return VALUE_MALFORMED;
    if (port == 0 || port > UINT16_MAX) return VALUE_MALFORMED;
    snprintf(name, sizeof name, "%.*s", (int)size, text);
    if (value_parse_name(name, upstream.name) != VALUE_OK) return VALUE_MALFORMED;
    upstream.address.port = (uint16_t)port;
    *ret_upstream = upstream;
    return VALUE_OK;
}

enum value_status value_parse_bootstrap(const char *text, struct upstream_options *ret_server)
{
    struct upstream_options server = {.transport = UPSTREAM_TCP};
    if (strchr(text, '#')) return value_parse_upstream(text, ret_server);
    if (!address_parse(text, DNS_PORT, &server.address) || !address_is_host(&server.address)) return VALUE_MALFORMED;
    *ret_server = server;
    return VALUE_OK;
}

static const char *format_amount(uint64_t amount, const struct unit units[static UNITS],
                                 char text[static VALUE_TEXT_BYTES])
{
    const struct unit *unit = units;
    while (unit[1].name && amount % unit->factor != 0) unit++;
    snprintf(text, VALUE_TEXT_BYTES, "%" PRIu64 "%s", amount / unit->factor, unit->name);
    return text;
}

const char *value_format_duration(uint64_t ns, char text[static VALUE_TEXT_BYTES])
{
    uint64_t below_ms = ns % NS_PER_MS;
    if (ns == 0) return memcpy(text, "0s", sizeof "0s");
    if (below_ms == 0) return format_amount(ns, durations, text);
    int size = snprintf(text, VALUE_TEXT_BYTES, "%" PRIu64 ".%06" PRIu64, ns / NS_PER_MS, below_ms);
    while (text[size - 1] == '0') size--;
    memcpy(text + size, "ms", sizeof "ms");
    return text;
}

const char *value_format_size(uint64_t bytes, char text[static VALUE_TEXT_BYTES])
{
    if (bytes == 0) return memcpy(text, "0", sizeof "0");
    return format_amount(bytes, sizes, text);
}

const char *value_format_address(const struct address *address, bool with_port, char text[static VALUE_ADDRESS_BYTES])
{
    char ip[ADDRESS_TEXT_BYTES], interface[IF_NAMESIZE] = "", port[sizeof ":65535"] = "";
    bool has_scope = address->scope != 0 && if_indextoname(address->scope, interface);
    bool has_brackets = with_port && !address_is_ipv4(address);
    if (with_port) snprintf(port, sizeof port, ":%u", address->port);
    snprintf(text, VALUE_ADDRESS_BYTES, "%s%s%s%s%s%s", has_brackets ? "[" : "", address_format_ip(address, ip),
             has_scope ? "%" : "", interface, has_brackets ? "]" : "", port);
    return text;
}
