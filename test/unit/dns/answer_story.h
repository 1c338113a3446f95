/* answer_story: one response to www.example.com A, put together octet by octet, and the answer that is made of it. */
#ifndef ANSWER_STORY_H
#define ANSWER_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "dns/edns.h"
#include "packet.h"

static struct packet packet; /* what upstream says */
static struct question_key key;
static struct answer answer;
static uint8_t bytes[ANSWER_BYTES_MAX];
static uint8_t reply[ANSWER_BYTES_MAX + EDNS_REPLY_MAX];
static const struct answer_use as_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
static const uint8_t asked_name[] = "\3wWw\7eXAMPLE\3cOm";

static inline void respond(unsigned flags)
{
    packet_header(&packet, 0x4711, DNS_QR | flags);
    packet_question(&packet, "www.example.com", DNS_TYPE_A);
}

static inline int setup(void **state)
{
    (void)state;
    respond(DNS_RD | DNS_RA);
    struct question question = {
        .name = packet.bytes + DNS_HEADER_BYTES, .name_size = 17, .type = DNS_TYPE_A, .class = DNS_CLASS_IN};
    question_key(&question, &key);
    return 0;
}

static inline enum answer_verdict parse(void)
{
    return answer_parse(packet.bytes, packet.size, &key, bytes, &answer);
}

#endif
