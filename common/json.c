#include "common/json.h"

#include <inttypes.h>
#include <string.h>

/* The size of the UTF-8 sequence at the front, of two bytes or more (RFC 3629); 0 if there is none. */
static size_t utf8_size(const unsigned char *c)
{
    static const struct {
        unsigned char first, last, second_first, second_last;
        size_t size;
    } ranges[] = {
        {0xc2, 0xc2, 0xa0, 0xbf, 2}, /* not U+0080 to U+009F, which control a terminal */
        {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c[0] < ranges[i].first || c[0] > ranges[i].last) continue;
        if (c[1] < ranges[i].second_first || c[1] > ranges[i].second_last) return 0;
        for (size_t j = 2; j < ranges[i].size; j++)
            if ((c[j] & 0xc0) != 0x80) return 0;
        return ranges[i].size;
    }
    return 0;
}

size_t json_escape(const char **text, char out[static JSON_ESCAPED_BYTES])
{
    const unsigned char *c = (const unsigned char *)*text;
    size_t size = utf8_size(c);
    if (size > 0) {
        memcpy(out, c, size);
        *text += size;
        return size;
    }
    ++*text;
    if (*c < ' ' || *c >= 0x7f || *c == '<') return (size_t)snprintf(out, JSON_ESCAPED_BYTES, "\\u%04x", *c);
    return (size_t)snprintf(out, JSON_ESCAPED_BYTES, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
}

static void write_text(FILE *out, const char *text)
{
    char escaped[JSON_ESCAPED_BYTES];
    putc('"', out);
    while (*text) {
        size_t size = json_escape(&text, escaped);
        fwrite(escaped, 1, size, out);
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

void json_number_short(struct json *json, const char *key, double value)
{
    write_key(json, key);
    fprintf(json->out, "%.4g", value);
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
