/* state_story: the shared tables with answers and names in them, and their snapshot in memory. */
#ifndef TEST_STATE_STORY_H
#define TEST_STATE_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "dns/answer.h"
#include "state/load.h"
#include "state/save.h"

#define STORY_STALE_NS (3600 * NS_PER_S)
#define STORY_ORIGIN   77

enum { STORY_TTL_S = 300, STORY_TOP = 200 };

struct tables {
    struct shared_tables shared;
};

static inline struct tables tables_new(uint64_t max_bytes)
{
    const struct cache_options cache = {.max_bytes = max_bytes, .stale_ns = STORY_STALE_NS};
    const struct topnames_options top = {.top = STORY_TOP, .half_life_ns = 600 * NS_PER_S};
    struct tables tables = {{.cache = cache_new(&cache),
                             .topnames = topnames_new(&top),
                             .warmup = warmup_new(),
                             .hash_key = hash_key_draw()}};
    assert_true(tables.shared.cache && tables.shared.topnames && tables.shared.warmup);
    return tables;
}

static inline void tables_free(struct tables *tables)
{
    cache_free(tables->shared.cache);
    topnames_free(tables->shared.topnames);
    warmup_free(tables->shared.warmup);
}

static inline struct question_key story_key(unsigned number)
{
    char name[16];
    snprintf(name, sizeof name, "%c%05u", 5, number);
    struct question question = {
        .name = (const uint8_t *)name, .name_size = 7, .type = DNS_TYPE_A, .class = DNS_CLASS_IN, .flags = DNS_RD};
    struct question_key key;
    question_key(&question, &key);
    return key;
}

static inline struct hashed_key story_hashed(const struct tables *tables, const struct question_key *key)
{
    return (struct hashed_key){key->bytes, key->size, hash_bytes(&tables->shared.hash_key, key->bytes, key->size)};
}

/* A response that holds the number in its address. */
static inline size_t story_response(const struct question_key *key, unsigned number, uint8_t *out)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, STORY_TTL_S >> 8, STORY_TTL_S & 255, 0, 4, 10, 0};
    size_t name_size = question_key_name_size(key);
    memset(out, 0, DNS_HEADER_BYTES);
    dns_put_u16(out + 2, DNS_QR | DNS_RD | DNS_RA);
    dns_put_u16(out + 4, 1);
    dns_put_u16(out + 6, 1);
    memcpy(out + DNS_HEADER_BYTES, key->bytes, name_size);
    size_t at = DNS_HEADER_BYTES + name_size;
    dns_put_u16(out + at, question_key_type(key));
    dns_put_u16(out + at + 2, DNS_CLASS_IN);
    memcpy(out + at + 4, record, sizeof record);
    dns_put_u16(out + at + 4 + sizeof record, (uint16_t)number);
    return at + 4 + sizeof record + 2;
}

/* Puts the answer of that number, stored so long ago. */
static inline void story_put(struct tables *tables, unsigned number, uint64_t age_ns)
{
    static uint8_t bytes[ANSWER_BYTES_MAX];
    uint8_t message[128];
    struct answer answer;
    struct question_key key = story_key(number);
    const struct hashed_key hashed = story_hashed(tables, &key);
    size_t size = story_response(&key, number, message);
    assert_int_equal(answer_parse(message, size, &key, bytes, &answer), ANSWER_GOOD);
    assert_true(
        cache_put(tables->shared.cache, &hashed, bytes, answer.size, STORY_TTL_S * NS_PER_S, clock_now_ns() - age_ns));
}

/* The state of the answer of that number, which must be its own, and its age. */
static inline enum cache_state story_see(struct tables *tables, unsigned number, uint64_t *ret_age_ns)
{
    static uint8_t value[ANSWER_BYTES_MAX];
    struct cache_found found;
    struct answer answer;
    struct question_key key = story_key(number);
    const struct hashed_key hashed = story_hashed(tables, &key);
    enum cache_state state = cache_find(tables->shared.cache, &hashed, clock_now_ns(), value, sizeof value, &found);
    if (state == CACHE_ABSENT) return state;
    assert_true(answer_unpack(value, found.size, &answer));
    assert_int_equal(dns_u16(value + answer.message_size - 2), (uint16_t)number);
    *ret_age_ns = found.age_ns;
    return state;
}

struct memory {
    char *bytes;
    size_t size;
};

static inline struct memory story_save(struct tables *tables, uint64_t *ret_entries)
{
    struct memory memory = {NULL, 0};
    struct pace pace;
    int error;
    const struct save_source source = {.shared = &tables->shared,
                                       .origin = STORY_ORIGIN,
                                       .top = STORY_TOP,
                                       .has_cookie_key = true,
                                       .cookie_key = "sixteen octets."};
    FILE *out = open_memstream(&memory.bytes, &memory.size);
    pace_init(&pace);
    pace_hurry(&pace, CLOCK_NEVER - 1); /* without pauses */
    assert_int_equal(save_write(&source, &pace, out, ret_entries, &error), SAVE_WRITTEN);
    pace_done(&pace);
    fclose(out);
    return memory;
}

static const struct forwarder_options story_options = {.cache_max_ns = 24 * 3600 * NS_PER_S,
                                                       .cache_negative_ns = 3600 * NS_PER_S};

struct loaded {
    enum load_verdict verdict;
    struct load_result result;
    char why[LOAD_WHY_BYTES];
};

static inline struct loaded story_load(struct tables *tables, const void *bytes, size_t size, struct purged *purged,
                                       struct counters *counters)
{
    struct loaded loaded = {.why = ""};
    struct pace pace;
    const struct load_target target = {
        .shared = &tables->shared,
        .options = &story_options,
        .stale_ns = STORY_STALE_NS,
        .half_life_ns = 600 * NS_PER_S,
        .origin = STORY_ORIGIN,
        .purged = purged,
        .counters = counters,
    };
    FILE *in = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "r") : fopen("/dev/null", "r");
    pace_init(&pace);
    pace_hurry(&pace, CLOCK_NEVER - 1);
    loaded.verdict = load_read(&target, &pace, in, &loaded.result, loaded.why);
    pace_done(&pace);
    fclose(in);
    return loaded;
}

#endif
