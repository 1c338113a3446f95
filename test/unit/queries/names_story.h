/* names_story: names of a test, and what they say of a question. One test program, one story at a time. */
#ifndef NAMES_STORY_H
#define NAMES_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "dns/presentation.h"
#include "dns/validator.h"
#include "named_record.h"

enum { TYPE_A = 1, TYPE_TXT = 16 };

static struct names *names;
static struct names_found found;
static struct names_alias alias;
static uint8_t bytes[ANSWER_BYTES_MAX];
static uint8_t name[DNS_NAME_MAX];
static size_t name_size;

static inline int setup(void **state)
{
    (void)state;
    names = names_new(true);
    return names ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    names_free(names);
    return 0;
}

static inline void add_zone(const char *text, uint16_t route)
{
    name_size = presentation_parse_name(text, name);
    assert_true(names_add_zone(names, name, name_size, route));
}

static inline enum names_verdict find(const char *text, uint16_t type)
{
    name_size = presentation_parse_name(text, name);
    assert_int_not_equal(name_size, 0);
    assert_true(names_finish(names));
    names_find(names, name, name_size, type, &found);
    return found.verdict;
}

/* Writes the answer; returns its message's size. */
static inline size_t answer(const char *text, uint16_t type)
{
    struct answer read;
    find(text, type);
    const struct question question = {.name = name, .name_size = (uint8_t)name_size, .type = type, .class = 1};
    size_t size = names_write(names, &found, &question, bytes, sizeof bytes, &alias);
    if (size == 0) return 0;
    assert_true(answer_unpack(bytes, size, &read));
    assert_true(validator_is_message(bytes, read.message_size));
    return read.message_size;
}

static inline void check_counts(uint16_t rcode, unsigned answers, unsigned authority)
{
    assert_int_equal(message_flags(bytes), DNS_QR | DNS_AA | DNS_RA | rcode);
    assert_int_equal(message_count(bytes, DNS_ANSWER), answers);
    assert_int_equal(message_count(bytes, DNS_AUTHORITY), authority);
}

/* The i-th record of the answer of `size` bytes: "OWNER TTL TYPE". */
static inline const char *record_text(size_t size, unsigned i)
{
    static char text[2 * PRESENTATION_NAME_BYTES];
    struct reader reader = {.message = bytes, .size = size, .at = DNS_HEADER_BYTES};
    struct record record = {0};
    reader_name(&reader, false);
    reader_skip(&reader, 4);
    for (unsigned at = 0; at <= i; at++) reader_record(&reader, &record);
    assert_false(reader.failed);
    uint8_t owner[DNS_NAME_MAX];
    char owner_text[PRESENTATION_NAME_BYTES], type[PRESENTATION_TYPE_BYTES];
    size_t owner_size = name_expand(bytes, record.owner, owner);
    snprintf(text, sizeof text, "%s %u %s", presentation_name(owner, owner_size, owner_text), record.ttl,
             presentation_type(record.type, type));
    return text;
}

#endif
