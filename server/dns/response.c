#include "dns/response.h"

#include <string.h>

#include "dns/validator.h"

enum {
    ALIASES_MAX = 16, /* CNAME records followed from the question's name; resolvers give up at 8 to 16 */

    /* Owners of CNAME records and of records of the type asked that are looked at; a usual answer has one or two. */
    OWNERS_MAX = 2 * ALIASES_MAX,

    /* A message whose names have more pointers than this may be built to be expensive: a usual one has one a record. */
    MANY_POINTERS = 256,

    /* Owners that are compared label by label; most are a pointer to the same place. */
    COMPARED_MAX = 128,

    TTL_OFFSET_BYTES = 2,
    SOA_MINIMUM_BYTES = 4,
};

enum answer_verdict response_match(const uint8_t *message, size_t size, const struct question_key *key)
{
    if (size < DNS_HEADER_BYTES) return ANSWER_MALFORMED;
    uint16_t flags = message_flags(message);
    if (!(flags & DNS_QR) || flags & DNS_OPCODE || message_count(message, DNS_QUESTION) != 1) return ANSWER_MISMATCH;
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    size_t name_size = reader_name(&reader, false);
    uint16_t type = reader_u16(&reader);
    uint16_t class = reader_u16(&reader);
    if (reader.failed) return ANSWER_MALFORMED;
    if (name_size != question_key_name_size(key) || type != question_key_type(key) || class != DNS_CLASS_IN)
        return ANSWER_MISMATCH;
    uint8_t name[DNS_NAME_MAX];
    name_to_lower(message + DNS_HEADER_BYTES, name_size, name);
    return memcmp(name, key->bytes, name_size) == 0 ? ANSWER_GOOD : ANSWER_MISMATCH;
}

/* ---- reading ---- */

/* A record that may be part of the chain of names from the question to its data. If records of one owner and type
 * follow each other, the first stands for all. */
struct chain_record {
    size_t owner;
    size_t data;
    uint16_t type;
};

/* A pass over a message. */
struct pass {
    uint8_t *message;
    struct reader reader;
    struct validator validator;
    uint16_t asked_type;
    uint8_t *ttl_offsets;
    struct response *response;
    unsigned chain_count;
    unsigned compared; /* owners that were compared label by label */
    bool has_opt;
    bool in_set; /* the last record read was one of the set */

    /* Filled on the way, and not set to zero for each message: 350 instructions, with the errors of the response. */
    struct chain_record chain[OWNERS_MAX];
    struct name_rest rests[NAME_RESTS]; /* used, and set to zero, in messages of more than MANY_POINTERS */
};

/* Records the TTL. Names that are read from now on may not lead over it. */
static void take_ttl(struct pass *pass, const struct record *record)
{
    struct response *response = pass->response;
    uint32_t ttl = record->ttl < DNS_TTL_MAX ? record->ttl : DNS_TTL_MAX;
    dns_put_u16(pass->ttl_offsets + TTL_OFFSET_BYTES * response->ttl_count++, (uint16_t)record->ttl_at);
    pass->reader.ttl_count = response->ttl_count;
    if (ttl < response->ttl_min) response->ttl_min = ttl;
    if (record->ttl > response->ttl_most) response->ttl_most = record->ttl;
}

/* Takes what the OPT record says, and removes it from the message, where the reader is then. `left` is the number
 * of records behind it. */
static bool take_opt(struct pass *pass, const struct record *opt, size_t left)
{
    struct response *response = pass->response;
    struct reader *reader = &pass->reader;
    size_t end = opt->data + opt->data_size;
    size_t size = end - opt->owner;
    if (pass->has_opt || !edns_parse(pass->message, opt, &response->edns)) return false;
    pass->has_opt = true;
    if (response->edns.version == 0)
        response->errors_size = ede_collect(pass->message + opt->data, opt->data_size, response->errors);
    if (!validator_shift_pointers(pass->message, reader->size, end, left, opt->owner, size)) return false;
    memmove(pass->message + opt->owner, pass->message + end, reader->size - end);
    dns_put_u16(pass->message + 10, (uint16_t)(message_count(pass->message, DNS_ADDITIONAL) - 1));
    reader->size -= size;
    reader->at = reader->cut_at = opt->owner;
    return true;
}

/* Whether the record's owner and type are those of the record that was taken last. */
static bool is_repeated(struct pass *pass, const struct record *record)
{
    if (pass->chain_count == 0) return false;
    const struct chain_record *last = &pass->chain[pass->chain_count - 1];
    if (last->type != record->type) return false;
    if (name_place(pass->message, last->owner) == name_place(pass->message, record->owner)) return true;
    return pass->compared++ < COMPARED_MAX && name_is_same(pass->message, last->owner, record->owner);
}

/* Takes a record of the answer section whose data have not been walked yet: where it is one of the set, names in them
 * must not lead into the set either, be it into the record's own owner. */
