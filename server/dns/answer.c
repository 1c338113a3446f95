#include "dns/answer.h"

#include <string.h>

#include "dns/edns.h"
#include "dns/validator.h"

/* The trailer: a place of two octets for each TTL, then the Extended DNS Error's code, the rcode and the number of
 * places. */
enum { TTL_OFFSET_BYTES = 2, TRAILER_FIXED_BYTES = 6 };

/* Some servers refuse with nothing but a header. It names no question, but it came for an id that was ours. */
static bool is_bare_error(const uint8_t *message, size_t size)
{
    static const uint8_t no_counts[8];
    return size == DNS_HEADER_BYTES && (message_flags(message) & (DNS_QR | DNS_OPCODE)) == DNS_QR &&
           message_flags(message) & DNS_RCODE && memcmp(message + 4, no_counts, sizeof no_counts) == 0;
}

static size_t put_question(uint8_t *out, const uint8_t *name, size_t name_size, uint16_t type, uint16_t class)
{
    dns_put_u16(out + 4, 1);
    memcpy(out + DNS_HEADER_BYTES, name, name_size);
    dns_put_u16(out + DNS_HEADER_BYTES + name_size, type);
    dns_put_u16(out + DNS_HEADER_BYTES + name_size + 2, class);
    return DNS_HEADER_BYTES + name_size + 4;
}

/* Writes the message without its OPT record to `out`, and surveys it; returns what remains, 0 where it is not sound. */
static size_t take_message(const uint8_t *message, size_t size, uint8_t *out, uint8_t *ttl_offsets,
                           struct response *ret_response)
{
    memcpy(out, message, size);
    if (!response_survey(out, size, ttl_offsets, ret_response)) return 0;
    if (ret_response->opt_at != 0 && ret_response->opt_end != size) {
        struct edns edns = ret_response->edns;
        size = validator_without_opt(message, size, out, DNS_MESSAGE_MAX); /* read by ldns, and without pointers now */
        if (size == 0 || !response_survey(out, size, ttl_offsets, ret_response)) return 0;
        ret_response->edns = edns;
        return size;
    }
    if (ret_response->opt_at != 0) {
        dns_put_u16(out + 10, (uint16_t)(message_count(out, DNS_ADDITIONAL) - 1));
        size = ret_response->opt_at;
    }
    return validator_is_message(out, size, ttl_offsets, ret_response->ttl_count) ? size : 0;
}

/* Puts the trailer behind the message; returns the size of both. */
static size_t put_trailer(uint8_t *out, size_t message_size, const uint8_t *ttl_offsets,
                          const struct response *response, uint16_t rcode)
{
    uint8_t *fixed = out + message_size + TTL_OFFSET_BYTES * response->ttl_count;
    memmove(out + message_size, ttl_offsets, TTL_OFFSET_BYTES * response->ttl_count);
    dns_put_u16(fixed, response->edns.ede_code);
    dns_put_u16(fixed + 2, rcode);
    dns_put_u16(fixed + 4, (uint16_t)response->ttl_count);
    return (size_t)(fixed + TRAILER_FIXED_BYTES - out);
}

enum answer_verdict answer_parse(const uint8_t *message, size_t size, const struct question_key *key, uint8_t *out,
                                 struct answer *ret_answer)
{
    uint8_t refusal[DNS_HEADER_BYTES + DNS_NAME_MAX + 4];
    size_t name_size = question_key_name_size(key);
    if (is_bare_error(message, size)) {
        memcpy(refusal, message, DNS_HEADER_BYTES);
        size = put_question(refusal, key->bytes, name_size, question_key_type(key), DNS_CLASS_IN);
        message = refusal;
    }
    enum answer_verdict verdict = response_match(message, size, key);
    if (verdict != ANSWER_GOOD) return verdict;
    struct response response;
    uint8_t *ttl_offsets = out + DNS_MESSAGE_MAX;
    if (size > DNS_MESSAGE_MAX) return ANSWER_MALFORMED;
    size = take_message(message, size, out, ttl_offsets, &response);
    if (size == 0) return ANSWER_MALFORMED;
    memcpy(out + DNS_HEADER_BYTES, key->bytes, name_size);
    dns_put_u16(out + 2, (uint16_t)((message_flags(out) & ~DNS_AA) | DNS_RA)); /* we are a resolver, whatever it is */

