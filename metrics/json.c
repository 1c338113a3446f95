#include "metrics/json.h"

#include <inttypes.h>

static void write_text(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < ' ' || *c >= 0x7f || *c == '<')
            fprintf(out, "\\u%04x", *c);
        else
            fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    putc('"', out);
}

static void write_key(struct json *json, const char *key)
{
    if (json->comma) putc(',', json->out);
    json->comma = true;
    if (!key) return;
    write_text(json->out, key);
    putc(':', json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
    write_key(json, key);
    putc(bracket, json->out);
    json->comma = false;
}

void json_close(struct json *json, char bracket)
{
    putc(bracket == '{' ? '}' : ']', json->out);
    json->comma = true;
}

void json_text(struct json *json, const char *key, const char *text)
{
    write_key(json, key);
    if (text)
        write_text(json->out, text);
    else
        fputs("null", json->out);
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    write_key(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void json_number(struct json *json, const char *key, double value)
{
    write_key(json, key);
    fprintf(json->out, "%.15g", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    write_key(json, key);
    fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
    json_text(json, key, NULL);
}
