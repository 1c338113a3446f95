/* json: a JSON text (RFC 8259) written piece by piece. The caller opens and closes in pairs and gives a key inside an
 * object, NULL inside an array; what is written in between is put into place, with its commas. Pure. */
#ifndef METRICS_JSON_H
#define METRICS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    bool comma; /* something stands before the next value */
};

/* `bracket` is '{' or '['; the same one closes. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* Any bytes; NULL becomes null. Control characters, `<` and what is not ASCII (as Latin-1) are written \u00xx, so that
 * the text is valid and harmless wherever it is put. */
void json_text(struct json *json, const char *key, const char *text);
void json_count(struct json *json, const char *key, uint64_t value);
void json_number(struct json *json, const char *key, double value); /* finite */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
