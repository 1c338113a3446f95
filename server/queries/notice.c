#include "queries/notice.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "dns/presentation.h"
#include "upstream/upstream.h"

/* ---- what a query is ---- */

static enum query_kind kind_of(const struct notices *notices, const struct query_end *end)
{
    if (end->error.rcode == DNS_RCODE_SERVFAIL) return QUERY_SERVFAIL;
    if (end->error.rcode == DNS_RCODE_REFUSED) return QUERY_REFUSED;
    if (end->source == LABEL_SOURCE_STALE) return QUERY_STALE;
    return end->took_ns > notices->slow_ns ? QUERY_SLOW : QUERY_ORDINARY;
}

/* Cut where there is no room, between two characters of UTF-8. */
static void copy_text(char out[static QUERY_TEXT_BYTES], const char *text, size_t size)
{
    size_t room = QUERY_TEXT_BYTES - 1;
    if (size > room) {
        size = room;
        while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80) size--;
    }
    if (size > 0) memcpy(out, text, size);
    out[size] = '\0';
}

/* The program's own error, or the first that upstream said. */
static void take_error(const struct answer_error *error, struct query_note *note)
{
    enum { CODE_AT = 4, TEXT_AT = 6 }; /* behind the option's code and length */
    note->ede_is_ours = error->ede_code != DNS_EDE_NONE;
    note->ede_code = error->ede_code;
    if (note->ede_is_ours) {
        const char *text = error->ede_text ? error->ede_text : "";
        copy_text(note->ede_text, text, strlen(text));
    } else if (error->errors_size >= TEXT_AT) {
        size_t size = dns_u16(error->errors + 2) - 2u;
        note->ede_code = dns_u16(error->errors + CODE_AT);
        if (size <= error->errors_size - TEXT_AT)
            copy_text(note->ede_text, (const char *)error->errors + TEXT_AT, size);
    }
}

static void take_route(const struct notices *notices, const struct query_end *end, struct query_note *note)
{
    uint32_t identity = end->key ? question_key_route(end->key) : 0;
    const char *name = identity != 0 && notices->route_name ? notices->route_name(notices, identity) : NULL;
    if (name) copy_text(note->route, name, strlen(name));
    if (!end->exchange) return;
    note->question = end->exchange->number;
    note->attempts = end->exchange->attempts_made;
    const struct upstream *upstream = end->exchange->last;
    if (upstream) copy_text(note->upstream, upstream->label, strlen(upstream->label));
}

static void fill(const struct notices *notices, const struct query_end *end, enum query_kind kind,
                 struct query_note *note)
{
    _Static_assert((int)QUERY_NAME_MAX == (int)DNS_NAME_MAX && (int)QUERY_NO_EDE == (int)DNS_EDE_NONE,
                   "the ring's values are those of the messages");
    const struct question *question = end->question;
    memset(note, 0, sizeof *note); /* padding, too: it is copied by words */
    note->at_ns = notices->loop->now_ns;
    note->took_ns = end->took_ns;
    note->reason = end->reason;
    if (end->requester->address) note->client = *end->requester->address;
    note->rcode = end->error.rcode;
    note->kind = (uint8_t)kind;
    note->transport = (uint8_t)end->requester->transport->label;
    note->source = end->error.rcode == QUERY_NO_RCODE ? QUERY_SOURCE_NONE : (uint8_t)end->source;
    note->worker = (uint8_t)notices->worker;
    take_error(&end->error, note);
    take_route(notices, end, note);
    if (!question->name) return;
    note->type = question->type;
    note->name_size = question->name_size;
    memcpy(note->name, question->name, question->name_size);
}

/* ---- the log ---- */

static bool is_logged(const struct notices *notices, enum query_kind kind)
{
    bool is_failed = kind != QUERY_ORDINARY && kind != QUERY_SLOW;
    switch ((enum query_log)notices->log_queries) {
    case QUERY_LOG_OFF: return false;
    case QUERY_LOG_FAILED: return is_failed;
    case QUERY_LOG_SLOW: return is_failed || kind == QUERY_SLOW;
    case QUERY_LOG_ALL: return true;
    }
    return false;
}

void notices_tick(struct notices *notices, uint64_t now_ns)
{
    if (notices->held_back == 0 || now_ns - notices->second_ns < NS_PER_S) return;
    log_info(notices->log, "queries not logged", log_number("count", notices->held_back),
             log_number("most_per_second", NOTICES_LOGGED_PER_S), log_number("worker", notices->worker));
    notices->held_back = 0;
}

