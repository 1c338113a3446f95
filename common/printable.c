#include "common/printable.h"

#include <string.h>

bool printable_is(char byte)
{
    return byte >= ' ' && byte <= '~';
}

void printable_write(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (printable_is(*text))
            putc(*text, out);
        else
            fprintf(out, "\\x%02x", (unsigned char)*text);
    }
}

char *printable_mask(char *text, const char *kept)
{
    for (char *c = text; *c; c++)
        if (!printable_is(*c) && !strchr(kept, *c)) *c = '?';
    return text;
}
