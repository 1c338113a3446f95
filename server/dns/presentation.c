#include "dns/presentation.h"

#include <stdio.h>

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

const char *presentation_type(uint16_t type, char text[static PRESENTATION_TYPE_BYTES])
{
    static const struct {
        uint16_t type;
        char name[8];
    } known[] = {
        {1, "A"},       {2, "NS"},    {5, "CNAME"}, {6, "SOA"},    {12, "PTR"},  {15, "MX"},
        {16, "TXT"},    {28, "AAAA"}, {33, "SRV"},  {35, "NAPTR"}, {43, "DS"},   {46, "RRSIG"},
        {48, "DNSKEY"}, {52, "TLSA"}, {64, "SVCB"}, {65, "HTTPS"}, {257, "CAA"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].type == type) {
            snprintf(text, PRESENTATION_TYPE_BYTES, "%s", known[i].name);
            return text;
        }
    snprintf(text, PRESENTATION_TYPE_BYTES, "TYPE%u", type);
    return text;
}
