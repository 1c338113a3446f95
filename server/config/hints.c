#include "config/hints.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be added, dropped, changed, or swapped with their neighbour to make one word of the other
 * (Damerau 1964, Levenshtein 1966). Both are shorter than HINT_WORD_BYTES. */
static size_t edits_between(const char *a, const char *b)
{
    size_t rows[HINT_WORD_BYTES][HINT_WORD_BYTES];
    size_t height = strlen(a), width = strlen(b);
    for (size_t j = 0; j <= width; j++) rows[0][j] = j;
    for (size_t i = 1; i <= height; i++) {
        rows[i][0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t changed = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            rows[i][j] = least(changed, least(rows[i - 1][j], rows[i][j - 1]) + 1);
            bool is_swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swapped) rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    }
    return rows[height][width];
}

struct hint hint_begin(const char *word)
{
    enum { EDITS_MAX = 2 }; /* fewer in a short word, if two edits make any word of any other */
    return (struct hint){.word = word, .edits = least(EDITS_MAX + 1, strlen(word) / 3 + 1)};
}

void hint_offer(struct hint *hint, const char *known)
{
    /* A long word is near to none, and its comparison would take long. */
    if (strlen(hint->word) >= HINT_WORD_BYTES || strlen(known) >= HINT_WORD_BYTES) return;
    size_t edits = edits_between(hint->word, known);
    if (edits >= hint->edits) return;
    hint->edits = edits;
    memcpy(hint->found, known, strlen(known) + 1);
}

/* What is wrong with the interface of an IPv6 address. False: nothing. */
static bool hint_for_interface(const char *wrong, uint16_t usual_port, bool with_port, char text[static HINT_BYTES])
{
    char without[2 * ADDRESS_TEXT_BYTES];
    char ip[ADDRESS_TEXT_BYTES], port[sizeof "]:65535"] = "";
    struct address address;
    const char *percent = strchr(wrong, '%');
    bool is_address = address_parse(wrong, usual_port, &address);
    if (is_address && address_needs_interface(&address)) {
        if (with_port) snprintf(port, sizeof port, "]:%u", address.port);
        snprintf(text, HINT_BYTES, "; a link-local address needs its interface: write \"%s%s%%eth0%s\"",
                 with_port ? "[" : "", address_format_ip(&address, ip), port);
        return true;
    }
    if (is_address || !percent) return false;
    size_t name_size = strcspn(percent + 1, "]");
    snprintf(without, sizeof without, "%.*s%.*s", (int)least((size_t)(percent - wrong), ADDRESS_TEXT_BYTES), wrong,
             ADDRESS_TEXT_BYTES, percent + 1 + name_size);
    if (!address_parse(without, usual_port, &address) || address_is_ipv4(&address)) return false;
    snprintf(text, HINT_BYTES, "; there is no interface '%.*s'", (int)least(name_size, HINT_WORD_BYTES), percent + 1);
    return true;
}

/* ":53", "*:53", "53": every address, or this machine where one host is wanted. */
static bool hint_for_port(const char *wrong, bool of_host, char text[static HINT_BYTES])
{
    char with_port[2 * ADDRESS_TEXT_BYTES];
    struct address address;
    const char *port = wrong;
    if (strncmp(port, "*:", 2) == 0 || strncmp(port, "*#", 2) == 0) port++;
    if (*port == ':' || *port == '#') port++;
    snprintf(with_port, sizeof with_port, "0.0.0.0:%.*s", ADDRESS_TEXT_BYTES, port);
    if (!address_parse(with_port, 0, &address)) return false;
    if (of_host)
        snprintf(text, HINT_BYTES, "; write \"127.0.0.1:%u\" for this machine", address.port);
    else
        snprintf(text, HINT_BYTES, "; write \"0.0.0.0:%u\" for all IPv4 addresses or \"[::]:%u\" for all of IPv6",
                 address.port, address.port);
    return true;
}

/* "::1:53": an IPv6 address, whose last group may be meant as the port. */
static bool hint_for_brackets(const char *wrong, uint16_t usual_port, bool of_host, char text[static HINT_BYTES])
{
    char with_brackets[2 * ADDRESS_TEXT_BYTES];
    struct address address;
    const char *last = strrchr(wrong, ':');
    if (wrong[0] == '[' || !last || strchr(wrong, ':') == last || !address_parse(wrong, 1, &address)) return false;
    snprintf(with_brackets, sizeof with_brackets, "[%.*s]:%.8s", (int)least((size_t)(last - wrong), ADDRESS_TEXT_BYTES),
             wrong, last + 1);
    if (!address_parse(with_brackets, 0, &address) || (of_host && !address_is_host(&address))) return false;
    snprintf(text, HINT_BYTES, "; write \"%s\", or \"[%.*s]:%u\" if all of it is the address", with_brackets,
             ADDRESS_TEXT_BYTES, wrong, usual_port);
    return true;
}

