#include "dns/question.h"

#include <string.h>

#include "common/check.h"
#include "dns/edns.h"
#include "dns/validator.h"

enum {
    KEY_TAIL_BYTES = 3, /* type and flags */

    /* Records of a query: in earnest OPT, a signature, and the SOA of an IXFR. So that the work on a query does not
     * grow with what a client can put into it. */
    RECORDS_MAX = 8,
};

static bool read_question(struct reader *reader, struct question *question)
{
    size_t at = reader->at;
    size_t size = reader_name(reader, false);
    uint16_t type = reader_u16(reader);
    uint16_t class = reader_u16(reader);
    if (reader->failed) return false;
    question->name = reader->message + at;
    question->name_size = (uint8_t)size;
    question->type = type;
    question->class = class;
    return true;
}

static void take_edns(struct question *question, const struct edns *edns)
{
    question->edns = true;
    question->dnssec_ok = edns->dnssec_ok;
    question->keepalive = edns->keepalive;
    question->udp_size = edns->udp_size;
    question->cookie = edns->cookie;
    question->cookie_size = edns->cookie_size;
}

/* What the records of a query are. */
struct query_records {
    uint8_t version; /* of EDNS; 0 without OPT */
    bool has_data;   /* there are others than OPT, with data of a type */
};

/* Whether the records are sound, with one OPT at most, TSIG last, not too many, and end where the message ends. */
static bool read_records(struct reader *reader, struct question *question, struct query_records *ret_records)
{
    size_t before = (size_t)message_count(reader->message, DNS_ANSWER) + message_count(reader->message, DNS_AUTHORITY);
    size_t count = before + message_count(reader->message, DNS_ADDITIONAL);
    if (count > RECORDS_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        struct record record;
        struct edns edns;
        reader_record(reader, &record);
        if (reader->failed) return false;
        if (record.type == DNS_TYPE_TSIG) {
            if (i < before || i + 1 < count) return false;
            if (!tsig_parse(reader->message, reader->size, &record, &question->tsig)) return false;
        }
        ret_records->has_data |= record.type != DNS_TYPE_OPT;
        if (record.type != DNS_TYPE_OPT) continue;
        if (i < before || question->edns || !edns_parse(reader->message, &record, &edns)) return false;
        take_edns(question, &edns);
        ret_records->version = edns.version;
    }
    return reader->at == reader->size;
}

/* A query has no answers, and no authority but the SOA record that IXFR starts from (RFC 1995, 3). */
static bool has_stray_records(const uint8_t *message, const struct question *question)
{
    if (message_count(message, DNS_ANSWER) != 0) return true;
    return message_count(message, DNS_AUTHORITY) != 0 && question->type != DNS_TYPE_IXFR;
}

/* No question, and OPT with a cookie as the only record. */
static bool is_cookie_alone(const uint8_t *message, const struct question *question)
{
    return message_count(message, DNS_QUESTION) == 0 && question->cookie && message_count(message, DNS_ANSWER) == 0 &&
           message_count(message, DNS_AUTHORITY) == 0 && message_count(message, DNS_ADDITIONAL) == 1;
}

/* Types without data, so that there is nothing to ask for: 0, OPT, and those for questions and transactions. */
static bool is_meta(uint16_t type)
{
    return type == 0 || type == DNS_TYPE_OPT || (type >= DNS_TYPE_META && type < DNS_TYPE_ANY);
}

static enum question_verdict judge(const struct question *question)
{
    if (question->type == DNS_TYPE_AXFR || question->type == DNS_TYPE_IXFR) return QUESTION_TRANSFER;
    if (is_meta(question->type)) return QUESTION_FORMERR;
    if (question->class != DNS_CLASS_IN) return QUESTION_CLASS;
    return question->type == DNS_TYPE_ANY ? QUESTION_ANY : QUESTION_GOOD;
}

enum question_verdict question_parse(const uint8_t *message, size_t size, struct question *ret_question)
{
    *ret_question = (struct question){0};
    if (size < DNS_HEADER_BYTES || message_flags(message) & DNS_QR) return QUESTION_CLOSE;
    ret_question->id = message_id(message);
    ret_question->flags = message_flags(message);
    if (ret_question->flags & DNS_OPCODE) return QUESTION_NOTIMP;
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    struct query_records records = {0};
    uint16_t count = message_count(message, DNS_QUESTION);
    bool has_question = count == 1 && read_question(&reader, ret_question);
    bool sound = (has_question || count == 0) && read_records(&reader, ret_question, &records);
    if (is_cookie_alone(message, ret_question) && sound) return QUESTION_COOKIE;
    if (!has_question || !sound || has_stray_records(message, ret_question)) return QUESTION_FORMERR;
    if (records.has_data && !validator_is_message(message, size)) return QUESTION_FORMERR;
    if (ret_question->tsig.message) return QUESTION_SIGNED;
    return records.version > 0 ? QUESTION_BADVERS : judge(ret_question);
}

