/* faults: what is wrong with a configuration, a line each, with its location. Main thread only. */
#ifndef CONFIG_FAULTS_H
#define CONFIG_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Where a value was given. All zero: nowhere, it is the default. */
struct source_location {
    const char *flag; /* of the command line, as "listen"; NULL for a location in the file */
    size_t line;      /* from 1 */
    size_t column;    /* from 1, in characters */
};

/* More than a person corrects at once; it also bounds the work a hostile file can make. */
enum { FAULTS_MAX = 100 };

struct faults {
    const char *file; /* the name that locations in the file have; NULL if there is none */
    FILE *out;
    unsigned count; /* so far; at FAULTS_MAX a last line says that there are more */
};

/* Writes one line: "FILE:LINE:COLUMN: what", "dns-tls-proxy: --FLAG: what", or, with `location` NULL, "FILE: what".
 * Bytes of `what` that are not printable ASCII are written as \xNN: it may have pieces of a foreign text. */
__attribute__((format(printf, 3, 4))) void faults_add(struct faults *faults, const struct source_location *location,
                                                      const char *format, ...);

/* No more are written: stop looking. */
bool faults_are_full(const struct faults *faults);

/* A piece of foreign text, fit for a line of a terminal: as it is if it is one plain word, else in double quotes,
 * unprintable bytes as \xNN, cut if it is long. Returns `quoted`. */
enum { FAULT_QUOTE_BYTES = 72 };
const char *fault_quote(const char *text, char quoted[static FAULT_QUOTE_BYTES]);

#endif
