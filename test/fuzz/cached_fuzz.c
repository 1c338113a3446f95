/* Any bytes as a response from upstream: judged, put into the cache, found there later and made a reply, it says what
 * the response said, with every TTL so much smaller; id, OPT and the header's reserved bit aside. The message's id says
 * how much later, and to whom. */
#include "records.h" /* first: ldns wants to be */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "dns/answer.h"
#include "dns/edns.h"
#include "shared/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIFETIME_S = 0x8000, EDNS_BIT = 0x8000, STALE_S = 60 };

#define PUT_NS (1000 * NS_PER_S)

/* A run: the response, what it is the answer to, and what became of it. */
struct run {
    const uint8_t *data;
    size_t size;
    uint32_t age_s; /* 0..LIFETIME_S - 1 */
    struct reply_profile profile;
    struct question_key key;
    struct hashed_key hashed;
    struct cache *cache;
    struct answer answer;
    uint8_t bytes[ANSWER_BYTES_MAX];
    uint8_t found[ANSWER_BYTES_MAX + EDNS_REPLY_MAX];
};

/* The question that the response says it answers, or another. */
static void find_key(struct run *run)
{
    static const uint8_t other[] = "\7example\3com";
    static const struct hash_key hash_key = {1, 2};
    struct question question = {.name = other, .name_size = sizeof other, .type = DNS_TYPE_A};
    struct reader reader = {.message = run->data, .size = run->size, .at = DNS_HEADER_BYTES};
    if (run->size > DNS_HEADER_BYTES) {
        size_t name_size = reader_name(&reader, false);
        uint16_t type = reader_u16(&reader);
        if (!reader.failed)
            question =
                (struct question){.name = run->data + DNS_HEADER_BYTES, .name_size = (uint8_t)name_size, .type = type};
    }
    question_key(&question, &run->key);
    run->hashed =
        (struct hashed_key){run->key.bytes, run->key.size, hash_bytes(&hash_key, run->key.bytes, run->key.size)};
}

/* ---- the cache ---- */

/* A neighbour with the same hash, whose value must not be taken for the other's. */
static void put_both(struct run *run)
{
    struct question_key neighbour = run->key;
    struct hashed_key hashed = run->hashed;
    neighbour.bytes[neighbour.size - 1] ^= QUESTION_KEY_DO;
    hashed.bytes = neighbour.bytes;
    need(cache_put(run->cache, &hashed, "neighbour", 9, LIFETIME_S * NS_PER_S, PUT_NS));
    need(cache_put(run->cache, &run->hashed, run->answer.bytes, run->answer.size, LIFETIME_S * NS_PER_S, PUT_NS));
}

static enum cache_state find_at(struct run *run, uint64_t after_ns, struct cache_found *ret_found)
{
    return cache_find(run->cache, &run->hashed, PUT_NS + after_ns, run->found, ANSWER_BYTES_MAX, ret_found);
}

/* The answer's bytes are in `found` when it returns. */
static void keep_and_find(struct run *run)
{
    struct cache_found found;
    put_both(run);
    need(find_at(run, run->age_s * NS_PER_S, &found) == CACHE_FRESH);
    need(found.age_ns == run->age_s * NS_PER_S && found.size == run->answer.size);
    need(memcmp(run->found, run->answer.bytes, found.size) == 0);
    need(find_at(run, LIFETIME_S * NS_PER_S, &found) == CACHE_STALE && found.size == run->answer.size);
    struct answer again;
    need(answer_unpack(run->found, found.size, &again) && again.rcode == run->answer.rcode);
    need(again.message_size == run->answer.message_size);
}

/* ---- the reply ---- */

static void compare(const struct run *run, const uint8_t *reply, size_t size)
{
    need(message_flags(reply) == flags_to_give(&run->answer, message_flags(run->data)));
    bool has_room = run->answer.message_size <= DNS_MESSAGE_MAX - 11; /* for OPT */
    need(has_opt(reply, size) == (run->profile.edns && has_room));
    compare_messages(reply, size, run->data, run->size, run->age_s);
}

static void reply_and_compare(struct run *run)
{
    const struct answer_use use = {.age_s = run->age_s, .ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    bool is_bare = run->size == DNS_HEADER_BYTES; /* has no question to compare with */
    const uint8_t *name = is_bare ? run->key.bytes : run->data + DNS_HEADER_BYTES;
    size_t size = answer_to_reply(run->found, run->answer.size, &run->profile, name, &use);
    need(size > 0 && size <= DNS_MESSAGE_MAX);
    need(message_id(run->found) == run->profile.id);
    need(memcmp(run->found + DNS_HEADER_BYTES, name, question_key_name_size(&run->key)) == 0);
    bool is_told = run->answer.rcode <= DNS_RCODE || run->profile.edns;
    need_ldns_to_read(run->found, size);
    if (!is_bare && is_told) compare(run, run->found, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cache_options options = {.max_bytes = 1024 * 1024, .stale_ns = STALE_S * NS_PER_S};
    if (size < DNS_HEADER_BYTES) return 0;
    struct run *run = calloc(1, sizeof *run);
    need(run);
    run->data = data;
    run->size = size;
    run->age_s = message_id(data) % LIFETIME_S;
    run->profile.id = (uint16_t)~message_id(data);
    run->profile.flags = message_flags(data);
    run->profile.max_bytes = DNS_MESSAGE_MAX;
    run->profile.edns = message_id(data) & EDNS_BIT;
    find_key(run);
    if (answer_parse(data, size, &run->key, run->bytes, &run->answer) == ANSWER_GOOD) {
        run->cache = cache_new(&options);
        need(run->cache);
        keep_and_find(run);
        reply_and_compare(run);
        cache_free(run->cache);
    }
    free(run);
    return 0;
}
