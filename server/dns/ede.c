#include "dns/ede.h"

#include <string.h>

#include "dns/message.h"

enum { OPTION_EDE = 15, OPTION_HEAD_BYTES = 4, CODE_BYTES = 2 };

/* The replacement for a character that cannot be shown. */
enum { REPLACEMENT = '?' };

bool ede_is_verdict(uint16_t code)
{
    switch (code) {
    case 1:  /* validation: Unsupported DNSKEY Algorithm, */
    case 2:  /* Unsupported DS Digest Type, */
    case 5:  /* DNSSEC Indeterminate, */
    case 6:  /* DNSSEC Bogus, */
    case 7:  /* Signature Expired, */
    case 8:  /* Signature Not Yet Valid, */
    case 9:  /* DNSKEY Missing, */
    case 10: /* RRSIGs Missing, */
    case 11: /* No Zone Key Bit Set, */
    case 12: /* NSEC Missing, */
    case 25: /* Signature Expired before Valid, */
    case 27: /* Unsupported NSEC3 Iterations Value (RFC 9276) */
    case 4:  /* policy: Forged Answer, */
    case 15: /* Blocked, */
    case 16: /* Censored, */
    case 17: /* Filtered, */
    case 35: /* Blocked by Upstream DNS Server */ return true;
    default: return false;
    }
}

/* ---- texts ---- */

/* The character at `text`, at least one byte of which is there. Returns its bytes, 0 if they are not UTF-8 (RFC
 * 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
static size_t read_character(const uint8_t *text, size_t size, uint32_t *ret_character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text[0];
    size_t bytes = first < 0x80 ? 1 : first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    if (bytes == 0 || bytes > size || first >= 0xf8) return 0;
    uint32_t character = bytes == 1 ? first : first & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        character = character << 6 | (text[i] & 0x3f);
    }
    if (character < least[bytes] || character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) return 0;
    *ret_character = character;
    return bytes;
}

/* Whether a terminal or a browser shows the character and nothing else happens: no control character, no mark that
 * changes the direction of what follows, no invisible one. */
static bool is_visible(uint32_t character)
{
    if (character < 0x20 || (character >= 0x7f && character < 0xa0)) return false;
    if (character == 0xad || character == 0x61c || character == 0xfeff) return false;
    if (character >= 0x200b && character <= 0x200f) return false;
    if (character >= 0x2028 && character <= 0x202e) return false;
    if (character >= 0x2060 && character <= 0x206f) return false;
    return (character & 0xfffe) != 0xfffe && character < 0xe0000;
}

/* Writes the text clean, at most `capacity` bytes of it and whole characters; returns how many. A NUL at the end, which
 * some servers send, is left out. */
static size_t clean_text(const uint8_t *text, size_t size, uint8_t *out, size_t capacity)
{
    size_t written = 0;
    while (size > 0 && text[size - 1] == 0) size--;
    while (size > 0) {
        uint32_t character = 0;
        size_t bytes = read_character(text, size, &character);
        bool good = bytes > 0 && is_visible(character);
        size_t out_bytes = good ? bytes : 1;
        if (bytes == 0) bytes = 1;
        if (written + out_bytes > capacity) break;
        if (good)
            memcpy(out + written, text, bytes);
        else
            out[written] = REPLACEMENT;
        written += out_bytes;
        text += bytes;
        size -= bytes;
    }
    return written;
}

/* ---- lists ---- */

/* An option of an OPT record; `size` is that of its data. */
struct item {
    uint16_t option;
    const uint8_t *data;
    size_t size;
};

/* Takes the option at the front; false at the end, or if it is cut. */
static bool next_item(const uint8_t **at, size_t *left, struct item *ret_item)
{
    if (*left < OPTION_HEAD_BYTES) return false;
    ret_item->option = dns_u16(*at);
    ret_item->size = dns_u16(*at + 2);
    ret_item->data = *at + OPTION_HEAD_BYTES;
    if (*left - OPTION_HEAD_BYTES < ret_item->size) return false;
    *at += OPTION_HEAD_BYTES + ret_item->size;
    *left -= OPTION_HEAD_BYTES + ret_item->size;
    return true;
}

static bool is_error(const struct item *item)
{
    return item->option == OPTION_EDE && item->size >= CODE_BYTES;
}

/* Writes an option with as much of the text as `text_max` allows; returns its bytes. */
static size_t put_item(uint8_t *out, const struct item *item, size_t text_max)
{
    if (text_max > EDE_TEXT_MAX) text_max = EDE_TEXT_MAX;
    size_t text = clean_text(item->data + CODE_BYTES, item->size - CODE_BYTES, out + EDE_ITEM_MIN, text_max);
    dns_put_u16(out, OPTION_EDE);
    dns_put_u16(out + 2, (uint16_t)(CODE_BYTES + text));
    memcpy(out + OPTION_HEAD_BYTES, item->data, CODE_BYTES);
    return EDE_ITEM_MIN + text;
}

size_t ede_collect(const uint8_t *options, size_t size, uint8_t out[static EDE_LIST_MAX])
{
    struct item item;
    size_t codes = 0;
    size_t written = 0;
    size_t left = size;
    for (const uint8_t *at = options; next_item(&at, &left, &item);) codes += is_error(&item);
    if (codes > EDE_CODES_MAX) codes = EDE_CODES_MAX;
    left = size;
    for (const uint8_t *at = options; codes > 0 && next_item(&at, &left, &item);) {
        if (!is_error(&item)) continue;
        written += put_item(out + written, &item, EDE_LIST_MAX - written - codes * EDE_ITEM_MIN);
        codes--;
    }
    return written;
}

static bool has_item(const uint8_t *list, size_t size, const struct item *wanted)
{
    struct item item;
    for (const uint8_t *at = list; next_item(&at, &size, &item);)
        if (item.size == wanted->size && memcmp(item.data, wanted->data, item.size) == 0) return true;
    return false;
}

size_t ede_merge(uint8_t list[static EDE_LIST_MAX], size_t size, const uint8_t *more, size_t more_size)
{
    struct item item;
    for (const uint8_t *at = more; next_item(&at, &more_size, &item);) {
        if (!is_error(&item) || has_item(list, size, &item) || EDE_LIST_MAX - size < EDE_ITEM_MIN) continue;
        size += put_item(list + size, &item, EDE_LIST_MAX - size - EDE_ITEM_MIN);
    }
    return size;
}

bool ede_has_verdict(const uint8_t *list, size_t size)
{
    struct item item;
    for (const uint8_t *at = list; next_item(&at, &size, &item);)
        if (ede_is_verdict(dns_u16(item.data))) return true;
    return false;
}

bool ede_has(const uint8_t *list, size_t size, uint16_t code)
{
    struct item item;
    for (const uint8_t *at = list; next_item(&at, &size, &item);)
        if (dns_u16(item.data) == code) return true;
    return false;
}

size_t ede_without_texts(const uint8_t *list, size_t size, uint8_t *out)
{
    struct item item;
    size_t written = 0;
    for (const uint8_t *at = list; next_item(&at, &size, &item);) written += put_item(out + written, &item, 0);
    return written;
}

bool ede_is_list(const uint8_t *bytes, size_t size)
{
    struct item item;
    while (next_item(&bytes, &size, &item))
        if (!is_error(&item)) return false;
    return size == 0;
}
