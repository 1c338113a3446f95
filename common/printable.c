#include "common/printable.h"

#include <string.h>

bool printable_is(char byte)
{
    return byte >= ' ' && byte <= '~';
}

size_t printable_escape(char byte, char ret_text[static PRINTABLE_ESCAPED_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char number = (unsigned char)byte;
    const char escaped[PRINTABLE_ESCAPED_BYTES] = {'\\', 'x', hex[number >> 4], hex[number & 15]};
    ret_text[0] = byte;
    if (printable_is(byte)) return 1;
    memcpy(ret_text, escaped, sizeof escaped);
    return sizeof escaped;
}

void printable_write(FILE *out, const char *text)
{
    char escaped[PRINTABLE_ESCAPED_BYTES];
    for (; *text; text++) fwrite(escaped, 1, printable_escape(*text, escaped), out);
}

char *printable_mask(char *text, const char *kept)
{
    for (char *c = text; *c; c++)
        if (!printable_is(*c) && !strchr(kept, *c)) *c = '?';
    return text;
}
