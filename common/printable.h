/* printable: text of others (a file, a process, a server) on its way to a terminal or a log, where a control byte
 * could move the cursor or begin a line. Printable is ASCII from space to tilde. Pure functions; any thread. */
#ifndef COMMON_PRINTABLE_H
#define COMMON_PRINTABLE_H

#include <stdbool.h>
#include <stdio.h>

bool printable_is(char byte);

/* Writes the text, each byte that is not printable as \xNN. */
void printable_write(FILE *out, const char *text);

/* Makes '?' of each byte that is neither printable nor in `kept`. Returns `text`. */
char *printable_mask(char *text, const char *kept);

#endif
