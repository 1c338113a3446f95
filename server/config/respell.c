#include "config/respell.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/address.h"
#include "config/hints.h"
#include "config/value.h"

/* A unit of value.h, and what people write for it, in lower case. */
struct unit_words {
    const char *unit;
    const char *words;
};

static const struct unit_words durations[] = {
    {"ms", "ms msec msecs millisecond milliseconds"},
    {"s", "s sec secs second seconds"},
    {"m", "m min mins minute minutes"},
    {"h", "h hr hrs hour hours"},
    {"d", "d day days"},
    {NULL, NULL},
};
static const struct unit_words sizes[] = {
    {"KiB", "k kb ki kib kbyte kilobytes"},
    {"MiB", "m mb mi mib mbyte megabytes"},
    {"GiB", "g gb gi gib gbyte gigabytes"},
    {"", "b byte bytes"},
    {NULL, NULL},
};

static const char off_words[] = "off no false never none disabled disable unlimited infinite";
static const char on_words[] = "on yes true enabled enable";

static bool keep(const char *text, char ret_text[static RESPELL_BYTES])
{
    size_t size = strlen(text);
    if (size >= RESPELL_BYTES) return false;
    memcpy(ret_text, text, size + 1);
    return true;
}

/* `size` letters at `text` are one of `words`, in any letter case. */
static bool is_one_of(const char *text, size_t size, const char *words)
{
    for (size_t word; *words; words += word + (words[word] == ' ')) {
        word = strcspn(words, " ");
        if (word == size && strncasecmp(words, text, size) == 0) return true;
    }
    return false;
}

/* ---- amounts ---- */

static size_t letters_at(const char *text)
{
    size_t count = 0;
    while (isalpha((unsigned char)text[count])) count++;
    return count;
}

static const char *unit_of(const char *word, size_t size, const struct unit_words *spellings)
{
    for (; spellings->unit; spellings++)
        if (is_one_of(word, size, spellings->words)) return spellings->unit;
    return NULL;
}

/* The number and the unit at `*text`, which moves behind them, as the parser takes them. */
static bool take_piece(const char **text, const struct unit_words *spellings, const char *usual_unit,
                       char ret_piece[static RESPELL_BYTES])
{
    *text += strspn(*text, " ");
    size_t digits = strspn(*text, "0123456789.");
    const char *word = *text + digits + strspn(*text + digits, " ");
    size_t letters = letters_at(word);
    const char *unit = letters > 0 ? unit_of(word, letters, spellings) : usual_unit;
    if (digits == 0 || digits > RESPELL_BYTES / 2 || !unit) return false;
    snprintf(ret_piece, RESPELL_BYTES, "%.*s%s", (int)digits, *text, unit);
    *text = word + letters;
    return true;
}

/* The sum of all pieces of the text. */
static bool add_pieces(const char *text, const struct unit_words *spellings, const char *usual_unit,
                       enum value_status (*parse)(const char *text, uint64_t *ret), uint64_t *ret_sum)
{
    char piece[RESPELL_BYTES];
    uint64_t sum = 0, one;
    do {
        if (!take_piece(&text, spellings, usual_unit, piece) || parse(piece, &one) != VALUE_OK) return false;
        if (__builtin_add_overflow(sum, one, &sum)) return false;
        text += strspn(text, " ");
    } while (*text);
    *ret_sum = sum;
    return true;
}

bool respell_duration(const char *text, const char *unit, char ret_text[static RESPELL_BYTES])
{
    char formatted[VALUE_TEXT_BYTES];
    uint64_t ns;
    return add_pieces(text, durations, unit, value_parse_duration, &ns) &&
           keep(value_format_duration(ns, formatted), ret_text);
}

bool respell_size(const char *text, const char *unit, char ret_text[static RESPELL_BYTES])
{
    char formatted[VALUE_TEXT_BYTES];
    uint64_t bytes;
    return add_pieces(text, sizes, unit, value_parse_size, &bytes) &&
           keep(value_format_size(bytes, formatted), ret_text);
}

/* "," of "1,000": a group of three digits follows, and no more. */
static bool separates_thousands(const char *text)
{
    return strchr("_, ", *text) && strspn(text + 1, "0123456789") == 3;
}

bool respell_number(const char *text, char ret_text[static RESPELL_BYTES])
{
    char digits[RESPELL_BYTES] = "";
    size_t count = 0;
    text += strspn(text, " +");
    for (; *text && count < RESPELL_BYTES / 2; text++) {
        if (isdigit((unsigned char)*text))
            digits[count++] = *text;
        else if (count == 0 || !separates_thousands(text))
            break;
    }
    text += strspn(text, " ");
    bool is_whole = *text == '.' && text[1 + strspn(text + 1, "0")] == '\0'; /* "5.0" */
    bool is_thousands = strcasecmp(text, "k") == 0;
    if (count == 0 || (*text && !is_whole && !is_thousands)) return false;
    if (is_thousands) memcpy(digits + count, "000", sizeof "000");
    const char *first = digits + strspn(digits, "0");
    return keep(*first ? first : "0", ret_text);
}

/* ---- words ---- */

