#include "dns/zone_record.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TYPE_DNAME = 39, TTL_MAX = 0x7fffffff };

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

/* A TTL in seconds, or in the units of zone files: "300", "1h", "1h30m". False: the token is none. */
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

/* Text that ldns would read as something else than it looks: control characters, an open quote. */
static bool is_clean(const char *text)
{
    bool quoted = false;
    for (const char *c = text; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) return false;
        if (*c == '\\' && c[1])
            c++;
        else if (*c == '"')
            quoted = !quoted;
    }
    return !quoted;
}

/* Writes the record with TTL and class in the order that ldns reads. */
static bool normalize(const char *text, char *out, size_t size, uint32_t *ret_ttl_s)
{
    uint64_t ttl_s = ZONE_RECORD_TTL_S;
    bool has_ttl = false;
    bool has_class = false;
    const char *rest = text;
    if (strlen(text) > ZONE_RECORD_TEXT_MAX || !is_clean(text) || *text == ' ' || *text == '\t') return false;
    struct token owner = next_token(&rest);
    if (owner.size == 0 || is_word(owner, "@") || owner.at[0] == ';' || owner.at[0] == '$') return false;
    for (;;) {
        const char *after = rest;
        struct token token = next_token(&after);
        if (!has_class && is_word(token, "IN"))
            has_class = true;
        else if (!has_ttl && parse_ttl(token, &ttl_s))
            has_ttl = true;
        else
            break;
        rest = after;
    }
    if (ttl_s > TTL_MAX) return false;
    *ret_ttl_s = (uint32_t)ttl_s;
    int written = snprintf(out, size, "%.*s %u IN %s", (int)owner.size, owner.at, (unsigned)ttl_s, rest);
    return written > 0 && (size_t)written < size;
}

/* The record as ldns reads it; NULL where it does not. */
static ldns_rr *read_record(const char *text)
{
    ldns_rr *rr = NULL;
    ldns_rdf *root = ldns_dname_new_frm_str(".");
    if (!root) return NULL;
    ldns_status status = ldns_rr_new_frm_str(&rr, text, ZONE_RECORD_TTL_S, root, NULL);
    ldns_rdf_deep_free(root);
    return status == LDNS_STATUS_OK ? rr : NULL;
}

/* Types that may stand in a zone; not DNAME. */
static bool is_allowed_type(unsigned type)
{
    bool is_meta = type == 0 || type == DNS_TYPE_OPT || (type >= DNS_TYPE_META && type <= DNS_TYPE_ANY);
    return !is_meta && type != TYPE_DNAME;
}

/* Takes owner and data from the record on the wire. */
static bool take_wire(const uint8_t *wire, size_t size, struct zone_record *record)
{
    struct reader reader = {.message = wire, .size = size};
    struct record fixed;
    size_t owner_size = reader_name(&reader, false);
    reader.at = 0;
    if (reader.failed) return false;
    reader_record(&reader, &fixed);
    if (reader.failed || reader.at != size || fixed.class != DNS_CLASS_IN || !is_allowed_type(fixed.type)) return false;
    record->owner_size = (uint8_t)owner_size;
    record->type = fixed.type;
    record->data_size = fixed.data_size;
    record->bytes = malloc(owner_size + fixed.data_size);
    if (!record->bytes) return false;
    name_to_lower(wire, owner_size, record->bytes);
    memcpy(record->bytes + owner_size, wire + fixed.data, fixed.data_size);
    return true;
}

bool zone_record_parse(const char *text, struct zone_record *ret_record)
{
    struct zone_record record = {.text = NULL};
    char normal[ZONE_RECORD_TEXT_MAX + 32];
    if (!normalize(text, normal, sizeof normal, &record.ttl_s)) return false;
    ldns_rr *rr = read_record(normal);
    if (!rr) return false;
    uint8_t *wire = NULL;
    size_t size = 0;
    bool is_good =
        ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) == LDNS_STATUS_OK && take_wire(wire, size, &record);
    free(wire);
    ldns_rr_free(rr);
    if (is_good) record.text = strdup(text);
    if (record.text) {
        *ret_record = record;
        return true;
    }
    free(record.bytes);
    return false;
}

void zone_record_free(struct zone_record *record)
{
    free(record->text);
    free(record->bytes);
    *record = (struct zone_record){.text = NULL};
}

bool zone_record_equal(const struct zone_record *a, const struct zone_record *b)
{
    return a->type == b->type && a->owner_size == b->owner_size && a->data_size == b->data_size &&
           memcmp(a->bytes, b->bytes, (size_t)a->owner_size + a->data_size) == 0;
}
