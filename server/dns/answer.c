#include "dns/answer.h"

#include <string.h>

#include "common/check.h"
#include "dns/edns.h"

/* The trailer: an offset of two octets for each TTL; the errors; and five numbers: the size of the errors, the first
 * record of the set and how many it has, the rcode, the number of TTLs. */
enum { TTL_OFFSET_BYTES = 2 };
enum { TRAILER_ERRORS = 0, TRAILER_SET_FIRST = 2, TRAILER_SET_COUNT = 4, TRAILER_RCODE = 6, TRAILER_TTLS = 8 };

/* The largest part of a message that is moved to give the records of a set in another order. */
enum { ROTATED_MAX = 4096 };

static size_t put_question(uint8_t *out, const uint8_t *name, size_t name_size, uint16_t type, uint16_t class)
{
    dns_put_u16(out + 4, 1);
    memcpy(out + DNS_HEADER_BYTES, name, name_size);
    dns_put_u16(out + DNS_HEADER_BYTES + name_size, type);
    dns_put_u16(out + DNS_HEADER_BYTES + name_size + 2, class);
    return DNS_HEADER_BYTES + name_size + 4;
}

/* Copies the message to `out`. If it is an error without a question, the question is put in, so that it reads like
 * any other. Returns its size; 0 if it is too long. */
static size_t take_message(const uint8_t *message, size_t size, const struct question_key *key, uint8_t *out,
                           bool *ret_is_bare)
{
    size_t name_size = question_key_name_size(key);
    *ret_is_bare = size >= DNS_HEADER_BYTES && message_count(message, DNS_QUESTION) == 0 &&
                   message_count(message, DNS_ANSWER) == 0 && message_count(message, DNS_AUTHORITY) == 0;
    size_t question_size = *ret_is_bare ? name_size + 4 : 0;
    if (size > DNS_MESSAGE_MAX - question_size) return 0;
    if (!*ret_is_bare) {
        memcpy(out, message, size);
        return size;
    }
    memcpy(out, message, DNS_HEADER_BYTES);
    size_t front = put_question(out, key->bytes, name_size, question_key_type(key), DNS_CLASS_IN);
    memcpy(out + front, message + DNS_HEADER_BYTES, size - DNS_HEADER_BYTES);
    return size + question_size;
}

/* Appends the trailer to the message; returns the size of both. */
static size_t put_trailer(uint8_t *out, size_t message_size, const uint8_t *ttl_offsets,
                          const struct response *response)
{
    uint8_t *at = out + message_size;
    memmove(at, ttl_offsets, TTL_OFFSET_BYTES * response->ttl_count);
    at += TTL_OFFSET_BYTES * response->ttl_count;
    memcpy(at, response->errors, response->errors_size);
    at += response->errors_size;
    dns_put_u16(at + TRAILER_ERRORS, (uint16_t)response->errors_size);
    dns_put_u16(at + TRAILER_SET_FIRST, response->set_first);
    dns_put_u16(at + TRAILER_SET_COUNT, response->set_count);
    dns_put_u16(at + TRAILER_RCODE, response->rcode);
    dns_put_u16(at + TRAILER_TTLS, (uint16_t)response->ttl_count);
    return (size_t)(at + ANSWER_TRAILER_BYTES - out);
}