/* HOST:PORT or HOST, of which the host or the port is no such thing. */
static void hint_for_parts(const char *wrong, char text[static HINT_BYTES])
{
    char host[ADDRESS_TEXT_BYTES], name[UPSTREAM_NAME_MAX + 1];
    struct address address;
    const char *colon = strrchr(wrong, ':');
    size_t size = colon ? (size_t)(colon - wrong) : strlen(wrong);
    snprintf(host, sizeof host, "%.*s", (int)least(size, sizeof host - 1), wrong);
    bool has_number = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
    if (strchr(wrong, '/') && !strstr(wrong, "://"))
        snprintf(text, HINT_BYTES, "; an address is wanted, not a network");
    else if (has_number && (host[0] == '\0' || strcmp(host, "*") == 0 || address_parse(host, 1, &address)))
        snprintf(text, HINT_BYTES, "; a port is 1..65535");
    else if (value_parse_name(host, name) == VALUE_OK)
        snprintf(text, HINT_BYTES, "; an IP address is wanted, not a name");
}

static bool hint_for_localhost(const char *wrong, uint16_t usual_port, char text[static HINT_BYTES])
{
    static const char localhost[] = "localhost";
    char port[sizeof ":65535"], with_port[ADDRESS_TEXT_BYTES];
    struct address address;
    if (strncmp(wrong, localhost, strlen(localhost)) != 0) return false;
    snprintf(port, sizeof port, ":%u", usual_port);
    const char *behind = wrong[strlen(localhost)] ? wrong + strlen(localhost) : port;
    snprintf(with_port, sizeof with_port, "127.0.0.1%.8s", behind);
    if (!address_parse(with_port, 0, &address)) return false;
    snprintf(text, HINT_BYTES, "; write \"%s\" or \"[::1]%s\"", with_port, behind);
    return true;
}

const char *hint_for_address(const char *wrong, uint16_t usual_port, bool of_host, char text[static HINT_BYTES])
{
    char with_port[VALUE_ADDRESS_BYTES];
    struct address address;
    text[0] = '\0';
    if (hint_for_interface(wrong, usual_port, true, text) || hint_for_port(wrong, of_host, text) ||
        hint_for_brackets(wrong, usual_port, of_host, text) || hint_for_localhost(wrong, usual_port, text))
        return text;
    if (!address_parse(wrong, usual_port, &address))
        hint_for_parts(wrong, text);
    else if (!of_host || address_is_host(&address))
        snprintf(text, HINT_BYTES, "; the port is missing: write \"%s\"",
                 value_format_address(&address, true, with_port));
    return text;
}

enum { FORM_BYTES = 160 };

/* An upstream as other programs write it ("tls://1.1.1.1", "1.1.1.1@853#NAME"), in the form of our flag. */
static void as_flag(const char *wrong, char ret_form[static FORM_BYTES + 4])
{
    char copy[FORM_BYTES];
    const char *scheme = strstr(wrong, "://");
    snprintf(copy, sizeof copy, "%s", scheme ? scheme + strlen("://") : wrong);
    if (scheme) copy[strcspn(copy, "/?")] = '\0';
    size_t host = strcspn(copy, "@");
    bool has_port = copy[host] == '@';
    bool has_brackets = has_port && copy[0] != '[' && memchr(copy, ':', host);
    snprintf(ret_form, FORM_BYTES + 4, has_brackets ? "[%.*s]%s%s" : "%.*s%s%s", (int)host, copy, has_port ? ":" : "",
             copy + host + has_port);
}

/* A part of a name would be another name. */
static const char *whole_name(const char *name)
{
    enum { SHOWN_MAX = 90 }; /* as "%.90s", which tells the compiler that all has room */
    return strlen(name) <= SHOWN_MAX ? name : "...";
}

const char *hint_for_ip(const char *wrong, bool by_name, char text[static HINT_BYTES])
{
    enum { DOT_PORT = 853 };
    struct upstream_options upstream;
    struct address address;
    char ip[VALUE_ADDRESS_BYTES], form[FORM_BYTES + 4], name[UPSTREAM_NAME_MAX + 1];
    text[0] = '\0';
    if (hint_for_interface(wrong, DOT_PORT, false, text)) return text;
    as_flag(wrong, form);
    if (value_parse_upstream(form, &upstream) == VALUE_OK)
        snprintf(text, HINT_BYTES, "; write {address: \"%s\", port: %u, name: %.90s}",
                 value_format_address(&upstream.address, false, ip), upstream.address.port, whole_name(upstream.name));
    else if (address_parse(form, DOT_PORT, &address) && address_is_host(&address))
        snprintf(text, HINT_BYTES, "; write {address: \"%s\", port: %u, ...}",
                 value_format_address(&address, false, ip), address.port);
    else if (value_parse_name(form, name) == VALUE_OK && by_name)
        snprintf(text, HINT_BYTES, "; write {name: %.90s} for a server by its name alone", whole_name(name));
    else if (value_parse_name(form, name) == VALUE_OK)
        snprintf(text, HINT_BYTES, "; an IP address is wanted, not a name");
    return text;
}
