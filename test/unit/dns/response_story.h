/* response_story: responses put together record by record, and what reading them finds. */
#ifndef RESPONSE_STORY_H
#define RESPONSE_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/response.h"
#include "packet.h"

static struct packet packet;
static struct question_key key;
static struct response response;
static uint8_t ttl_offsets[2 * (DNS_MESSAGE_MAX / 11)];
static uint8_t without_opt[DNS_MESSAGE_MAX];

static inline void make_key(const char *name, unsigned type)
{
    packet_header(&packet, 0, DNS_RD);
    packet_question(&packet, name, type);
    struct question question = {
        .flags = DNS_RD,
        .name = packet.bytes + DNS_HEADER_BYTES,
        .name_size = (uint8_t)(packet.size - DNS_HEADER_BYTES - 4),
        .type = (uint16_t)type,
        .class = DNS_CLASS_IN,
    };
    question_key(&question, &key);
}

static inline void respond(unsigned flags)
{
    packet_header(&packet, 0x4711, DNS_QR | flags);
    packet_question(&packet, "www.example.com", DNS_TYPE_A);
}

static inline int setup(void **state)
{
    (void)state;
    make_key("www.example.com", DNS_TYPE_A);
    respond(DNS_RD | DNS_RA);
    return 0;
}

static inline enum answer_verdict match(void)
{
    return response_match(packet.bytes, packet.size, &key);
}

static inline bool survey(void)
{
    static struct packet copy; /* OPT is removed in place */
    copy = packet;
    bool sound = response_read(copy.bytes, copy.size, &key, ttl_offsets, &response);
    if (sound) memcpy(without_opt, copy.bytes, response.size);
    return sound;
}

static uint32_t ttl_s;

static inline enum answer_kind kind(void)
{
    ttl_s = 4711;
    assert_true(survey());
    return response_kind(&response, message_flags(packet.bytes), &ttl_s);
}

/* A CNAME record from one name to another. */
static inline void add_cname(const char *from, const char *to, uint32_t ttl)
{
    packet_name(&packet, from);
    packet_fixed(&packet, DNS_TYPE_CNAME, ttl, 0);
    size_t data = packet.size;
    packet_name(&packet, to);
    dns_put_u16(packet.bytes + data - 2, (uint16_t)(packet.size - data));
    packet_add_count(&packet, DNS_ANSWER);
}

static inline void add_a(const char *owner, uint32_t ttl)
{
    packet_name(&packet, owner);
    packet_fixed(&packet, DNS_TYPE_A, ttl, 4);
    packet_u32(&packet, 0xc0000201);
    packet_add_count(&packet, DNS_ANSWER);
}

#endif
