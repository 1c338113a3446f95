/* json: a JSON text (RFC 8259) written piece by piece. The caller opens and closes in pairs and gives a key inside an
 * object, NULL inside an array; commas are added. json_escape serves other writers of JSON. Pure. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Escapes the first character of `*text`, which must not be the NUL, for a place inside quotes, and advances `*text`;
 * returns the bytes written, without a NUL. UTF-8 is copied. Control characters, `<` and bytes that are not UTF-8 (as
 * Latin-1) become \u00xx, so that the text is valid JSON whatever is in it, and neither markup nor an end of line. */
enum { JSON_ESCAPED_BYTES = 8 };
size_t json_escape(const char **text, char out[static JSON_ESCAPED_BYTES]);

struct json {
    FILE *out;
    bool comma; /* a comma is due before the next value */
};

/* `bracket` is '{' or '['; the same one closes. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* Any bytes, escaped by json_escape; NULL becomes null. */
void json_text(struct json *json, const char *key, const char *text);
void json_count(struct json *json, const char *key, uint64_t value);
/* Finite numbers, with 15 digits; json_number_short writes 4, enough for a chart. */
void json_number(struct json *json, const char *key, double value);
void json_number_short(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
