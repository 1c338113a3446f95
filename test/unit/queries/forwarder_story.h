/* forwarder_story: a forwarder between clients and an upstream that do what a test says, with time as a number. */
#ifndef FORWARDER_STORY_H
#define FORWARDER_STORY_H

#include "common/clock.h"
#include "dns/answer.h"
#include "dns/edns.h"
#include "fake_pool.h"
#include "fake_transport.h"
#include "queries/forwarder.h"

static struct story {
    struct loop loop;
    struct counters *counters;
    struct shared_tables shared;
    struct purges purges;
    struct fake_transport transport;
    struct forwarder forwarder;
    struct address addresses[FAKE_CLIENTS];
    struct packet query;
} story;

static inline struct forwarder_options usual_options(void)
{
    return (struct forwarder_options){
        .max_queries = 256,
        .cache_max_ns = 86400 * NS_PER_S,
        .cache_negative_ns = 3600 * NS_PER_S,
        .prefetch_percent = 10,
    };
}

/* What a test may want otherwise. */
struct story_options {
    struct forwarder_options forwarder;
    struct cache_options cache;
    struct topnames_options topnames;
    struct ratelimit_options ratelimit;
};

static inline struct story_options usual_story(void)
{
    return (struct story_options){
        .forwarder = usual_options(),
        .cache = {.max_bytes = 4 * 1024 * 1024, .stale_ns = 86400 * NS_PER_S},
        .topnames = {.top = 0},
        .ratelimit = {.ipv4_prefix = 32, .ipv6_prefix = 64, .max_clients = 64},
    };
}

static inline void begin_with(const struct story_options *options)
{
    memset(&story, 0, sizeof story);
    memset(&fake_pool, 0, sizeof fake_pool);
    story.loop.now_ns = 1000 * NS_PER_S;
    story.counters = counters_new();
    story.shared.hash_key = (struct hash_key){1, 2};
    purges_init(&story.purges);
    story.shared.purges = &story.purges;
    story.shared.cache = cache_new(&options->cache);
    story.shared.topnames = topnames_new(&options->topnames);
    story.shared.ratelimit = ratelimit_new(&options->ratelimit, &story.shared.hash_key);
    for (unsigned i = 0; i < FAKE_CLIENTS; i++) {
        assert_true(address_parse("192.0.2.7:4711", 0, &story.addresses[i]));
        story.addresses[i].ip[15] = (uint8_t)i;
    }
    fake_transport_init(&story.transport);
    assert_true(
        forwarder_init(&story.forwarder, &options->forwarder, &story.shared, NULL, story.counters, &story.loop));
}

static inline void begin(void)
{
    const struct story_options options = usual_story();
    begin_with(&options);
}

/* Whatever a test did: no query was ended twice, and none is forgotten. */
static inline void end(void)
{
    unsigned waiting = story.forwarder.queries.waiters.taken;
    unsigned open = 0;
    for (int i = 0; i < FAKE_CLIENTS; i++) {
        const struct fake_client *client = &story.transport.clients[i];
        if (client->gone) continue;
        assert_true(client->ended <= client->begun);
        open += client->begun - client->ended;
    }
    assert_true(open <= waiting);
    forwarder_done(&story.forwarder);
    assert_true(fake_pool_is_idle());
    purges_done(&story.purges);
    cache_free(story.shared.cache);
    topnames_free(story.shared.topnames);
    ratelimit_free(story.shared.ratelimit);
    counters_free(story.counters);
    fake_transport_done(&story.transport);
}

static inline uint64_t count(const _Atomic uint64_t *counter)
{
    return counter_read(counter);
}

static inline uint64_t count_source(unsigned source)
{
    return histogram_count(&story.counters->request_duration[source][LABEL_TRANSPORT_TCP]);
}

/* ---- clients ---- */

/* The client begins one more query. */
static inline struct requester begin_asking(uint32_t number)
{
    struct fake_client *client = &story.transport.clients[number];
    client->begun++;
    return (struct requester){
        .transport = &story.transport.transport,
        .client = {number, 1},
        .address = &story.addresses[number],
        .batched = true,
    };
}

