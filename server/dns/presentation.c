#include "dns/presentation.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dns/message.h"

static size_t put_octet(uint8_t octet, char *text)
{
    if (octet == '.' || octet == '\\') {
        text[0] = '\\';
        text[1] = (char)octet;
        return 2;
    }
    if (octet > ' ' && octet < 0x7f) {
        *text = (char)octet;
        return 1;
    }
    text[0] = '\\';
    text[1] = (char)('0' + octet / 100);
    text[2] = (char)('0' + octet / 10 % 10);
    text[3] = (char)('0' + octet % 10);
    return 4;
}

const char *presentation_name(const uint8_t *name, size_t size, char text[static PRESENTATION_NAME_BYTES])
{
    size_t used = 0;
    size_t at = 0;
    if (size > 255) size = 255;
    while (at < size && name[at] > 0) {
        size_t end = at + 1 + name[at];
        if (end > size) break;
        for (at++; at < end; at++) used += put_octet(name[at], text + used);
        text[used++] = '.';
    }
    if (used == 0) text[used++] = '.';
    text[used] = '\0';
    return text;
}

static int lower(int octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
}

/* One octet of a name as written at `*text`, which moves on; -1: a broken escape, or an octet that must be escaped. */
static int take_octet(const char **text)
{
    const char *at = *text;
    if (*at != '\\') {
        *text = at + 1;
        return *at > ' ' && *at < 0x7f ? lower(*at) : -1;
    }
    if (at[1] < '0' || at[1] > '9') {
        *text = at + (at[1] ? 2 : 1);
        return at[1] > ' ' && at[1] < 0x7f ? lower(at[1]) : -1;
    }
    int value = 0;
    for (int i = 1; i <= 3; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        value = value * 10 + (at[i] - '0');
    }
    *text = at + 4;
    return value <= UINT8_MAX ? lower(value) : -1;
}

/* One label from `*text` to `label`, its length before it; false: empty, too long, or broken. `*text` then stands
 * behind its dot or at the end. */
static bool take_label(const char **text, uint8_t *label, size_t room)
{
    size_t size = 0;
    while (**text && **text != '.') {
        int octet = take_octet(text);
        if (octet < 0 || size == DNS_LABEL_MAX || size + 2 >= room) return false;
        label[++size] = (uint8_t)octet;
    }
    label[0] = (uint8_t)size;
    if (**text == '.') (*text)++;
    return size > 0;
}

size_t presentation_parse_name(const char *text, uint8_t out[static 255])
{
    size_t size = 0;
    if (*text == '\0') return 0;
    if (strcmp(text, ".") == 0) text++;
    while (*text) {
        if (!take_label(&text, out + size, DNS_NAME_MAX - size)) return 0;
        size += 1u + out[size];
    }
    out[size] = 0;
    return size + 1;
}

const char *presentation_type(uint16_t type, char text[static PRESENTATION_TYPE_BYTES])
{
    static const struct {
        uint16_t type;
        char name[8];
    } known[] = {
        {1, "A"},       {2, "NS"},    {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},  {15, "MX"},
        {16, "TXT"},    {28, "AAAA"}, {33, "SRV"},   {35, "NAPTR"}, {43, "DS"},   {46, "RRSIG"},
        {48, "DNSKEY"}, {52, "TLSA"}, {64, "SVCB"},  {65, "HTTPS"}, {257, "CAA"}, {251, "IXFR"},
        {252, "AXFR"},  {255, "ANY"}, {13, "HINFO"}, {44, "SSHFP"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].type == type) {
            snprintf(text, PRESENTATION_TYPE_BYTES, "%s", known[i].name);
            return text;
        }
    snprintf(text, PRESENTATION_TYPE_BYTES, "TYPE%u", type);
    return text;
}

const char *presentation_rcode(uint16_t rcode, char text[static PRESENTATION_RCODE_BYTES])
{
    static const char *const names[] = {
        "NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
        "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "DSOTYPENI",
    };
    if (rcode < sizeof names / sizeof *names)
        snprintf(text, PRESENTATION_RCODE_BYTES, "%s", names[rcode]);
    else if (rcode == DNS_RCODE_BADVERS || rcode == DNS_RCODE_BADCOOKIE)
        snprintf(text, PRESENTATION_RCODE_BYTES, "%s", rcode == DNS_RCODE_BADVERS ? "BADVERS" : "BADCOOKIE");
    else
        snprintf(text, PRESENTATION_RCODE_BYTES, "RCODE%u", rcode);
    return text;
}
