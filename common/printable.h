/* printable: text of others (a file, a process, a server) on its way to a terminal or a log, where a control byte
 * could move the cursor or begin a line. Printable is ASCII from space to tilde. Pure functions; any thread. */
#ifndef COMMON_PRINTABLE_H
#define COMMON_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

bool printable_is(char byte);

/* The byte, or \xNN if it is not printable; returns the size, without a NUL. */
enum { PRINTABLE_ESCAPED_BYTES = 4 };
size_t printable_escape(char byte, char ret_text[static PRINTABLE_ESCAPED_BYTES]);

/* Writes the text, each byte by printable_escape. */
void printable_write(FILE *out, const char *text);

/* Makes '?' of each byte that is neither printable nor in `kept`. Returns `text`. */
char *printable_mask(char *text, const char *kept);

#endif
