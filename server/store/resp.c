#include "store/resp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

enum { CRLF_BYTES = 2, DIGITS_MAX = 8 /* of a size: far above what an entry can be */ };

static const struct resp_reply partial = {.kind = RESP_PARTIAL};
static const struct resp_reply bad = {.kind = RESP_BAD};

/* The size of the line in front, without CRLF. False: it has not ended, or (ret_bad) it will not end as it must. */
static bool find_line(const uint8_t *bytes, size_t size, size_t max, size_t *ret_size, bool *ret_bad)
{
    size_t looked = size < max ? size : max;
    const uint8_t *end = memchr(bytes, '\r', looked);
    *ret_bad = end ? (size_t)(end - bytes) + 1 < size && end[1] != '\n' : looked == max;
    if (*ret_bad || !end || (size_t)(end - bytes) + 1 == size) return false;
    *ret_size = (size_t)(end - bytes);
    return true;
}

/* A size as the servers write it: digits, no leading zero. */
static bool parse_size(const uint8_t *digits, size_t count, size_t *ret_size)
{
    size_t value = 0;
    if (count == 0 || count > DIGITS_MAX || (digits[0] == '0' && count > 1)) return false;
    for (size_t i = 0; i < count; i++) {
        if (digits[i] < '0' || digits[i] > '9') return false;
        value = value * 10 + (size_t)(digits[i] - '0');
    }
    *ret_size = value;
    return true;
}

static struct resp_reply read_line(const uint8_t *bytes, size_t size, enum resp_kind kind)
{
    size_t line;
    bool is_bad;
    if (!find_line(bytes, size, RESP_LINE_MAX, &line, &is_bad)) return is_bad ? bad : partial;
    return (struct resp_reply){kind, bytes + 1, line - 1, line + CRLF_BYTES};
}

static struct resp_reply read_value(const uint8_t *bytes, size_t size, size_t value_max)
{
    enum { HEAD_MAX = 1 + DIGITS_MAX + CRLF_BYTES };
    size_t line, value_size;
    bool is_bad;
    if (!find_line(bytes, size, HEAD_MAX, &line, &is_bad)) return is_bad ? bad : partial;
    if (line == 3 && memcmp(bytes, "$-1", 3) == 0) return (struct resp_reply){RESP_NULL, NULL, 0, line + CRLF_BYTES};
    if (!parse_size(bytes + 1, line - 1, &value_size) || value_size > value_max) return bad;
    const uint8_t *value = bytes + line + CRLF_BYTES;
    size_t left = size - line - CRLF_BYTES;
    if (left > value_size && value[value_size] != '\r') return bad;
    if (left < value_size + CRLF_BYTES) return partial;
    if (value[value_size + 1] != '\n') return bad;
    return (struct resp_reply){RESP_VALUE, value, value_size, line + CRLF_BYTES + value_size + CRLF_BYTES};
}

struct resp_reply resp_read(const uint8_t *bytes, size_t size, size_t value_max)
{
    if (size == 0) return partial;
    switch (bytes[0]) {
    case '+': return read_line(bytes, size, RESP_STATUS);
    case '-': return read_line(bytes, size, RESP_ERROR);
    case '$': return read_value(bytes, size, value_max);
    default: return bad;
    }
}

/* ---- commands ---- */

/* "$12\r\n", or with '*' the number of parts. Returns its size. */
enum { HEAD_BYTES = 24 };
static size_t write_head(char kind, size_t number, char out[static HEAD_BYTES])
{
    return (size_t)snprintf(out, HEAD_BYTES, "%c%zu\r\n", kind, number);
}

size_t resp_command_size(const struct resp_part *parts, unsigned count)
{
    char head[HEAD_BYTES];
    size_t size = write_head('*', count, head);
    CHECK(count > 0 && count <= RESP_PARTS_MAX);
    for (unsigned i = 0; i < count; i++) size += write_head('$', parts[i].size, head) + parts[i].size + CRLF_BYTES;
    return size;
}

size_t resp_write_command(const struct resp_part *parts, unsigned count, uint8_t *out)
{
    char head[HEAD_BYTES];
    uint8_t *at = out;
    size_t size = write_head('*', count, head);
    CHECK(count > 0 && count <= RESP_PARTS_MAX);
    memcpy(at, head, size);
    at += size;
    for (unsigned i = 0; i < count; i++) {
        size = write_head('$', parts[i].size, head);
        memcpy(at, head, size);
        at += size;
        memcpy(at, parts[i].bytes, parts[i].size);
        at += parts[i].size;
        memcpy(at, "\r\n", CRLF_BYTES);
        at += CRLF_BYTES;
    }
    return (size_t)(at - out);
}
