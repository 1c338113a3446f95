#include "config/hints.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be added, dropped or changed to make one word of the other (Levenshtein 1966). `b` is shorter
 * than HINT_WORD_BYTES. */
static size_t edits_between(const char *a, const char *b)
{
    size_t row[HINT_WORD_BYTES];
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
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

const char *hint_for_address(const char *wrong, uint16_t usual_port, char text[static HINT_BYTES])
{
    char with_port[2 * ADDRESS_TEXT_BYTES];
    struct address address;
    const char *port = wrong;
    text[0] = '\0';
    if (hint_for_interface(wrong, usual_port, true, text)) return text;
    if (strncmp(port, "*:", 2) == 0 || strncmp(port, "*#", 2) == 0) port++;
    if (*port == ':' || *port == '#') port++;
    snprintf(with_port, sizeof with_port, "0.0.0.0:%.*s", ADDRESS_TEXT_BYTES, port);
    if (address_parse(with_port, 0, &address)) {
        snprintf(text, HINT_BYTES, "; write \"0.0.0.0:%s\" for all IPv4 addresses or \"[::]:%s\" for all of IPv6", port,
                 port);
    } else if (address_parse(wrong, usual_port, &address)) {
        snprintf(text, HINT_BYTES, "; the port is missing: write \"%s\"", address_format(&address, with_port));
    } else if (strncmp(wrong, "localhost", strlen("localhost")) == 0) {
        const char *colon = strchr(wrong, ':');
        snprintf(with_port, sizeof with_port, ":%u", usual_port);
        if (!colon) colon = with_port;
        snprintf(text, HINT_BYTES, "; write \"127.0.0.1%.6s\" or \"[::1]%.6s\"", colon, colon);
    }
    return text;
}

const char *hint_for_ip(const char *wrong, char text[static HINT_BYTES])
{
    enum { DOT_PORT = 853 };
    struct upstream_options upstream;
    struct address address;
    char ip[ADDRESS_TEXT_BYTES];
    text[0] = '\0';
    if (hint_for_interface(wrong, DOT_PORT, false, text)) return text;
    if (value_parse_upstream(wrong, &upstream) == VALUE_OK)
        snprintf(text, HINT_BYTES, "; write {address: \"%s\", port: %u, name: %.80s}",
                 address_format_ip(&upstream.address, ip), upstream.address.port, upstream.name);
    else if (address_parse(wrong, DOT_PORT, &address))
        snprintf(text, HINT_BYTES, "; write {address: \"%s\", port: %u, ...}", address_format_ip(&address, ip),
                 address.port);
    return text;
}
