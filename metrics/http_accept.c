#include "metrics/http_accept.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { NOT_COVERED, BY_ANY, BY_TYPE, BY_NAME }; /* from the least specific on */

/* One element of the list: `text/plain;version=0.0.4;q=0.5`. */
struct element {
    const char *name;
    size_t name_size;
    int weight; /* -1: malformed */
};

static const char *skip_blanks(const char *c)
{
    while (*c == ' ' || *c == '\t') c++;
    return c;
}

/* "0", "0.123", "1.000"; -1 if it is none of them (RFC 9110, 12.4.2). */
static int parse_weight(const char *text, size_t size)
{
    if (size == 0 || size > 5 || (text[0] != '0' && text[0] != '1') || (size > 1 && text[1] != '.')) return -1;
    int weight = (text[0] - '0') * HTTP_WEIGHT_MAX;
    int unit = HTTP_WEIGHT_MAX / 10;
    for (size_t i = 2; i < size; i++, unit /= 10) {
        if (!isdigit((unsigned char)text[i])) return -1;
        weight += (text[i] - '0') * unit;
    }
    return weight > HTTP_WEIGHT_MAX ? -1 : weight;
}

/* Where the element or parameter ends: at a `,` or `;` outside of quotes. */
static const char *part_end(const char *c)
{
    bool quoted = false;
    for (; *c && (quoted || (*c != ',' && *c != ';')); c++) {
        if (*c == '"') quoted = !quoted;
        if (*c == '\\' && quoted && c[1]) c++;
    }
    return c;
}

static size_t trimmed_size(const char *begin, const char *end)
{
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) end--;
    return (size_t)(end - begin);
}

/* Reads an element, and returns what follows it and its comma. */
static const char *read_element(const char *c, struct element *ret_element)
{
    c = skip_blanks(c);
    const char *end = part_end(c);
    *ret_element = (struct element){c, trimmed_size(c, end), HTTP_WEIGHT_MAX};
    while (*end == ';') {
        c = skip_blanks(end + 1);
        end = part_end(c);
        if (strncasecmp(c, "q=", 2) == 0) ret_element->weight = parse_weight(c + 2, trimmed_size(c + 2, end));
    }
    return *end == ',' ? end + 1 : end;
}

static int cover(const struct element *element, const char *wanted)
{
    const char *name = element->name;
    const char *slash = strchr(wanted, '/');
    size_t type_size = slash ? (size_t)(slash - wanted) + 1 : 0;
    if (element->name_size == strlen(wanted) && strncasecmp(name, wanted, element->name_size) == 0) return BY_NAME;
    if (slash && element->name_size == type_size + 1 && name[type_size] == '*' &&
        strncasecmp(name, wanted, type_size) == 0)
        return BY_TYPE;
    const char *any = slash ? "*/*" : "*";
    return element->name_size == strlen(any) && strncmp(name, any, element->name_size) == 0 ? BY_ANY : NOT_COVERED;
}

int http_accept_weight(const char *field, const char *wanted)
{
    int weight = HTTP_WEIGHT_UNNAMED;
    int best = NOT_COVERED;
    while (field && *field) {
        struct element element;
        field = read_element(field, &element);
        int covers = cover(&element, wanted);
        if (covers == NOT_COVERED || element.weight < 0 || covers < best) continue;
        if (covers > best || element.weight > weight) weight = element.weight;
        best = covers;
    }
    return weight;
}

bool http_accept_gzip(const char *accept_encoding)
{
    int gzip = http_accept_weight(accept_encoding, "gzip");
    return gzip > 0 && gzip >= http_accept_weight(accept_encoding, "identity");
}
