/* suggest: how to write what the operator seems to have meant, behind a value that a setting refuses. Every value that
 * is shown was tried on the setting, which takes it. Main thread only. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include <stdbool.h>

#include "config/hints.h"
#include "config/setting.h"

/* A value that the setting takes, near to `wrong`, which may be one that it takes; one that needs no escapes between
 * double quotes. False: none is known. */
enum { SUGGEST_BYTES = 128 };
bool suggest_value(const struct setting *setting, const char *wrong, char ret_value[static SUGGEST_BYTES]);

/* What is said behind the fault: "; write 5s", ": what is wrong in words", or "", as of a value that the setting takes
 * (its list may be full, or have it already). Returns `text`. */
const char *suggest_hint(const struct setting *setting, const char *wrong, char text[static HINT_BYTES]);

/* The value as it is written in a file: in double quotes where its kind is a text. Returns `text`. */
const char *suggest_quote(const struct setting *setting, const char *value, char text[static SUGGEST_BYTES]);

#endif