bool question_is_confirmed(const struct question *question)
{
    return validator_is_name(question->name, question->name_size, 0, question->name_size);
}

void question_key(const struct question *question, struct question_key *ret_key)
{
    uint8_t *tail = ret_key->bytes + question->name_size;
    name_to_lower(question->name, question->name_size, ret_key->bytes);
    dns_put_u16(tail, question->type);
    tail[2] =
        (uint8_t)((question->flags & DNS_RD ? QUESTION_KEY_RD : 0) | (question->flags & DNS_CD ? QUESTION_KEY_CD : 0) |
                  (question->flags & DNS_AD ? QUESTION_KEY_AD : 0) | (question->dnssec_ok ? QUESTION_KEY_DO : 0));
    ret_key->size = (uint16_t)(question->name_size + KEY_TAIL_BYTES);
}

bool question_key_read(const uint8_t *bytes, size_t size, struct question_key *ret_key)
{
    enum { KNOWN = QUESTION_KEY_RD | QUESTION_KEY_CD | QUESTION_KEY_AD | QUESTION_KEY_DO | QUESTION_KEY_ROUTE };
    struct question_key key = {.size = (uint16_t)size};
    uint8_t name[DNS_NAME_MAX];
    if (size <= KEY_TAIL_BYTES || size > sizeof key.bytes || bytes[size - 1] & ~KNOWN) return false;
    bool has_route = bytes[size - 1] & QUESTION_KEY_ROUTE;
    if (has_route && size <= KEY_TAIL_BYTES + QUESTION_KEY_ROUTE_BYTES) return false;
    memcpy(key.bytes, bytes, size);
    size_t name_size = question_key_name_size(&key);
    struct reader reader = {.message = bytes, .size = name_size};
    if (reader_name(&reader, false) != name_size || reader.failed) return false;
    name_to_lower(bytes, name_size, name);
    if (memcmp(name, bytes, name_size) != 0 || (has_route && question_key_route(&key) == 0)) return false;
    *ret_key = key;
    return true;
}

bool question_key_is_confirmed(const struct question_key *key)
{
    size_t name_size = question_key_name_size(key);
    return validator_is_name(key->bytes, name_size, 0, name_size);
}

void question_key_set_route(struct question_key *key, uint32_t route)
{
    uint8_t *tail = key->bytes + key->size - KEY_TAIL_BYTES;
    CHECK(route != 0 && !(tail[2] & QUESTION_KEY_ROUTE));
    memmove(tail + QUESTION_KEY_ROUTE_BYTES, tail, KEY_TAIL_BYTES);
    dns_put_u32(tail, route);
    key->size += QUESTION_KEY_ROUTE_BYTES;
    key->bytes[key->size - 1] |= QUESTION_KEY_ROUTE;
}

size_t question_write_query(const struct question_key *key, const struct question_wire *wire, uint8_t *out)
{
    uint8_t flags = question_key_flags(key);
    size_t name_size = question_key_name_size(key);
    memset(out, 0, DNS_HEADER_BYTES);
    dns_put_u16(out, wire->id);
    dns_put_u16(out + 2, (uint16_t)((flags & QUESTION_KEY_RD ? DNS_RD : 0) | (flags & QUESTION_KEY_CD ? DNS_CD : 0) |
                                    (flags & QUESTION_KEY_AD ? DNS_AD : 0)));
    dns_put_u16(out + 4, 1);
    dns_put_u16(out + 10, !wire->without_edns);
    memcpy(out + DNS_HEADER_BYTES, key->bytes, name_size);
    size_t size = DNS_HEADER_BYTES + name_size;
    dns_put_u16(out + size, question_key_type(key));
    dns_put_u16(out + size + 2, DNS_CLASS_IN);
    size += 4;
    if (wire->without_edns) return size;
    return size + edns_write_query(out + size, size, flags & QUESTION_KEY_DO, wire->padding_block);
}

void spelling_take(const uint8_t *name, size_t size, struct spelling *ret_spelling)
{
    ret_spelling->has_upper = name_has_upper(name, size);
    if (!ret_spelling->has_upper) return;
    memset(ret_spelling->upper, 0, sizeof ret_spelling->upper);
    for (size_t i = 0; i < size; i++)
        if (name[i] >= 'A' && name[i] <= 'Z') ret_spelling->upper[i / 8] |= (uint8_t)(1 << i % 8);
}

void spelling_apply(const struct spelling *spelling, const uint8_t *name, size_t size, uint8_t *out)
{
    if (!spelling->has_upper) {
        memcpy(out, name, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned upper = spelling->upper[i / 8] >> i % 8 & 1u;
        out[i] = (uint8_t)(name[i] - upper * ('a' - 'A'));
    }
}
