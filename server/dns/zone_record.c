#include "dns/zone_record.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TYPE_DNAME = 39, TTL_MAX = 0x7fffffff };

static const char no_memory[] = "memory is short";

/* A piece of the text without white space. */
struct token {
    const char *at;
    size_t size;
};

static struct token next_token(const char **text)
{
    *text += strspn(*text, " \t");
    struct token token = {*text, strcspn(*text, " \t")};
    *text += token.size;
    return token;
}

static bool is_word(struct token token, const char *word)
{
    return token.size == strlen(word) && strncasecmp(token.at, word, token.size) == 0;
}

/* A TTL in seconds, or in the units of zone files: "300", "1h", "1h30m". False: the token is not a TTL. */
static bool parse_ttl(struct token token, uint64_t *ret_ttl_s)
{
    uint64_t total = 0;
    uint64_t number = 0;
    bool digits = false;
    for (size_t i = 0; i < token.size; i++) {
        static const char units[] = "smhdw";
        static const uint64_t seconds[] = {1, 60, 3600, 86400, 604800};
        char c = token.at[i];
        const char *unit = strchr(units, c | 0x20);
        if (c >= '0' && c <= '9') {
            number = number * 10 + (uint64_t)(c - '0');
            digits = true;
        } else if (unit && digits) {
            total += number * seconds[unit - units];
            number = 0;
            digits = false;
        } else {
            return false;
        }
        if (number > TTL_MAX || total > TTL_MAX) number = total = (uint64_t)TTL_MAX + 1;
    }
    *ret_ttl_s = total + number;
    return token.size > 0;
}

/* Why ldns would read the text as something else than it looks, or NULL. */
static const char *fault_of_characters(const char *text)
{
    bool quoted = false;
    for (const char *c = text; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) return "it has a control character";
        if ((unsigned char)*c > 0x7f && !quoted) return ZONE_RECORD_NOT_ASCII;
        if (*c == '\\' && c[1])
            c++;
        else if (*c == '"')
            quoted = !quoted;
    }
    return quoted ? "a quotation mark is missing" : NULL;
}

