#include "app/query_list.h"

#include <stdlib.h>
#include <time.h>

#include "app/server.h"
#include "common/clock.h"
#include "common/json.h"
#include "dns/presentation.h"

/* The notes found so far; cut to the latest `limit` whenever it is full. */
struct found {
    struct query_note *notes;
    size_t count;
    size_t limit; /* there is memory for twice as many */
};

/* What stands in each line of a list. */
struct moment {
    uint64_t now_ns;
    int64_t wall_ms;
    bool with_names;
};

static int by_age(const void *a, const void *b)
{
    const struct query_note *first = a, *second = b;
    return (first->at_ns < second->at_ns) - (first->at_ns > second->at_ns);
}

static void cut(struct found *found)
{
    qsort(found->notes, found->count, sizeof *found->notes, by_age);
    if (found->count > found->limit) found->count = found->limit;
}

static bool takes(const struct query_filter *filter, const struct query_note *note)
{
    char name[PRESENTATION_NAME_BYTES];
    if (!query_filter_takes(filter, note)) return false;
    if (!*filter->name) return true;
    return note->name_size > 0 && query_filter_takes_name(filter, presentation_name(note->name, note->name_size, name));
}

/* The latest of one worker and kind, at most `limit` that the filter takes. */
static void collect(const struct query_ring *ring, enum query_kind kind, const struct query_filter *filter,
                    struct found *found)
{
    uint64_t put = query_ring_count(ring, kind).put;
    uint32_t entries = query_ring_entries(ring);
    size_t taken = 0;
    for (uint64_t back = 1; back <= entries && back <= put && taken < found->limit; back++) {
        struct query_note *note = &found->notes[found->count];
        if (!query_ring_read(ring, kind, put - back, note) || !takes(filter, note)) continue;
        taken++;
        if (++found->count == 2 * found->limit) cut(found);
    }
}

static void write_counts(struct json *json, const struct server *server)
{
    json_open(json, "kinds", '{');
    for (unsigned kind = 0; kind < QUERY_KINDS; kind++) {
        struct query_count total = {0};
        for (unsigned i = 0; i <= server->worker_count; i++) {
            if (!server->rings[i]) continue;
            struct query_count count = query_ring_count(server->rings[i], (enum query_kind)kind);
            total.seen += count.seen;
            total.left_out += count.left_out;
        }
        json_open(json, query_kind_name((enum query_kind)kind), '{');
        json_count(json, "seen", total.seen);
        json_count(json, "left_out", total.left_out);
        json_close(json, '{');
    }
    json_close(json, '{');
}

static void write_time(struct json *json, const struct moment *moment, uint64_t at_ns)
{
    int64_t at_ms = moment->wall_ms - (int64_t)((moment->now_ns - at_ns) / NS_PER_MS);
    time_t seconds = at_ms / 1000;
    struct tm utc;
    char text[48];
    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + size, sizeof text - size, ".%03dZ", (int)(at_ms % 1000));
    json_text(json, "time", text);
    json_count(json, "at_ms", at_ns / NS_PER_MS);
}

static void write_who(struct json *json, const struct query_note *note)
{
    char client[ADDRESS_TEXT_BYTES], name[PRESENTATION_NAME_BYTES];
    json_text(json, "client", address_format_ip(&note->client, client));
    json_count(json, "port", note->client.port);
    json_text(json, "name", note->name_size > 0 ? presentation_name(note->name, note->name_size, name) : NULL);
}

static void write_error(struct json *json, const struct query_note *note, bool with_names)
{
    char rcode[PRESENTATION_RCODE_BYTES];
    bool has_text = *note->ede_text && (with_names || note->ede_is_ours);
    json_text(json, "rcode", note->rcode != QUERY_NO_RCODE ? presentation_rcode(note->rcode, rcode) : NULL);
    if (note->ede_code != QUERY_NO_EDE)
        json_count(json, "ede", note->ede_code);
    else
        json_null(json, "ede");
    json_text(json, "ede_text", has_text ? note->ede_text : NULL);
    json_text(json, "reason", note->reason);
}

static void write_note(struct json *json, const struct moment *moment, const struct query_note *note)
{
#define L(id, text) text,
    static const char *const sources[] = {LABELS_SOURCE(L)};
    static const char *const transports[] = {LABELS_TRANSPORT(L)};
#undef L
    char type[PRESENTATION_TYPE_BYTES];
    json_open(json, NULL, '{');
    write_time(json, moment, note->at_ns);
    json_text(json, "kind", query_kind_name((enum query_kind)note->kind));
    json_text(json, "transport", transports[note->transport]);
    if (moment->with_names) write_who(json, note);
    json_text(json, "type", note->name_size > 0 ? presentation_type(note->type, type) : NULL);
    write_error(json, note, moment->with_names);
    json_text(json, "source", note->source < LABEL_SOURCE_COUNT ? sources[note->source] : NULL);
    json_text(json, "route", *note->route ? note->route : NULL);
    json_text(json, "upstream", *note->upstream ? note->upstream : NULL);
    json_count(json, "attempts", note->attempts);
    json_number(json, "ms", (double)note->took_ns / (double)NS_PER_MS);
    json_count(json, "worker", note->worker);
    json_count(json, "question", note->question);
    json_close(json, '{');
}

bool query_list_write(void *context, const struct query_filter *filter, bool with_names, FILE *out)
{
    const struct server *server = context;
    struct json json = {out, false};
    struct found found = {.limit = filter->limit};
    found.notes = calloc(2 * found.limit, sizeof *found.notes);
    if (!found.notes) return false;
    for (unsigned i = 0; i <= server->worker_count; i++)
        for (unsigned kind = 0; server->rings[i] && kind < QUERY_KINDS; kind++)
            if (filter->kinds & 1 << kind) collect(server->rings[i], (enum query_kind)kind, filter, &found);
    cut(&found);
    const struct moment moment = {clock_now_ns(), (int64_t)(clock_wall_ns() / NS_PER_MS), with_names};
    json_open(&json, NULL, '{');
    json_count(&json, "now_ms", moment.now_ns / NS_PER_MS);
    json_bool(&json, "names_shown", with_names);
    json_count(&json, "kept_of_each_kind", server->rings[0] ? query_ring_entries(server->rings[0]) : 0);
    write_counts(&json, server);
    json_open(&json, "queries", '[');
    for (size_t i = 0; i < found.count; i++) write_note(&json, &moment, &found.notes[i]);
    json_close(&json, '[');
    json_close(&json, '{');
    putc('\n', out);
    free(found.notes);
    return true;
}
