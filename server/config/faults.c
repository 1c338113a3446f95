#include "config/faults.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/printable.h"

static void write_location(const struct faults *faults, const struct source_location *location)
{
    if (location && location->flag)
        fprintf(faults->out, "dns-tls-proxy: --%s: ", location->flag);
    else if (location)
        fprintf(faults->out, "%s:%zu:%zu: ", faults->file, location->line, location->column);
    else
        fprintf(faults->out, "%s: ", faults->file);
}

void faults_add(struct faults *faults, const struct source_location *location, const char *format, ...)
{
    if (faults_are_full(faults)) return;
    char *what = NULL;
    va_list arguments;
    va_start(arguments, format);
    bool is_formatted = vasprintf(&what, format, arguments) >= 0;
    va_end(arguments);
    write_location(faults, location);
    printable_write(faults->out, is_formatted ? what : "a fault, and out of memory to say which");
    fputc('\n', faults->out);
    if (is_formatted) free(what);
    faults->count++;
    if (faults_are_full(faults)) fputs("dns-tls-proxy: more faults are not listed\n", faults->out);
}

bool faults_are_full(const struct faults *faults)
{
    return faults->count >= FAULTS_MAX;
}

static bool is_plain_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/:#%[]<>*&";
    size_t size = strspn(text, plain);
    return size > 0 && text[size] == '\0' && size < FAULT_QUOTE_BYTES;
}

static size_t quote_byte(char byte, char ret_quoted[static PRINTABLE_ESCAPED_BYTES])
{
    if (byte != '"' && byte != '\\') return printable_escape(byte, ret_quoted);
    const char special[] = {'\\', byte};
    memcpy(ret_quoted, special, sizeof special);
    return sizeof special;
}

const char *fault_quote(const char *text, char quoted[static FAULT_QUOTE_BYTES])
{
    if (is_plain_word(text)) return memcpy(quoted, text, strlen(text) + 1);
    size_t used = 0;
    quoted[used++] = '"';
    while (*text && used + PRINTABLE_ESCAPED_BYTES + sizeof "...\"" <= FAULT_QUOTE_BYTES)
        used += quote_byte(*text++, quoted + used);
    snprintf(quoted + used, FAULT_QUOTE_BYTES - used, "%s", *text ? "...\"" : "\"");
    return quoted;
}
