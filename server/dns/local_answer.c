#include "dns/local_answer.h"

#include <string.h>

#include "dns/answer.h"

enum {
    RECORD_FIXED_BYTES = 10, /* type, class, TTL, size of the data */
    SOA_NUMBERS_BYTES = 20,  /* SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM */
};

/* The name of the person responsible for a zone that has none (RFC 6303, 3). */
static const char soa_rname[] = "\6nobody\7invalid";

/* If `size` more bytes go; NULL if there is no room. */
static uint8_t *take(struct local_answer *answer, size_t size)
{
    size_t room = answer->capacity < DNS_MESSAGE_MAX ? answer->capacity : DNS_MESSAGE_MAX;
    if (answer->failed || room - answer->size < size) {
        answer->failed = true;
        return NULL;
    }
    uint8_t *at = answer->bytes + answer->size;
    answer->size += size;
    return at;
}

void local_answer_begin(struct local_answer *answer, uint8_t *out, size_t capacity, const struct question *question)
{
    *answer = (struct local_answer){.bytes = out, .capacity = capacity, .name_size = question->name_size};
    uint8_t *at = take(answer, DNS_HEADER_BYTES + question->name_size + 4u);
    if (!at) return;
    memset(at, 0, DNS_HEADER_BYTES);
    dns_put_u16(at + 4, 1);
    name_to_lower(question->name, question->name_size, at + DNS_HEADER_BYTES);
    dns_put_u16(at + DNS_HEADER_BYTES + question->name_size, question->type);
    dns_put_u16(at + DNS_HEADER_BYTES + question->name_size + 2, DNS_CLASS_IN);
}

/* Where the question's name has `name` as its end, as an offset into the message; 0 if it has not. */
static size_t find_suffix(const struct local_answer *answer, const uint8_t *name, size_t name_size)
{
    size_t at = DNS_HEADER_BYTES;
    size_t end = DNS_HEADER_BYTES + answer->name_size;
    while (end - at > name_size) at += 1u + answer->bytes[at];
    return end - at == name_size && name_size > 1 && memcmp(answer->bytes + at, name, name_size) == 0 ? at : 0;
}

static void put_owner(struct local_answer *answer, const uint8_t *owner, size_t size)
{
    size_t found = find_suffix(answer, owner, size);
    uint8_t *at = take(answer, found > 0 ? 2 : size);
    if (!at) return;
    if (found > 0)
        dns_put_u16(at, (uint16_t)(0xc000 | found));
    else
        memcpy(at, owner, size);
}

static void count(struct local_answer *answer, enum dns_section section)
{
    uint8_t *at = answer->bytes + 4 + 2 * section;
    dns_put_u16(at, (uint16_t)(dns_u16(at) + 1));
}

/* The record up to its data, whose place is returned. */
static uint8_t *put_record(struct local_answer *answer, const struct local_record *record)
{
    if (answer->failed) return NULL;
    put_owner(answer, record->owner, record->owner_size);
    uint8_t *at = take(answer, RECORD_FIXED_BYTES);
    uint8_t *data = take(answer, record->data_size);
    if (!data) return NULL;
    dns_put_u16(at, record->type);
    dns_put_u16(at + 2, DNS_CLASS_IN);
    dns_put_u32(at + 4, record->ttl_s);
    dns_put_u16(at + 8, record->data_size);
    return data;
}

void local_answer_add(struct local_answer *answer, enum dns_section section, const struct local_record *record)
{
    uint8_t *data = put_record(answer, record);
    if (!data) return;
    if (record->data_size > 0) memcpy(data, record->data, record->data_size);
    count(answer, section);
}

void local_answer_add_soa(struct local_answer *answer, enum dns_section section, const uint8_t *zone, size_t zone_size,
                          uint32_t ttl_s)
{
    enum { SERIAL = 1, REFRESH = 3600, RETRY = 1200, EXPIRE = 604800 };
    const uint32_t numbers[] = {SERIAL, REFRESH, RETRY, EXPIRE, ttl_s};
    const struct local_record record = {
        .owner = zone,
        .owner_size = zone_size,
        .type = DNS_TYPE_SOA,
        .ttl_s = ttl_s,
        .data_size = (uint16_t)(zone_size + sizeof soa_rname + SOA_NUMBERS_BYTES),
    };
    uint8_t *data = put_record(answer, &record);
    if (!data) return;
    memcpy(data, zone, zone_size);
    memcpy(data + zone_size, soa_rname, sizeof soa_rname);
    for (int i = 0; i < 5; i++) dns_put_u32(data + zone_size + sizeof soa_rname + 4 * i, numbers[i]);
    count(answer, section);
}

size_t local_answer_finish(struct local_answer *answer, uint16_t rcode)
{
    if (answer->failed || answer->capacity - answer->size < ANSWER_TRAILER_BYTES) return 0;
    dns_put_u16(answer->bytes + 2, (uint16_t)(DNS_QR | DNS_AA | DNS_RA | (rcode & DNS_RCODE)));
    return answer_seal(answer->bytes, answer->size);
}