static bool is_other_class(struct token token)
{
    static const char *const classes[] = {"CH", "HS", "CS", "NONE"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (is_word(token, classes[i])) return true;
    return token.size > strlen("CLASS") && strncasecmp(token.at, "CLASS", strlen("CLASS")) == 0;
}

/* Writes the record with TTL and class in the order that ldns reads. Returns why it is none, or NULL. */
static const char *normalize(const char *text, char *out, size_t size, uint32_t *ret_ttl_s)
{
    uint64_t ttl_s = ZONE_RECORD_TTL_S;
    bool has_ttl = false;
    bool has_class = false;
    const char *rest = text;
    if (strlen(text) > ZONE_RECORD_TEXT_MAX) return "it is too long";
    const char *fault = fault_of_characters(text);
    if (fault) return fault;
    if (*text == ' ' || *text == '\t' || *text == ';' || *text == '\0') return "it must begin with a name";
    struct token owner = next_token(&rest);
    if (is_word(owner, "@") || owner.at[0] == '$')
        return "$ORIGIN, $TTL, $INCLUDE and @ have no meaning here; write whole names";
    for (;;) {
        const char *after = rest;
        struct token token = next_token(&after);
        if (!has_class && is_word(token, "IN"))
            has_class = true;
        else if (!has_ttl && parse_ttl(token, &ttl_s))
            has_ttl = true;
        else if (is_other_class(token))
            return "its class must be IN";
        else
            break;
        rest = after;
    }
    if (ttl_s > TTL_MAX) return "its TTL is above 2147483647 seconds";
    *ret_ttl_s = (uint32_t)ttl_s;
    int written = snprintf(out, size, "%.*s %u IN %s", (int)owner.size, owner.at, (unsigned)ttl_s, rest);
    return written > 0 && (size_t)written < size ? NULL : "it is too long";
}

/* Whether all fields of the type are there: data in the form of RFC 3597 may end early. */
static bool is_whole(const ldns_rr *rr)
{
    const ldns_rr_descriptor *descriptor = ldns_rr_descript((uint16_t)ldns_rr_get_type(rr));
    return descriptor->_type != ldns_rr_get_type(rr) || ldns_rr_rd_count(rr) >= descriptor->_minimum;
}

/* The record as ldns reads it; where it does not, `ret_fault` says why. */
static ldns_rr *read_record(const char *text, const char **ret_fault)
{
    ldns_rr *rr = NULL;
    ldns_rdf *root = ldns_dname_new_frm_str(".");
    ldns_status status = root ? ldns_rr_new_frm_str(&rr, text, ZONE_RECORD_TTL_S, root, NULL) : LDNS_STATUS_MEM_ERR;
    ldns_rdf_deep_free(root);
    if (status == LDNS_STATUS_OK && is_whole(rr)) return rr;
    *ret_fault = status == LDNS_STATUS_OK ? "its data is incomplete" : ldns_get_errorstr_by_id(status);
    if (status == LDNS_STATUS_OK) ldns_rr_free(rr);
    return NULL;
}

/* Why the type may not stand in the list, or NULL. */
static const char *fault_of_type(unsigned type)
{
    bool is_meta = type == 0 || type == DNS_TYPE_OPT || (type >= DNS_TYPE_META && type <= DNS_TYPE_ANY);
    if (is_meta) return "no zone has records of its type";
    return type == TYPE_DNAME ? "DNAME is not supported" : NULL;
}

/* Takes owner and data from the record on the wire; returns why it does not, or NULL. */
static const char *take_wire(const uint8_t *wire, size_t size, struct zone_record *record)
{
    struct reader reader = {.message = wire, .size = size};
    struct record fixed;
    size_t owner_size = reader_name(&reader, false);
    reader.at = 0;
    if (reader.failed) return "its name is too long";
    reader_record(&reader, &fixed);
    if (reader.failed || reader.at != size || fixed.class != DNS_CLASS_IN) return "it cannot be read";
    const char *fault = fault_of_type(fixed.type);
    if (fault) return fault;
    record->owner_size = (uint8_t)owner_size;
    record->type = fixed.type;
    record->data_size = fixed.data_size;
    record->bytes = malloc(owner_size + fixed.data_size);
    if (!record->bytes) return no_memory;
    name_to_lower(wire, owner_size, record->bytes);
    memcpy(record->bytes + owner_size, wire + fixed.data, fixed.data_size);
    return NULL;
}

/* NULL: ret_record is filled; else why it is not. */
static const char *parse(const char *text, struct zone_record *ret_record)
{
    struct zone_record record = {.text = NULL};
    char normal[ZONE_RECORD_TEXT_MAX + 32];
    const char *fault = normalize(text, normal, sizeof normal, &record.ttl_s);
    ldns_rr *rr = fault ? NULL : read_record(normal, &fault);
    if (!rr) return fault;
    uint8_t *wire = NULL;
    size_t size = 0;
    ldns_status status = ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size);
    fault = status == LDNS_STATUS_OK ? take_wire(wire, size, &record) : ldns_get_errorstr_by_id(status);
    free(wire);
    ldns_rr_free(rr);
    if (fault) return fault;
    record.text = strdup(text);
    if (record.text) {
        *ret_record = record;
        return NULL;
    }
    free(record.bytes);
    return no_memory;
}

bool zone_record_parse(const char *text, struct zone_record *ret_record)
{
    return parse(text, ret_record) == NULL;
}

const char *zone_record_fault(const char *text)
{
    struct zone_record record;
    const char *fault = parse(text, &record);
    if (!fault) zone_record_free(&record);
    return fault;
}

void zone_record_free(struct zone_record *record)
{
    free(record->text);
    free(record->bytes);
    *record = (struct zone_record){.text = NULL};
}

bool zone_record_print(const uint8_t *message, size_t size, const char *indent, FILE *out)
{
    ldns_pkt *packet = NULL;
    if (ldns_wire2pkt(&packet, message, size) != LDNS_STATUS_OK) return false;
    const ldns_rr_list *records = ldns_pkt_answer(packet);
    bool good = true;
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
        char *text = ldns_rr2str(ldns_rr_list_rr(records, i)); /* its end of line included */
        if (text) fprintf(out, "%s%s", indent, text);
        good = good && text;
        free(text);
    }
    ldns_pkt_free(packet);
    return good;
}

bool zone_record_equal(const struct zone_record *a, const struct zone_record *b)
{
    return a->type == b->type && a->owner_size == b->owner_size && a->data_size == b->data_size &&
           memcmp(a->bytes, b->bytes, (size_t)a->owner_size + a->data_size) == 0;
}