/* Counts one more line; false: there were too many in this second. */
static bool may_log(struct notices *notices)
{
    uint64_t now_ns = notices->loop->now_ns;
    if (now_ns - notices->second_ns >= NS_PER_S) {
        notices_tick(notices, now_ns);
        notices->second_ns = now_ns;
        notices->logged = 0;
    }
    if (notices->logged < NOTICES_LOGGED_PER_S) {
        notices->logged++;
        return true;
    }
    notices->held_back++;
    count_event(notices->counters, queries_not_logged);
    return false;
}

static const char *source_name(unsigned source)
{
#define L(id, text) text,
    static const char *const names[] = {LABELS_SOURCE(L)};
#undef L
    return source < LABEL_SOURCE_COUNT ? names[source] : "none";
}

static const char *or_none(const char *text)
{
    return *text ? text : "none";
}

static void write_line(const struct notices *notices, const struct query_note *note)
{
    char client[ADDRESS_TEXT_BYTES], name[PRESENTATION_NAME_BYTES] = "", type[PRESENTATION_TYPE_BYTES] = "none";
    char rcode[PRESENTATION_RCODE_BYTES] = "none", ede[8] = "none";
    if (note->name_size > 0) {
        presentation_name(note->name, note->name_size, name);
        presentation_type(note->type, type);
    }
    if (note->rcode != QUERY_NO_RCODE) presentation_rcode(note->rcode, rcode);
    if (note->ede_code != QUERY_NO_EDE) snprintf(ede, sizeof ede, "%u", note->ede_code);
    log_info(notices->log, "query",
             log_text("kind", note->kind < QUERY_KINDS ? query_kind_name((enum query_kind)note->kind) : "ordinary"),
             log_text("client", address_format(&note->client, client)),
             log_text("transport", note->transport == LABEL_TRANSPORT_UDP ? "udp" : "tcp"),
             log_text("name", or_none(name)), log_text("type", type), log_text("rcode", rcode), log_text("ede", ede),
             log_text("why", note->reason ? note->reason : or_none(note->ede_text)),
             log_text("source", source_name(note->source)), log_text("route", or_none(note->route)),
             log_text("upstream", or_none(note->upstream)), log_number("attempts", note->attempts),
             log_number("took_ms", note->took_ns / NS_PER_MS), log_number("worker", note->worker),
             log_number("question", note->question));
}

/* ---- ends ---- */

/* What is done with a query; decided before anything is read or copied, so that a flood costs little. */
struct fate {
    bool is_kept;
    bool is_logged;
};

static struct fate decide(struct notices *notices, enum query_kind kind)
{
    bool may_keep = notices->ring && kind != QUERY_ORDINARY;
    bool may_write = notices->log && is_logged(notices, kind);
    return (struct fate){
        .is_kept = may_keep && query_ring_admit(notices->ring, kind, notices->loop->now_ns),
        .is_logged = may_write && may_log(notices),
    };
}

static void record(const struct notices *notices, const struct query_end *end, enum query_kind kind, struct fate fate)
{
    struct query_note note;
    if (!fate.is_kept && !fate.is_logged) return;
    fill(notices, end, kind, &note);
    if (fate.is_kept) query_ring_put(notices->ring, &note);
    if (fate.is_logged) write_line(notices, &note);
}

void notices_end(struct notices *notices, const struct query_end *end)
{
    enum query_kind kind = kind_of(notices, end);
    record(notices, end, kind, decide(notices, kind));
}

void notices_end_cached(struct notices *notices, struct query_end *end, const uint8_t *bytes, size_t size)
{
    struct answer answer;
    if (!answer_unpack(bytes, size, &answer)) return;
    end->error.rcode = answer.rcode;
    end->error.errors = answer.errors;
    end->error.errors_size = answer.errors_size;
    notices_end(notices, end);
}

void notices_refused(struct notices *notices, const struct requester *requester, const struct question *question,
                     enum refusal refusal)
{
    const struct refusal_rule *rule = refusal_rule(refusal);
    struct query_end end = {
        .requester = requester,
        .question = question,
        .error = rule->error,
        .source = LABEL_SOURCE_LOCAL,
        .reason = rule->reason,
    };
    if (!rule->replies) end.error = (struct answer_error){.rcode = QUERY_NO_RCODE, .ede_code = DNS_EDE_NONE};
    record(notices, &end, rule->kind, decide(notices, rule->kind));
}

void notices_dropped(struct notices *notices, const struct requester *requester, enum query_kind kind,
                     const char *reason, const struct client_message *message)
{
    struct question question;
    struct fate fate = decide(notices, kind);
    if (!fate.is_kept && !fate.is_logged) return;
    question_parse(message->bytes, message->size, &question);
    const struct query_end end = {
        .requester = requester,
        .question = &question,
        .error = {.rcode = QUERY_NO_RCODE, .ede_code = DNS_EDE_NONE},
        .reason = reason,
    };
    record(notices, &end, kind, fate);
}