    struct answer answer = {.bytes = out, .message_size = size};
    answer.rcode = (uint16_t)(response.edns.rcode_high << 4 | (message_flags(out) & DNS_RCODE));
    answer.kind = response_kind(out, size, key, &response, &answer.ttl_s);
    answer.size = put_trailer(out, size, ttl_offsets, &response, answer.rcode);
    *ret_answer = answer;
    return ANSWER_GOOD;
}

size_t answer_seal(uint8_t *bytes, size_t message_size)
{
    _Static_assert((int)ANSWER_TRAILER_BYTES == (int)TRAILER_FIXED_BYTES, "a trailer without TTLs is its fixed part");
    const struct response response = {.edns.ede_code = DNS_EDE_NONE};
    return put_trailer(bytes, message_size, bytes, &response, message_flags(bytes) & DNS_RCODE);
}

/* The parts of an answer's bytes. */
struct parts {
    size_t message_size;
    size_t name_size;
    const uint8_t *ttl_offsets;
    size_t place_count;
    uint16_t ede_code;
    uint16_t rcode;
};

/* Whether the places are all of records of the message. */
static bool places_are_sound(const struct parts *parts)
{
    size_t first = DNS_HEADER_BYTES + parts->name_size + 4;
    for (size_t i = 0; i < parts->place_count; i++) {
        size_t offset = dns_u16(parts->ttl_offsets + TTL_OFFSET_BYTES * i);
        if (offset < first || offset + 4 > parts->message_size) return false;
    }
    return true;
}

static bool take_apart(const uint8_t *bytes, size_t size, struct parts *ret_parts)
{
    if (size < DNS_HEADER_BYTES + TRAILER_FIXED_BYTES) return false;
    const uint8_t *fixed = bytes + size - TRAILER_FIXED_BYTES;
    size_t place_count = dns_u16(fixed + 4);
    size_t trailer_size = TRAILER_FIXED_BYTES + TTL_OFFSET_BYTES * place_count;
    if (size < DNS_HEADER_BYTES + trailer_size || size - trailer_size > DNS_MESSAGE_MAX) return false;
    struct reader reader = {.message = bytes, .size = size - trailer_size, .at = DNS_HEADER_BYTES};
    *ret_parts = (struct parts){
        .message_size = size - trailer_size,
        .name_size = reader_name(&reader, false),
        .ttl_offsets = bytes + size - trailer_size,
        .place_count = place_count,
        .ede_code = dns_u16(fixed),
        .rcode = dns_u16(fixed + 2),
    };
    reader_skip(&reader, 4);
    return !reader.failed && places_are_sound(ret_parts);
}

bool answer_unpack(const uint8_t *bytes, size_t size, struct answer *ret_answer)
{
    struct parts parts;
    if (!take_apart(bytes, size, &parts)) return false;
    *ret_answer = (struct answer){
        .bytes = bytes,
        .size = size,
        .message_size = parts.message_size,
        .kind = ANSWER_TRANSIENT,
        .rcode = parts.rcode,
    };
    return true;
}

static void age_ttls(uint8_t *message, const struct parts *parts, const struct answer_use *use)
{
    for (size_t i = 0; i < parts->place_count; i++) {
        uint8_t *at = message + dns_u16(parts->ttl_offsets + TTL_OFFSET_BYTES * i);
        uint32_t ttl = dns_u32(at);
        ttl = ttl > use->age_s ? ttl - use->age_s : 0;
        if (ttl > use->ttl_max_s) ttl = use->ttl_max_s;
        dns_put_u32(at, ttl > use->ttl_min_s ? ttl : use->ttl_min_s);
    }
}

void answer_bound(const struct answer *answer, uint32_t ttl_min_s, uint32_t ttl_max_s, uint8_t *out,
                  struct answer *ret_bounded)
{
    const struct answer_use use = {.ttl_min_s = ttl_min_s, .ttl_max_s = ttl_max_s};
    struct parts parts;
    memcpy(out, answer->bytes, answer->size);
    if (take_apart(out, answer->size, &parts)) age_ttls(out, &parts, &use);
    *ret_bounded = *answer;
    ret_bounded->bytes = out;
}