static void take_answer(struct pass *pass, const struct record *record)
{
    struct response *response = pass->response;
    bool was_in_set = pass->in_set;
    bool is_asked = record->type == pass->asked_type && record->class == DNS_CLASS_IN;
    pass->in_set = is_asked;
    if (!is_asked && (record->type != DNS_TYPE_CNAME || record->class != DNS_CLASS_IN)) return;
    bool repeated = is_repeated(pass, record);
    if (!repeated && pass->chain_count < OWNERS_MAX)
        pass->chain[pass->chain_count++] = (struct chain_record){record->owner, record->data, record->type};
    if (!is_asked) return;
    if (!repeated || !was_in_set) { /* a new set begins; no name that was read can lead into it */
        response->set_first = (uint16_t)(response->ttl_count - 1);
        response->set_count = 0;
        pass->reader.watch_start = record->owner;
        pass->reader.is_watched_hit = false;
    }
    response->set_count++;
    pass->reader.watch_end = pass->reader.at;
}

static void take_soa(struct pass *pass, const struct record *record)
{
    pass->response->has_soa = true;
    pass->response->soa_minimum = dns_u32(pass->message + record->data + record->data_size - SOA_MINIMUM_BYTES);
}

/* Follows the CNAME records from the question's name. */
static void follow_chain(const struct pass *pass)
{
    size_t name = DNS_HEADER_BYTES;
    for (int aliases = 0; aliases <= ALIASES_MAX; aliases++) {
        const struct chain_record *alias = NULL;
        for (unsigned i = 0; i < pass->chain_count; i++) {
            const struct chain_record *record = &pass->chain[i];
            if (!name_is_same(pass->message, record->owner, name)) continue;
            if (record->type == pass->asked_type) {
                pass->response->has_data = true;
                return;
            }
            if (!alias) alias = record;
        }
        if (!alias) return;
        pass->response->has_alias = true;
        name = alias->data;
    }
    pass->response->has_alias = false; /* a circle, or without end */
}

static bool read_records(struct pass *pass)
{
    size_t answers = message_count(pass->message, DNS_ANSWER);
    size_t before_additional = answers + message_count(pass->message, DNS_AUTHORITY);
    size_t count = before_additional + message_count(pass->message, DNS_ADDITIONAL);
    struct reader *reader = &pass->reader;
    for (size_t i = 0; i < count; i++) {
        struct record record;
        if (!reader->rests && reader->pointers > MANY_POINTERS) {
            memset(pass->rests, 0, sizeof pass->rests);
            reader->rests = pass->rests;
        }
        reader_record(reader, &record);
        if (reader->failed) return false;
        if (record.type == DNS_TYPE_OPT) {
            if (i < before_additional || !take_opt(pass, &record, count - i - 1)) return false;
            continue;
        }
        take_ttl(pass, &record);
        if (i < answers) take_answer(pass, &record);
        if (!validator_is_record(&pass->validator, reader, &record)) return false;
        if (i >= answers && i < before_additional && record.type == DNS_TYPE_SOA && !pass->response->has_soa)
            take_soa(pass, &record);
    }
    return reader->at == reader->size;
}

bool response_read(uint8_t *message, size_t size, const struct question_key *key, uint8_t *ttl_offsets,
                   struct response *ret_response)
{
    struct pass pass;
    memset(&pass, 0, offsetof(struct pass, chain));
    pass.message = message;
    pass.reader = (struct reader){.message = message, .size = size, .at = DNS_HEADER_BYTES, .ttls = ttl_offsets};
    pass.asked_type = question_key_type(key);
    pass.ttl_offsets = ttl_offsets;
    pass.response = ret_response;
    memset(ret_response, 0, offsetof(struct response, errors));
    ret_response->edns.ede_code = DNS_EDE_NONE;
    ret_response->ttl_min = UINT32_MAX;
    reader_name(&pass.reader, false);
    reader_skip(&pass.reader, 4);
    if (pass.reader.failed || !read_records(&pass)) return false;
    follow_chain(&pass);
    ret_response->size = pass.reader.size;
    ret_response->rcode = (uint16_t)(ret_response->edns.rcode_high << 4 | (message_flags(message) & DNS_RCODE));
    if (pass.reader.is_watched_hit) ret_response->set_count = 0;
    return true;
}

/* ---- judging ---- */

enum answer_kind response_kind(const struct response *response, uint16_t flags, uint32_t *ret_ttl_s)
{
    *ret_ttl_s = 0;
    if (flags & DNS_TC) return ANSWER_TRUNCATED;
    if (response->rcode == DNS_RCODE_YXDOMAIN) return ANSWER_UNCACHEABLE;
    if (response->rcode != DNS_RCODE_NOERROR && response->rcode != DNS_RCODE_NXDOMAIN)
        return ede_has_verdict(response->errors, response->errors_size) ? ANSWER_VERDICT : ANSWER_FAILURE;
    bool is_alias_alone = response->has_alias && !response->has_soa;
    if (response->rcode == DNS_RCODE_NOERROR && (response->has_data || is_alias_alone)) {
        *ret_ttl_s = response->ttl_min;
        return ANSWER_POSITIVE;
    }
    if (!response->has_soa) return ANSWER_UNCACHEABLE;
    *ret_ttl_s = response->soa_minimum < response->ttl_min ? response->soa_minimum : response->ttl_min;
    return ANSWER_NEGATIVE;
}