enum answer_verdict answer_parse(const uint8_t *message, size_t size, const struct question_key *key, uint8_t *out,
                                 struct answer *ret_answer)
{
    bool is_bare;
    if (size < DNS_HEADER_BYTES) return ANSWER_MALFORMED;
    size = take_message(message, size, key, out, &is_bare);
    if (size == 0) return ANSWER_MALFORMED;
    enum answer_verdict verdict = response_match(out, size, key);
    if (verdict != ANSWER_GOOD) return verdict;
    struct response response;
    uint8_t *ttl_offsets = out + DNS_MESSAGE_MAX;
    if (!response_read(out, size, key, ttl_offsets, &response)) return is_bare ? ANSWER_MISMATCH : ANSWER_MALFORMED;
    struct answer answer = {
        .bytes = out,
        .message_size = response.size,
        .rcode = response.rcode,
        .ttl_least_s = response.ttl_min,
        .ttl_most_s = response.ttl_most,
    };
    answer.kind = response_kind(&response, message_flags(out), &answer.ttl_s);
    bool is_error = answer.kind == ANSWER_VERDICT || answer.kind == ANSWER_FAILURE;
    if (is_bare && (!is_error || response.ttl_count > 0)) return ANSWER_MISMATCH;
    memcpy(out + DNS_HEADER_BYTES, key->bytes, question_key_name_size(key));
    unsigned flags = (message_flags(out) & ~(unsigned)DNS_AA) | DNS_RA;
    if (ede_has(response.errors, response.errors_size, DNS_EDE_NEGATIVE_TRUST_ANCHOR)) flags &= ~(unsigned)DNS_AD;
    dns_put_u16(out + 2, (uint16_t)flags);
    answer.size = put_trailer(out, response.size, ttl_offsets, &response);
    answer.errors_size = response.errors_size;
    answer.errors = out + answer.size - ANSWER_TRAILER_BYTES - response.errors_size;
    *ret_answer = answer;
    return ANSWER_GOOD;
}

size_t answer_seal(uint8_t *bytes, size_t message_size)
{
    const struct response response = {.rcode = message_flags(bytes) & DNS_RCODE};
    return put_trailer(bytes, message_size, bytes, &response);
}

/* The parts of an answer's bytes. */
struct parts {
    size_t message_size;
    size_t name_size;
    const uint8_t *ttl_offsets;
    size_t ttl_count;
    const uint8_t *errors;
    size_t errors_size;
    uint16_t set_first;
    uint16_t set_count;
    uint16_t rcode;
};

/* Whether the offsets are all of records of the message. */
static bool offsets_are_sound(const struct parts *parts)
{
    size_t first = DNS_HEADER_BYTES + parts->name_size + 4;
    for (size_t i = 0; i < parts->ttl_count; i++) {
        size_t offset = dns_u16(parts->ttl_offsets + TTL_OFFSET_BYTES * i);
        if (offset < first || offset + 4 > parts->message_size) return false;
    }
    return true;
}

/* The size of the question's name; 0 if the message has no sound question. */
static size_t question_name_size(const uint8_t *message, size_t size)
{
    size_t at = DNS_HEADER_BYTES;
    while (at < size && message[at] > 0 && message[at] <= DNS_LABEL_MAX) at += 1u + message[at];
    size_t name_size = at + 1 - DNS_HEADER_BYTES;
    return at + 5 <= size && message[at] == 0 && name_size <= DNS_NAME_MAX ? name_size : 0;
}

static bool take_apart(const uint8_t *bytes, size_t size, struct parts *ret_parts)
{
    if (size < DNS_HEADER_BYTES + ANSWER_TRAILER_BYTES) return false;
    const uint8_t *fixed = bytes + size - ANSWER_TRAILER_BYTES;
    size_t ttl_count = dns_u16(fixed + TRAILER_TTLS);
    size_t errors_size = dns_u16(fixed + TRAILER_ERRORS);
    size_t trailer_size = ANSWER_TRAILER_BYTES + errors_size + TTL_OFFSET_BYTES * ttl_count;
    if (size < DNS_HEADER_BYTES + trailer_size || size - trailer_size > DNS_MESSAGE_MAX) return false;
    size_t name_size = question_name_size(bytes, size - trailer_size);
    *ret_parts = (struct parts){
        .message_size = size - trailer_size,
        .name_size = name_size,
        .ttl_offsets = bytes + size - trailer_size,
        .ttl_count = ttl_count,
        .errors = fixed - errors_size,
        .errors_size = errors_size,
        .set_first = dns_u16(fixed + TRAILER_SET_FIRST),
        .set_count = dns_u16(fixed + TRAILER_SET_COUNT),
        .rcode = dns_u16(fixed + TRAILER_RCODE),
    };
    if (name_size == 0 || errors_size > EDE_LIST_MAX || (size_t)ret_parts->set_first + ret_parts->set_count > ttl_count)
        return false;
    return (errors_size == 0 || ede_is_list(ret_parts->errors, errors_size)) && offsets_are_sound(ret_parts);
}

