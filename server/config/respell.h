/* respell: what a value that a setting refuses may have been meant to be, as a text of the form that settings take:
 * "5 sec" is "5s", "64M" is "64MiB", "Yes" is "true". These are guesses: whoever shows one tries it on the setting
 * first (suggest.h). All functions return false, and leave `ret_text` untouched, where there is nothing to guess. Pure;
 * any thread. */
#ifndef CONFIG_RESPELL_H
#define CONFIG_RESPELL_H

#include <stdbool.h>
#include <stdint.h>

enum { RESPELL_BYTES = 96 };

/* "5 s", "5sec", "1m30s", "2 days"; a number alone gets `unit`. Two units next to each other are added. */
bool respell_duration(const char *text, const char *unit, char ret_text[static RESPELL_BYTES]);

/* "64M", "64 MB", "1.5gib"; all of them powers of 1024. A number alone gets `unit`. */
bool respell_size(const char *text, const char *unit, char ret_text[static RESPELL_BYTES]);

/* "1,000", "1_000", "+5", "007", "5.0", "10k". */
bool respell_number(const char *text, char ret_text[static RESPELL_BYTES]);

/* "Yes", "on", "0", "disabled" */
bool respell_boolean(const char *text, char ret_text[static RESPELL_BYTES]);

/* One of `words` (a space between them): in other letter case, longer, shorter or mistyped, or a boolean for on and
 * off. */
bool respell_choice(const char *text, const char *words, char ret_text[static RESPELL_BYTES]);

/* IP:PORT with a scheme before it, a path behind it, or '@', '#' or a space in place of the colon. */
bool respell_address(const char *text, char ret_text[static RESPELL_BYTES]);

/* A DNS host name with a scheme or "*." before it, a port or a path behind it. */
bool respell_name(const char *text, char ret_text[static RESPELL_BYTES]);

/* "10.0.0.1/8" is "10.0.0.0/8", "10.0.0.0/255.0.0.0" as well; "any" is "0.0.0.0/0". */
bool respell_prefix(const char *text, char ret_text[static RESPELL_BYTES]);

/* "off", "no", "never": the words by which people switch something off. */
bool respell_is_off(const char *text);

#endif