bool respell_is_off(const char *text)
{
    return is_one_of(text, strlen(text), off_words);
}

static bool is_on(const char *text)
{
    return is_one_of(text, strlen(text), on_words);
}

bool respell_boolean(const char *text, char ret_text[static RESPELL_BYTES])
{
    if (is_on(text) || strcmp(text, "1") == 0) return keep("true", ret_text);
    if (respell_is_off(text) || strcmp(text, "0") == 0) return keep("false", ret_text);
    return false;
}

/* At least three letters are the same at the beginning, in any letter case, and one of both ends there. */
static bool begins_alike(const char *text, const char *word)
{
    enum { ALIKE_MIN = 3 };
    size_t size = strlen(text) < strlen(word) ? strlen(text) : strlen(word);
    return size >= ALIKE_MIN && strncasecmp(text, word, size) == 0;
}

bool respell_choice(const char *text, const char *words, char ret_text[static RESPELL_BYTES])
{
    struct hint hint = hint_begin(text);
    const char *same_sense = is_on(text) ? "on" : respell_is_off(text) ? "off" : "";
    for (size_t size; *words; words += size + (words[size] == ' ')) {
        char word[RESPELL_BYTES];
        size = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)size, words);
        if (strcasecmp(word, text) == 0 || begins_alike(text, word) || strcmp(word, same_sense) == 0)
            return keep(word, ret_text);
        hint_offer(&hint, word);
    }
    return hint.found[0] && keep(hint.found, ret_text);
}

/* ---- addresses and names ---- */

/* Behind "tls://"; the text itself if it has no scheme. */
static const char *skip_scheme(const char *text)
{
    const char *scheme = strstr(text, "://");
    return scheme && letters_at(text) == (size_t)(scheme - text) ? scheme + strlen("://") : text;
}

bool respell_address(const char *text, char ret_text[static RESPELL_BYTES])
{
    char copy[RESPELL_BYTES], formatted[VALUE_ADDRESS_BYTES];
    struct address address;
    const char *host = skip_scheme(text);
    if (!keep(host, copy)) return false;
    if (host != text) copy[strcspn(copy, "/?")] = '\0';
    char *separator = strpbrk(copy, "@#");
    if (!separator) separator = strrchr(copy, ' ');
    if (separator) *separator = ':';
    if (address_parse(copy, 0, &address)) return keep(value_format_address(&address, true, formatted), ret_text);
    /* "::1@53": the brackets are missing, too. */
    if (!separator) return false;
    char with_brackets[RESPELL_BYTES + 4];
    *separator = '\0';
    snprintf(with_brackets, sizeof with_brackets, "[%s]:%s", copy, separator + 1);
    return address_parse(with_brackets, 0, &address) && keep(value_format_address(&address, true, formatted), ret_text);
}

bool respell_name(const char *text, char ret_text[static RESPELL_BYTES])
{
    char copy[RESPELL_BYTES], name[UPSTREAM_NAME_MAX + 1];
    const char *host = skip_scheme(text);
    if (strncmp(host, "*.", 2) == 0) host += 2;
    if (!keep(host, copy)) return false;
    copy[strcspn(copy, "/?:@# ")] = '\0';
    return value_parse_name(copy, name) == VALUE_OK && keep(name, ret_text);
}

/* The bits of 255.0.0.0; 33 if it is no netmask. */
static unsigned bits_of_mask(const char *text)
{
    enum { NONE = 33 };
    struct in_addr mask;
    if (inet_pton(AF_INET, text, &mask) != 1) return NONE;
    uint32_t ones = ntohl(mask.s_addr);
    unsigned bits = ones == 0 ? 0 : 32 - (unsigned)__builtin_ctz(ones);
    return (uint64_t)ones == ((UINT64_C(0xffffffff) << (32 - bits)) & UINT64_C(0xffffffff)) ? bits : NONE;
}

bool respell_prefix(const char *text, char ret_text[static RESPELL_BYTES])
{
    char ip[RESPELL_BYTES];
    struct prefix prefix;
    if (is_one_of(text, strlen(text), "any all *")) return keep("0.0.0.0/0", ret_text);
    size_t size = strcspn(text, "/");
    if (size >= sizeof ip || text[size] == '\0') return false;
    snprintf(ip, sizeof ip, "%.*s", (int)size, text);
    if (!prefix_parse(ip, &prefix)) return false; /* an address alone is one, too */
    bool is_ipv4 = !strchr(ip, ':');
    uint64_t bits = 0, most = is_ipv4 ? 32 : 128;
    if (value_parse_number(text + size + 1, &bits) != VALUE_OK)
        bits = is_ipv4 ? bits_of_mask(text + size + 1) : most + 1;
    if (bits > most) return false;
    struct address address = {.port = 0};
    struct prefix masked = prefix_of(prefix.ip, (unsigned)bits + (is_ipv4 ? 96 : 0));
    char formatted[ADDRESS_TEXT_BYTES];
    memcpy(address.ip, masked.ip, sizeof address.ip);
    snprintf(ret_text, RESPELL_BYTES, "%s/%u", address_format_ip(&address, formatted), (unsigned)bits);
    return true;
}
