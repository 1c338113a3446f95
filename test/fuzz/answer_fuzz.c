/* Any bytes as a response from upstream, and as the bytes of a kept answer. A good one makes a reply that ldns can read
 * and that says what the response said, but for id, OPT, the case of the question, and the header's reserved bit. */
#include "records.h" /* first: ldns wants to be */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "dns/address_records.h"
#include "dns/answer.h"
#include "dns/edns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The question that the response says it answers, or another. */
static void find_key(const uint8_t *data, size_t size, struct question_key *ret_key)
{
    static const uint8_t other[] = "\7example\3com";
    struct question question = {.name = other, .name_size = sizeof other, .type = DNS_TYPE_A};
    struct reader reader = {.message = data, .size = size, .at = DNS_HEADER_BYTES};
    if (size > DNS_HEADER_BYTES) {
        size_t name_size = reader_name(&reader, false);
        uint16_t type = reader_u16(&reader);
        if (!reader.failed)
            question =
                (struct question){.name = data + DNS_HEADER_BYTES, .name_size = (uint8_t)name_size, .type = type};
    }
    question_key(&question, ret_key);
}

/* To one who asks as the response says it was asked. */
static void check_same(const struct answer *answer, const uint8_t *data, size_t size, uint8_t *reply)
{
    if (size == DNS_HEADER_BYTES || answer->rcode > DNS_RCODE) return; /* no question or no OPT to compare with */
    const struct reply_profile profile = {
        .id = message_id(data), .flags = message_flags(data), .max_bytes = DNS_MESSAGE_MAX};
    const struct answer_use use = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    memcpy(reply, answer->bytes, answer->size);
    size_t reply_size = answer_to_reply(reply, answer->size, &profile, data + DNS_HEADER_BYTES, &use);
    need(reply_size == answer->message_size);
    need_ldns_to_read(reply, reply_size);
    need(message_flags(reply) == flags_to_give(answer, message_flags(data)));
    compare_messages(reply, reply_size, data, size, 0);
    if (reply_size <= size && message_count(reply, DNS_ADDITIONAL) == message_count(data, DNS_ADDITIONAL))
        need(memcmp(reply + DNS_HEADER_BYTES, data + DNS_HEADER_BYTES, size - DNS_HEADER_BYTES) == 0);
}

/* To one with EDNS, later, and by a transport with that bound. */
static void check_aged(const struct answer *answer, const struct question_key *key, uint16_t max_bytes, uint8_t *reply)
{
    const struct reply_profile profile = {
        .edns = true, .dnssec_ok = true, .keepalive_100ms = 300, .max_bytes = max_bytes};
    const struct answer_use use = {.age_s = 7, .ttl_max_s = 1000, .ede_code = DNS_EDE_STALE};
    memcpy(reply, answer->bytes, answer->size);
    size_t size = answer_to_reply(reply, answer->size, &profile, key->bytes, &use);
    need(size > 0 && size <= max_bytes);
    need(max_bytes == DNS_MESSAGE_MAX || message_count(reply, DNS_ADDITIONAL) > 0);
    need_ldns_to_read(reply, size);
}

/* A cache that went bad. */
static void check_unpack(const uint8_t *data, size_t size)
{
    static const uint8_t name[DNS_NAME_MAX];
    struct answer answer;
    const struct reply_profile profile = {.edns = true, .max_bytes = DNS_MESSAGE_MAX};
    const struct answer_use use = {.ede_code = DNS_EDE_NONE};
    uint8_t *reply = malloc(size + EDNS_REPLY_MAX);
    need(reply);
    memcpy(reply, data, size);
    bool sound = answer_unpack(data, size, &answer);
    size_t reply_size = answer_to_reply(reply, size, &profile, name, &use);
    need(sound || reply_size == 0);
    need(reply_size <= size + EDNS_REPLY_MAX);
    free(reply);
}

/* Addresses of an upstream as an answer has them: few, each once, and a host's. */
static void read_addresses(const struct answer *answer)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct address_records found, again = {.count = 0};
        address_records_read(answer, types[i], &again, &found);
        need(found.count <= ADDRESS_RECORDS_MAX);
        for (unsigned j = 0; j < found.count; j++) {
            struct address address = {.port = 53};
            memcpy(address.ip, found.ip[j], sizeof address.ip);
            need(address_is_host(&address) && (types[i] != DNS_TYPE_A || address_is_ipv4(&address)));
        }
        again = found;
        need(!address_records_update(&again, &found) && again.count == found.count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct question_key key;
    struct answer answer;
    struct answer again;
    check_unpack(data, size);
    find_key(data, size, &key);
    uint8_t *bytes = malloc(ANSWER_BYTES_MAX);
    need(bytes);
    if (answer_parse(data, size, &key, bytes, &answer) == ANSWER_GOOD) {
        read_addresses(&answer);
        need(answer.bytes == bytes && answer.size <= ANSWER_BYTES_MAX && answer.message_size < answer.size);
        need(answer_unpack(bytes, answer.size, &again) && again.message_size == answer.message_size);
        uint8_t *reply = malloc(answer.size + EDNS_REPLY_MAX);
        need(reply);
        check_same(&answer, data, size, reply);
        check_aged(&answer, &key, DNS_MESSAGE_MAX, reply);
        check_aged(&answer, &key, 512, reply);
        free(reply);
    }
    free(bytes);
    return 0;
}
