#include "metrics/query_filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "metrics/http_server.h"

_Static_assert(QUERY_KINDS <= 8, "a byte has a bit for each kind");

enum { ALL_KINDS = (1 << QUERY_KINDS) - 1, NUMBER_BYTES = 24 };

enum presence { ABSENT, PRESENT, UNREADABLE };

/* An empty one is absent: a form sends those that were left empty. */
static enum presence find(const char *query, const char *name, char *out, size_t size)
{
    if (!http_server_has_parameter(query, name)) return ABSENT;
    if (!http_server_parameter(query, name, out, size)) return UNREADABLE;
    return *out ? PRESENT : ABSENT;
}

static bool parse_kinds(const char *text, uint8_t *ret_kinds)
{
    uint8_t kinds = 0;
    for (;;) {
        enum query_kind kind;
        size_t size = strcspn(text, ",");
        if (!query_kind_parse(text, size, &kind)) return false;
        kinds |= (uint8_t)(1 << kind);
        if (text[size] == '\0') break;
        text += size + 1;
    }
    *ret_kinds = kinds;
    return true;
}

/* Digits with a point, as "12.5"; at most a day of milliseconds times a thousand. */
static bool parse_number(const char *text, double *ret_number)
{
    char *end;
    if (strspn(text, "0123456789.") != strlen(text)) return false;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || number > 1e15) return false;
    *ret_number = number;
    return true;
}

static bool read_number(const char *query, const char *name, double *number)
{
    char text[NUMBER_BYTES];
    switch (find(query, name, text, sizeof text)) {
    case ABSENT: return true;
    case PRESENT: return parse_number(text, number);
    case UNREADABLE: break;
    }
    return false;
}

static bool read_client(const char *query, struct query_filter *filter)
{
    char text[ADDRESS_TEXT_BYTES];
    enum presence presence = find(query, "client", text, sizeof text);
    filter->has_client = presence == PRESENT;
    return presence == ABSENT || (presence == PRESENT && prefix_parse(text, &filter->client));
}

static bool read_name(const char *query, struct query_filter *filter)
{
    char text[QUERY_FILTER_NAME_BYTES];
    enum presence presence = find(query, "name", text, sizeof text);
    if (presence == PRESENT) memcpy(filter->name, text, strlen(text) + 1);
    return presence != UNREADABLE;
}

static bool read_kinds(const char *query, struct query_filter *filter)
{
    char text[ADDRESS_TEXT_BYTES];
    enum presence presence = find(query, "kind", text, sizeof text);
    return presence == ABSENT || (presence == PRESENT && parse_kinds(text, &filter->kinds));
}

const char *query_filter_parse(const char *query, struct query_filter *ret_filter)
{
    struct query_filter filter = {.kinds = ALL_KINDS};
    double min_ms = 0, after_ms = 0, limit = QUERY_LIST_USUAL;
    if (!read_client(query, &filter)) return "client: an address or a prefix is wanted";
    if (!read_name(query, &filter)) return "name: part of a name is wanted, at most 255 bytes";
    if (!read_kinds(query, &filter)) return "kind: slow, servfail, refused, limited, stale or malformed is wanted";
    if (!read_number(query, "min_ms", &min_ms)) return "min_ms: milliseconds are wanted";
    if (!read_number(query, "after_ms", &after_ms)) return "after_ms: milliseconds are wanted";
    if (!read_number(query, "limit", &limit) || !(limit >= 1 && limit <= (double)QUERY_LIST_MAX))
        return "limit: 1..1000 is wanted";
    filter.min_ns = (uint64_t)(min_ms * (double)NS_PER_MS);
    if (after_ms > 0) filter.after_ns = ((uint64_t)after_ms + 1) * NS_PER_MS - 1; /* `at_ms` has whole milliseconds */
    filter.limit = (unsigned)limit;
    *ret_filter = filter;
    return NULL;
}

bool query_filter_is_private(const struct query_filter *filter)
{
    return filter->has_client || *filter->name;
}

bool query_filter_takes(const struct query_filter *filter, const struct query_note *note)
{
    if (!(filter->kinds & 1 << note->kind) || note->took_ns < filter->min_ns || note->at_ns <= filter->after_ns)
        return false;
    return !filter->has_client || prefix_contains(&filter->client, note->client.ip);
}

bool query_filter_takes_name(const struct query_filter *filter, const char *name)
{
    return !*filter->name || strcasestr(name, filter->name);
}
