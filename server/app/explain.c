#include "app/explain.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/name_table.h"
#include "config/faults.h"
#include "dns/answer.h"
#include "dns/presentation.h"
#include "dns/question.h"
#include "dns/zone_record.h"
#include "upstream/upstream.h"

static bool parse_type(const char *text, uint16_t *ret_type)
{
    char known[PRESENTATION_TYPE_BYTES];
    for (unsigned type = 1; type <= UINT16_MAX; type++) {
        if (strcasecmp(presentation_type((uint16_t)type, known), text) != 0) continue;
        *ret_type = (uint16_t)type;
        return true;
    }
    return false;
}

static void write_upstreams(const char *text, const struct upstream_options *upstreams, size_t count, FILE *out)
{
    char label[UPSTREAM_LABEL_MAX];
    fprintf(out, "%s", text);
    for (size_t i = 0; i < count; i++) {
        upstream_format_label(&upstreams[i], "", label);
        fprintf(out, "%s %s%s", i > 0 ? "," : "", label, upstreams[i].transport == UPSTREAM_TCP ? " (plain TCP)" : "");
    }
    fputc('\n', out);
}

static void write_route(const struct config *config, uint16_t index, FILE *out)
{
    if (index == NAMES_ROUTE_DEFAULT) {
        write_upstreams("forwarded to the upstreams", config->pool.upstreams, config->pool.upstream_count, out);
        return;
    }
    const struct route_options *route = &config->routes.list[index - 1];
    char zone[PRESENTATION_NAME_BYTES], text[PRESENTATION_NAME_BYTES + 64];
    snprintf(text, sizeof text, "forwarded by the route of %s to",
             presentation_name(route->zones.list[0].name, route->zones.list[0].size, zone));
    write_upstreams(text, route->upstreams.list, route->upstreams.count, out);
}

static void write_found(const struct config *config, const struct names_found *found, FILE *out)
{
    switch (found->verdict) {
    case NAMES_RESOLVE:
        if (found->special == SPECIAL_FORWARD) fprintf(out, "special-use name (%s): ", found->match.zone->rfc);
        write_route(config, found->route, out);
        break;
    case NAMES_RECORD:
        fprintf(out, "answered from %s%s\n", found->overrides ? "names.records" : "names.hosts_file",
                found->is_wildcard ? ", by a wildcard" : "");
        break;
    case NAMES_SPECIAL:
        fprintf(out, "special-use name (%s): %s\n", found->match.zone->rfc, special_verdict_text(found->special));
        break;
    }
}

/* What a question of this type gets, whatever its name is; NULL: that depends on the name. */
static const char *refusal_text(const uint8_t *name, size_t size, uint16_t type)
{
    uint8_t message[DNS_HEADER_BYTES + DNS_NAME_MAX + 4] = {0};
    struct question question;
    dns_put_u16(message + 4, 1);
    memcpy(message + DNS_HEADER_BYTES, name, size);
    dns_put_u16(message + DNS_HEADER_BYTES + size, type);
    dns_put_u16(message + DNS_HEADER_BYTES + size + 2, DNS_CLASS_IN);
    enum question_verdict verdict = question_parse(message, DNS_HEADER_BYTES + size + 4, &question);
    if (verdict == QUESTION_GOOD) return NULL;
    if (verdict == QUESTION_ANY) return "refused with NOTIMP (RFC 8482)";
    if (verdict == QUESTION_TRANSFER) return "refused with REFUSED: zones are not transferred";
    return "refused with FORMERR: no name has data of this type";
}

/* Our records, and what they come to. */
static void write_answer(const struct config *config, const struct names *names, const struct names_found *found,
                         const struct question *question, FILE *out)
{
    uint8_t answer[ANSWER_BYTES_MAX];
    char text[PRESENTATION_NAME_BYTES];
    struct names_alias alias;
    size_t size = names_write(names, found, question, answer, sizeof answer, &alias);
    if (size == 0) {
        fputs("  its records cannot be followed, or are too many for a message: SERVFAIL\n", out);
        return;
    }
    if (!zone_record_print(answer, size - ANSWER_TRAILER_BYTES, "  ", out)) fputs("  (cannot be shown)\n", out);
    if (alias.name_size > 0) {
        fprintf(out, "  leads to %s: ", presentation_name(alias.name, alias.name_size, text));
        write_route(config, alias.route, out);
    } else if ((message_flags(answer) & DNS_RCODE) == DNS_RCODE_NXDOMAIN) {
        fputs("  NXDOMAIN\n", out);
    } else if (message_count(answer, DNS_AUTHORITY) > 0) {
        fputs("  NODATA\n", out);
    }
}

static void explain(const struct config *config, const struct names *names, const uint8_t *name, size_t size,
                    uint16_t type, FILE *out)
{
    char text[PRESENTATION_NAME_BYTES], type_text[PRESENTATION_TYPE_BYTES];
    struct names_found found;
    const struct question question = {.name = name, .name_size = (uint8_t)size, .type = type, .class = DNS_CLASS_IN};
    names_find(names, name, size, type, &found);
    fprintf(out, "%s %s: ", presentation_name(name, size, text), presentation_type(type, type_text));
    const char *refusal = refusal_text(name, size, type);
    if (refusal) {
        fprintf(out, "%s\n", refusal);
        return;
    }
    write_found(config, &found, out);
    if (found.verdict == NAMES_RECORD) write_answer(config, names, &found, &question, out);
}

bool explain_name(const struct config *config, const char *name, const char *type, FILE *out, FILE *errors)
{
    uint8_t wire[DNS_NAME_MAX];
    uint16_t number = DNS_TYPE_A;
    struct log log;
    size_t size = presentation_parse_name(name, wire);
    if (size == 0 || (type && !parse_type(type, &number))) {
        char quoted[FAULT_QUOTE_BYTES];
        fprintf(errors, "--query: %s is no %s\n", fault_quote(size == 0 ? name : type, quoted),
                size == 0 ? "name" : "type");
        return false;
    }
    log_init(&log, &(struct log_options){.level = LOG_LEVEL_WARNING, .format = config->log.format}, STDERR_FILENO);
    struct names *names = name_table_new(config, NULL, &log);
    if (names) explain(config, names, wire, size, number, out);
    names_free(names);
    return names;
}
