/* shared_story: a forwarder with the cache of a fleet, which does what a test says. */
#ifndef SHARED_STORY_H
#define SHARED_STORY_H

#include "common/clock.h"
#include "fake_store.h"
#include "forwarder_story.h"

static struct store *const some_store = (struct store *)&fake_store;

static inline void begin_shared_with(const struct story_options *options)
{
    memset(&fake_store, 0, sizeof fake_store);
    begin_with(options);
    assert_true(forwarder_set_store(&story.forwarder, some_store));
}

static inline void begin_shared(void)
{
    const struct story_options options = usual_story();
    begin_shared_with(&options);
}

static inline void end_shared(void)
{
    end();
    assert_true(fake_store_is_idle());
}

static inline uint64_t wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

/* What another instance stored: an A record of `ttl`, whose data ends in `number`, for question `n` to the store. */
static inline struct entry entry_for(unsigned n, uint32_t ttl, uint8_t number, int64_t age_ms)
{
    static struct packet packet;
    const struct question_key *key = &fake_store.keys[n];
    const uint8_t data[] = {192, 0, 2, number};
    packet_header(&packet, 0, DNS_QR | DNS_RA | DNS_RD);
    packet_raw(&packet, key->bytes, question_key_name_size(key));
    packet_u16(&packet, question_key_type(key));
    packet_u16(&packet, DNS_CLASS_IN);
    packet_count(&packet, DNS_QUESTION, 1);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_A, ttl, data, sizeof data);
    uint64_t stored_ms = wall_ms() - (uint64_t)age_ms;
    return (struct entry){stored_ms, stored_ms + ttl * 1000u, packet.bytes, packet.size};
}

static inline enum store_use say_entry(unsigned n, uint32_t ttl, uint8_t number, int64_t age_ms)
{
    const struct entry entry = entry_for(n, ttl, number, age_ms);
    return fake_store_entry(n, &entry);
}

static inline uint64_t rejected(enum label_shared_rejected reason)
{
    return count(cell_shared_rejected(story.counters, reason));
}

static inline uint64_t refreshes(enum label_shared_refresh result)
{
    return count(cell_shared_refreshes(story.counters, result));
}

#endif