/* The rcode as this client can be told it: the upper bits need an OPT record. */
static uint16_t tellable(uint16_t rcode, const struct reply_profile *profile)
{
    return rcode > DNS_RCODE && !profile->edns ? DNS_RCODE_SERVFAIL : rcode;
}

static void put_flags(uint8_t *message, const struct reply_profile *profile, unsigned flags, uint16_t rcode)
{
    dns_put_u16(message, profile->id);
    dns_put_u16(message + 2, (uint16_t)(DNS_QR | flags | (profile->flags & (DNS_RD | DNS_CD)) | (rcode & DNS_RCODE)));
}

/* Completes a reply of `size` bytes with OPT, if the profile has EDNS, and keeps it within profile->max_bytes. Returns
 * the size. `question_size` is that of the header and the question. */
static size_t finish_reply(uint8_t *message, size_t size, size_t question_size, const struct reply_profile *profile,
                           struct edns_reply opt)
{
    uint8_t bytes[EDNS_REPLY_MAX];
    opt.dnssec_ok = profile->dnssec_ok;
    opt.keepalive_100ms = profile->keepalive_100ms;
    opt.option = profile->option;
    opt.option_bytes = profile->option_bytes;
    size_t opt_size = profile->edns ? edns_write_reply(bytes, &opt) : 0;
    if (size + opt_size > profile->max_bytes && profile->edns) {
        opt.ede_code = DNS_EDE_NONE;
        opt.keepalive_100ms = 0;
        opt_size = edns_write_reply(bytes, &opt);
    }
    if (size + opt_size > profile->max_bytes && profile->max_bytes < DNS_MESSAGE_MAX) {
        memset(message + 6, 0, 6);
        dns_put_u16(message + 2, message_flags(message) | DNS_TC);
        size = question_size;
    }
    if (size + opt_size > DNS_MESSAGE_MAX) opt_size = 0;
    if (opt_size == 0) return size;
    memcpy(message + size, bytes, opt_size);
    dns_put_u16(message + 10, (uint16_t)(message_count(message, DNS_ADDITIONAL) + 1));
    return size + opt_size;
}

size_t answer_to_reply(uint8_t *reply, size_t size, const struct reply_profile *profile, const uint8_t *name,
                       const struct answer_use *use)
{
    struct parts parts;
    if (!take_apart(reply, size, &parts)) return 0;
    size_t question_size = DNS_HEADER_BYTES + parts.name_size + 4;
    uint16_t rcode = tellable(parts.rcode, profile);
    age_ttls(reply, &parts, use);
    memcpy(reply + DNS_HEADER_BYTES, name, parts.name_size);
    put_flags(reply, profile, message_flags(reply) & (DNS_AA | DNS_TC | DNS_RA | DNS_AD), rcode);
    size = parts.message_size;
    if (rcode != parts.rcode) { /* it has become another answer, which says nothing but that */
        memset(reply + 6, 0, 6);
        size = question_size;
    }
    const struct edns_reply opt = {
        .rcode = rcode,
        .ede_code = use->ede_code != DNS_EDE_NONE ? use->ede_code : parts.ede_code,
    };
    return finish_reply(reply, size, question_size, profile, opt);
}

size_t answer_error(uint8_t *out, const struct question *question, const struct reply_profile *profile,
                    const struct answer_error *error)
{
    size_t size = DNS_HEADER_BYTES;
    uint16_t rcode = tellable(error->rcode, profile);
    memset(out, 0, DNS_HEADER_BYTES);
    put_flags(out, profile, DNS_RA | (profile->flags & DNS_OPCODE), rcode);
    if (question->name) size = put_question(out, question->name, question->name_size, question->type, question->class);
    const struct edns_reply opt = {.rcode = rcode, .ede_code = error->ede_code, .ede_text = error->ede_text};
    return finish_reply(out, size, size, profile, opt);
}