unsigned answer_rcode(const uint8_t *bytes, size_t size)
{
    CHECK(size >= DNS_HEADER_BYTES + ANSWER_TRAILER_BYTES);
    return dns_u16(bytes + size - ANSWER_TRAILER_BYTES + TRAILER_RCODE);
}

bool answer_unpack(const uint8_t *bytes, size_t size, struct answer *ret_answer)
{
    struct parts parts;
    if (!take_apart(bytes, size, &parts)) return false;
    *ret_answer = (struct answer){
        .bytes = bytes,
        .size = size,
        .message_size = parts.message_size,
        .kind = ANSWER_UNCACHEABLE,
        .rcode = parts.rcode,
        .ttl_most_s = UINT32_MAX,
        .errors = parts.errors,
        .errors_size = parts.errors_size,
    };
    return true;
}

static void age_ttls(uint8_t *message, const struct parts *parts, const struct answer_use *use)
{
    for (size_t i = 0; i < parts->ttl_count; i++) {
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
    ret_bounded->errors = out + (answer->errors - answer->bytes);
}

void answer_age(uint8_t *bytes, size_t size, uint32_t age_s)
{
    const struct answer_use use = {.age_s = age_s, .ttl_max_s = UINT32_MAX};
    struct parts parts;
    if (take_apart(bytes, size, &parts)) age_ttls(bytes, &parts, &use);
}

/* The end of the record whose TTL lies at that offset. */
static size_t record_end(const uint8_t *message, size_t ttl_at)
{
    enum { DATA_SIZE_BEHIND_TTL = 4, DATA_BEHIND_TTL = 6 };
    return ttl_at + DATA_BEHIND_TTL + dns_u16(message + ttl_at + DATA_SIZE_BEHIND_TTL);
}

/* Gives the records of the set in another order: those before number `rotation`, modulo their number, go to the end.
 * The TTLs must be set already, since the offsets are no longer right afterwards. */
static void rotate_set(uint8_t *message, const struct parts *parts, uint32_t rotation)
{
    uint8_t moved[ROTATED_MAX];
    size_t first = parts->set_first;
    size_t turned = rotation % parts->set_count;
    if (turned == 0) return;
    size_t start = DNS_HEADER_BYTES + parts->name_size + 4;
    if (first > 0) start = record_end(message, dns_u16(parts->ttl_offsets + TTL_OFFSET_BYTES * (first - 1)));
    size_t middle = record_end(message, dns_u16(parts->ttl_offsets + TTL_OFFSET_BYTES * (first + turned - 1)));
    size_t last = first + parts->set_count - 1;
    size_t end = record_end(message, dns_u16(parts->ttl_offsets + TTL_OFFSET_BYTES * last));
    if (start > middle || middle > end || end > parts->message_size || middle - start > ROTATED_MAX) return;
    memcpy(moved, message + start, middle - start);
    memmove(message + start, message + middle, end - middle);
    memcpy(message + start + (end - middle), moved, middle - start);
}

/* The rcode as this client can receive it: the upper bits need an OPT record. */
static uint16_t tellable(uint16_t rcode, const struct reply_profile *profile)
{
    return rcode > DNS_RCODE && !profile->edns ? DNS_RCODE_SERVFAIL : rcode;
}

static void put_flags(uint8_t *message, const struct reply_profile *profile, unsigned flags, uint16_t rcode)
{
    dns_put_u16(message, profile->id);
    dns_put_u16(message + 2, (uint16_t)(DNS_QR | flags | (profile->flags & (DNS_RD | DNS_CD)) | (rcode & DNS_RCODE)));
}

/* Writes OPT for the profile to `out`, with as much as `room` allows; returns its size. */
static size_t write_opt(uint8_t out[static EDNS_REPLY_MAX], size_t room, const struct reply_profile *profile,
                        const struct edns_reply *told)
{
    uint8_t codes[EDE_LIST_MAX];
    struct edns_reply opt = *told;
    opt.dnssec_ok = profile->dnssec_ok;
    opt.keepalive_100ms = profile->keepalive_100ms;
    opt.option = profile->option;
    opt.option_bytes = profile->option_bytes;
    size_t size = edns_write_reply(out, &opt);
    if (size <= room) return size;
    opt.ede_text = NULL;
    opt.errors_size = ede_without_texts(told->errors, told->errors_size, codes);
    opt.errors = codes;
    size = edns_write_reply(out, &opt);
    if (size <= room) return size;
    opt.ede_code = DNS_EDE_NONE;
    opt.errors_size = 0;
    opt.keepalive_100ms = 0;
    return edns_write_reply(out, &opt);
}

/* Completes a reply of `size` bytes with OPT, if the profile has EDNS, and keeps it within profile->max_bytes. Returns
 * the size. `question_size` is that of the header and the question. */
static size_t finish_reply(uint8_t *message, size_t size, size_t question_size, const struct reply_profile *profile,
                           const struct edns_reply *told)
{
    uint8_t opt[EDNS_REPLY_MAX];
    size_t room = profile->max_bytes > size ? profile->max_bytes - size : 0;
    size_t opt_size = profile->edns ? write_opt(opt, room, profile, told) : 0;
    if (size + opt_size > profile->max_bytes && profile->max_bytes < DNS_MESSAGE_MAX) {
        memset(message + 6, 0, 6);
        dns_put_u16(message + 2, message_flags(message) | DNS_TC);
        size = question_size;
    }
    if (size + opt_size > DNS_MESSAGE_MAX) opt_size = 0;
    if (opt_size == 0) return size;
    memcpy(message + size, opt, opt_size);
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
    if (parts.set_count > 1 && use->rotation > 0) rotate_set(reply, &parts, use->rotation);
    memcpy(reply + DNS_HEADER_BYTES, name, parts.name_size);
    put_flags(reply, profile, message_flags(reply) & (DNS_AA | DNS_TC | DNS_RA | DNS_AD), rcode);
    size = parts.message_size;
    if (rcode != parts.rcode) { /* it has become another answer, which says nothing but that */
        memset(reply + 6, 0, 6);
        size = question_size;
    }
    const struct edns_reply opt = {
        .rcode = rcode, .ede_code = use->ede_code, .errors = parts.errors, .errors_size = parts.errors_size};
    return finish_reply(reply, size, question_size, profile, &opt);
}

size_t answer_error(uint8_t *out, const struct question *question, const struct reply_profile *profile,
                    const struct answer_error *error)
{
    size_t size = DNS_HEADER_BYTES;
    uint16_t rcode = tellable(error->rcode, profile);
    memset(out, 0, DNS_HEADER_BYTES);
    put_flags(out, profile, DNS_RA | (profile->flags & DNS_OPCODE), rcode);
    if (question->name) size = put_question(out, question->name, question->name_size, question->type, question->class);
    const struct edns_reply opt = {
        .rcode = rcode,
        .ede_code = error->ede_code,
        .ede_text = error->ede_text,
        .errors = error->errors,
        .errors_size = error->errors_size,
    };
    size = finish_reply(out, size, size, profile, &opt);
    if (rcode != DNS_RCODE_NOTAUTH || !question->tsig.message) return size;
    uint8_t record[TSIG_REPLY_MAX];
    size_t record_size = tsig_write_badkey(&question->tsig, profile->id, record);
    if (size + record_size > profile->max_bytes) return size;
    memcpy(out + size, record, record_size);
    dns_put_u16(out + 10, (uint16_t)(message_count(out, DNS_ADDITIONAL) + 1));
    return size + record_size;
}
