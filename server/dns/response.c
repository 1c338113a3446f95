#include "dns/response.h"

#include <string.h>

enum {
    /* CNAME records followed from the question's name; resolvers give up at 8 to 16. */
    CHAIN_MAX = 16,

    /* A TTL with its top bit set is no TTL (RFC 2181, 8). */
    TTL_MAX = 0x7fffffff,
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

static bool take_opt(const uint8_t *message, const struct record *record, struct response *response)
{
    if (response->opt_at != 0 || !edns_parse(message, record, &response->edns)) return false;
    response->opt_at = record->owner;
    response->opt_end = record->data + record->data_size;
    return true;
}

static void take_ttl(const struct record *record, uint8_t *ttl_offsets, struct response *response)
{
    dns_put_u16(ttl_offsets + 2 * response->ttl_count++, (uint16_t)record->ttl_at);
    if (record->ttl < response->ttl_min) response->ttl_min = record->ttl;
    if (record->ttl > response->ttl_max) response->ttl_max = record->ttl;
}

static void pass_question(struct reader *reader)
{
    reader_name(reader, false);
    reader_skip(reader, 4);
}

static size_t count_before_additional(const uint8_t *message)
{
    return (size_t)message_count(message, DNS_ANSWER) + message_count(message, DNS_AUTHORITY);
}

bool response_survey(const uint8_t *message, size_t size, uint8_t *ttl_offsets, struct response *ret_response)
{
    *ret_response = (struct response){.edns.ede_code = DNS_EDE_NONE, .ttl_min = UINT32_MAX};
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    size_t before = count_before_additional(message);
    size_t count = before + message_count(message, DNS_ADDITIONAL);
    pass_question(&reader);
    for (size_t i = 0; i < count; i++) {
        struct record record;
        reader_record(&reader, &record);
        if (reader.failed) return false;
        if (record.type != DNS_TYPE_OPT)
            take_ttl(&record, ttl_offsets, ret_response);
        else if (i < before || !take_opt(message, &record, ret_response))
            return false;
    }
    return !reader.failed && reader.at == size;
}

/* A record of the answer section by owner (in lower case) and type. */
static bool find_record(const uint8_t *message, size_t size, const uint8_t *owner, size_t owner_size, uint16_t type,
                        struct record *ret_record)
{
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    pass_question(&reader);
    for (size_t left = message_count(message, DNS_ANSWER); left > 0; left--) {
        struct record record;
        uint8_t name[DNS_NAME_MAX];
        reader_record(&reader, &record);
        if (reader.failed) return false;
        if (record.type != type || record.class != DNS_CLASS_IN) continue;
        if (name_expand(message, record.owner, name) != owner_size || memcmp(name, owner, owner_size) != 0) continue;
        *ret_record = record;
        return true;
    }
    return false;
}

/* Whether the answer section has what was asked for, of the name asked or of one its CNAME records lead to. */
static bool has_data(const uint8_t *message, size_t size, const struct question_key *key)
{
    uint8_t name[DNS_NAME_MAX];
    size_t name_size = question_key_name_size(key);
    memcpy(name, key->bytes, name_size);
    for (int i = 0; i <= CHAIN_MAX; i++) {
        struct record record;
        if (find_record(message, size, name, name_size, question_key_type(key), &record)) return true;
        if (!find_record(message, size, name, name_size, DNS_TYPE_CNAME, &record)) return false;
        name_size = name_expand(message, record.data, name);
    }
    return false;
}

/* The MINIMUM of the authority section's SOA record; false where there is none. */
static bool find_soa_minimum(const uint8_t *message, size_t size, uint32_t *ret_minimum)
{
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    pass_question(&reader);
    for (size_t i = 0; i < count_before_additional(message); i++) {
        struct record record;
        reader_record(&reader, &record);
        if (reader.failed) return false;
        if (record.type != DNS_TYPE_SOA || i < message_count(message, DNS_ANSWER)) continue;
        *ret_minimum = dns_u32(message + record.data + record.data_size - 4);
        return true;
    }
    return false;
}

enum answer_kind response_kind(const uint8_t *message, size_t size, const struct question_key *key,
                               const struct response *response, uint32_t *ret_ttl_s)
{
    uint16_t flags = message_flags(message);
    unsigned rcode = (unsigned)response->edns.rcode_high << 4 | (flags & DNS_RCODE);
    uint32_t minimum;
    *ret_ttl_s = 0;
    if (flags & DNS_TC || response->ttl_max > TTL_MAX) return ANSWER_TRANSIENT;
    if (rcode == DNS_RCODE_SERVFAIL) return ANSWER_FAILURE;
    if (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN) return ANSWER_TRANSIENT;
    if (rcode == DNS_RCODE_NOERROR && has_data(message, size, key)) {
        *ret_ttl_s = response->ttl_min;
        return ANSWER_POSITIVE;
    }
    if (!find_soa_minimum(message, size, &minimum)) return ANSWER_TRANSIENT;
    *ret_ttl_s = minimum < response->ttl_min ? minimum : response->ttl_min;
    return ANSWER_NEGATIVE;
}
