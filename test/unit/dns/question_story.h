/* question_story: one query of a client, put together octet by octet, and the question that is read from it. */
#ifndef QUESTION_STORY_H
#define QUESTION_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/question.h"
#include "packet.h"

static struct packet packet;
static struct question question;

static inline void ask(const char *name, unsigned type)
{
    packet_header(&packet, 0x1234, DNS_RD);
    packet_question(&packet, name, type);
}

static inline int setup(void **state)
{
    (void)state;
    ask("example.com", DNS_TYPE_A);
    return 0;
}

static inline enum question_verdict parse(void)
{
    question = (struct question){.id = 4711};
    return question_parse(packet.bytes, packet.size, &question);
}

#endif
