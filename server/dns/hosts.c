#include "dns/hosts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "dns/presentation.h"

/* The longest word: a name in presentation format without escapes, its dot and a NUL. */
enum { WORD_BYTES = DNS_NAME_MAX + 2 };

enum word_status { WORD_NONE, WORD_GOOD, WORD_BAD };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* The next word of the line. */
static enum word_status next_word(const char **text, const char *end, char word[static WORD_BYTES])
{
    while (*text < end && is_space(**text)) (*text)++;
    if (*text == end || **text == '#') return WORD_NONE;
    const char *start = *text;
    while (*text < end && !is_space(**text) && **text != '#') (*text)++;
    size_t size = (size_t)(*text - start);
    if (size >= WORD_BYTES) return WORD_BAD;
    if (memchr(start, '\0', size)) return WORD_BAD;
    memcpy(word, start, size);
    word[size] = '\0';
    return WORD_GOOD;
}

/* An IPv4 address becomes IPv4-mapped, as everywhere. */
static bool parse_ip(const char *word, struct address *ret_address)
{
    enum { IPV6_BYTES = 16, IPV4_AT = 12 };
    struct address address = {.ip = {[10] = 0xff, [11] = 0xff}};
    if (inet_pton(AF_INET, word, address.ip + IPV4_AT) != 1 && inet_pton(AF_INET6, word, address.ip) != 1) return false;
    *ret_address = address;
    return true;
}

/* Host names have letters, digits, hyphens and, in practice, underscores; neither escapes nor other octets. */
static bool parse_name(const char *word, struct hosts_name *ret_name)
{
    for (const char *c = word; *c; c++) {
        bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!is_letter && !(*c >= '0' && *c <= '9') && *c != '-' && *c != '_' && *c != '.') return false;
    }
    size_t size = presentation_parse_name(word, ret_name->bytes);
    ret_name->size = (uint8_t)size;
    return size > 1; /* the root is no host */
}

enum hosts_status hosts_parse_line(const char *text, size_t size, struct hosts_line *ret_line)
{
    const char *end = text + size;
    char word[WORD_BYTES];
    enum word_status status = next_word(&text, end, word);
    if (status == WORD_NONE) return HOSTS_EMPTY;
    if (status == WORD_BAD || !parse_ip(word, &ret_line->address)) return HOSTS_BAD;
    ret_line->name_count = 0;
    while ((status = next_word(&text, end, word)) != WORD_NONE) {
        if (status == WORD_BAD) return HOSTS_BAD;
        if (ret_line->name_count == HOSTS_NAMES_MAX) break;
        if (!parse_name(word, &ret_line->names[ret_line->name_count])) return HOSTS_BAD;
        ret_line->name_count++;
    }
    return ret_line->name_count > 0 ? HOSTS_LINE : HOSTS_BAD;
}

size_t hosts_reverse_name(const struct address *address, uint8_t out[static DNS_NAME_MAX])
{
    enum { IPV6_BYTES = 16, IPV4_BYTES = 4 };
    char text[2 * 2 * IPV6_BYTES + sizeof "ip6.arpa"];
    size_t used = 0;
    if (address_is_ipv4(address)) {
        const uint8_t *ip = address->ip + IPV6_BYTES - IPV4_BYTES;
        snprintf(text, sizeof text, "%u.%u.%u.%u.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]);
    } else {
        for (int i = IPV6_BYTES - 1; i >= 0; i--)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%x.%x.", address->ip[i] & 15, address->ip[i] >> 4);
        snprintf(text + used, sizeof text - used, "ip6.arpa");
    }
    return presentation_parse_name(text, out);
}