/* Hands the packet in story.query over as a client's, which its transport wants refused for that reason. */
static inline void send_query_refused(uint32_t client, enum refusal refusal)
{
    const struct requester requester = begin_asking(client);
    uint8_t *bytes = malloc(story.query.size); /* exactly as long, and gone when the forwarder returns */
    memcpy(bytes, story.query.bytes, story.query.size);
    const struct client_message message = {.bytes = bytes, .size = story.query.size, .refusal = refusal};
    forwarder_handle(&story.forwarder, &requester, &message);
    free(bytes);
}

static inline void send_query(uint32_t client)
{
    send_query_refused(client, REFUSAL_NONE);
}

/* The client asks for A of `name`, with the client's number as the id. */
static inline void ask_flags(uint32_t client, const char *name, unsigned flags)
{
    packet_header(&story.query, client, flags);
    packet_question(&story.query, name, DNS_TYPE_A);
    send_query(client);
}

static inline void attempt(uint32_t client, const char *name)
{
    ask_flags(client, name, DNS_RD);
}

/* The same with an OPT record; `flags` are its. */
static inline void ask_edns_flags(uint32_t client, const char *name, unsigned flags)
{
    packet_header(&story.query, client, DNS_RD);
    packet_question(&story.query, name, DNS_TYPE_A);
    packet_opt(&story.query, flags, "", 0);
    send_query(client);
}

static inline void ask_edns(uint32_t client, const char *name)
{
    ask_edns_flags(client, name, 0);
}

static inline void leave(uint32_t client)
{
    story.transport.clients[client].gone = true;
}

static inline unsigned replies(uint32_t client)
{
    return story.transport.clients[client].replies;
}

static inline const uint8_t *reply_bytes(uint32_t client)
{
    assert_true(replies(client) > 0);
    return story.transport.clients[client].reply;
}

/* The record at `place` of the client's last reply; false where there is none. OPT comes last. */
static inline bool reply_record(uint32_t client, unsigned deps, struct record *ret_record)
{
    const uint8_t *bytes = reply_bytes(client);
    struct reader reader = {.message = bytes, .size = story.transport.clients[client].size, .at = DNS_HEADER_BYTES};
    unsigned records = 0u + message_count(bytes, DNS_ANSWER) + message_count(bytes, DNS_AUTHORITY);
    records += message_count(bytes, DNS_ADDITIONAL);
    if (message_count(bytes, DNS_QUESTION)) {
        reader_name(&reader, false);
        reader_skip(&reader, 4);
    }
    for (unsigned i = 0; i < records; i++) {
        reader_record(&reader, ret_record);
        assert_false(reader.failed);
        if (i == deps) return true;
    }
    assert_int_equal(reader.at, reader.size);
    return false;
}

static inline unsigned reply_rcode(uint32_t client)
{
    return message_flags(reply_bytes(client)) & DNS_RCODE;
}

static inline uint32_t reply_ttl(uint32_t client)
{
    struct record record;
    assert_true(reply_record(client, 0, &record));
    return record.ttl;
}

/* The last octet of the A record: which answer it is. */
static inline uint8_t reply_number(uint32_t client)
{
    struct record record;
    assert_true(reply_record(client, 0, &record));
    assert_int_equal(record.type, DNS_TYPE_A);
    return reply_bytes(client)[record.data + 3];
}

/* What its OPT record says; false where it has none. */
static inline bool reply_edns(uint32_t client, struct edns *ret_edns)
{
    struct record record;
    for (unsigned i = 0; reply_record(client, i, &record); i++)
        if (record.type == DNS_TYPE_OPT) return edns_parse(reply_bytes(client), &record, ret_edns);
    return false;
}

/* Its Extended DNS Error, or DNS_EDE_NONE. */
static inline uint16_t reply_error_code(uint32_t client)
{
    struct edns edns;
    return reply_edns(client, &edns) ? edns.ede_code : DNS_EDE_NONE;
}

/* ---- time ---- */

static inline void pass_ns(uint64_t ns)
{
    story.loop.now_ns += ns;
    forwarder_tick(&story.forwarder, story.loop.now_ns);
}

static inline void pass_ms(uint64_t ms)
{
    pass_ns(ms * NS_PER_MS);
}

#endif
