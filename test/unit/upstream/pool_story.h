/* pool_story: a pool with fake sessions, and questions to ask of it; time is a number. One test program, one story at a
 * time. */
#ifndef POOL_STORY_H
#define POOL_STORY_H

#include "fake_channel.h"
#include "pool_options.h"

enum { ASKERS = 40 };

struct asker_story {
    struct exchange exchange;
    unsigned done;
    enum exchange_result result;
    uint16_t rcode;
};

static struct story {
    struct loop loop;
    struct buffers buffers;
    struct log log;
    struct counters *counters;
    struct tls_context tls;
    struct pool *pool;
    struct asker_story askers[ASKERS];
    uint8_t scratch[16];
} story;

static inline void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct asker_story *profile = container_of(exchange, struct asker_story, exchange);
    profile->done++;
    profile->result = result;
    if (answer) profile->rcode = answer->rcode;
}

/* Sessions are opened only for questions, have few places, and each question may be hedged. */
static inline struct pool_options story_options(unsigned upstreams)
{
    struct pool_options options = options_for(upstreams);
    options.keep_warm = false;
    options.max_in_flight = 100;
    options.hedge_percent = 100;
    return options;
}

static inline void begin_with(const struct pool_options *options)
{
    const struct log_options quiet = {.level = LOG_LEVEL_ERROR};
    memset(&world, 0, sizeof world);
    memset(&story, 0, sizeof story);
    story.loop.now_ns = 1000 * NS_PER_S;
    log_init(&story.log, &quiet, -1);
    story.counters = counters_new();
    const struct pool_deps deps = {
        .loop = &story.loop,
        .buffers = &story.buffers,
        .scratch = story.scratch,
        .counters = story.counters,
        .log = &story.log,
        .seed = 1,
    };
    story.pool = pool_new(options, &story.tls, &deps);
    assert_non_null(story.pool);
}

static inline void begin(unsigned upstreams)
{
    const struct pool_options options = story_options(upstreams);
    begin_with(&options);
}

static inline void end(void)
{
    for (int i = 0; i < ASKERS; i++)
        if (story.askers[i].exchange.on_done && story.askers[i].done == 0) pool_cancel(&story.askers[i].exchange);
    pool_free(story.pool);
    counters_free(story.counters);
    assert_int_equal(world.tickets, 0);
    for (unsigned i = 0; i < world.opened; i++) assert_null(world.sessions[i]);
}

static inline struct exchange *ask_as(int i, bool light)
{
    struct asker_story *profile = &story.askers[i];
    struct exchange *exchange = &profile->exchange;
    uint8_t name[] = {1, (uint8_t)('a' + i % 26), 1, (uint8_t)('a' + i / 26), 0, 0, 1, QUESTION_KEY_RD};
    memset(profile, 0, sizeof *profile);
    memcpy(exchange->key.bytes, name, sizeof name);
    exchange->key.size = sizeof name;
    exchange->on_done = on_done;
    exchange->light = light;
    pool_submit(story.pool, exchange, story.loop.now_ns);
    return exchange;
}

static inline struct exchange *attempt(int i)
{
    return ask_as(i, false);
}

static inline void tick(void)
{
    pool_tick(story.pool, story.loop.now_ns);
}

/* Question `i`, in flight on the first session, whose handshake is done. */
static inline struct exchange *first_attempt(int i)
{
    struct exchange *exchange = attempt(i);
    tick();
    fake_ready(0);
    tick();
    return exchange;
}

/* Lets time pass as the worker's loop would: from deadline to deadline. */
static inline void pass_ms(uint64_t ms)
{
    uint64_t until_ns = story.loop.now_ns + ms * NS_PER_MS;
    while (story.loop.now_ns < until_ns) {
        uint64_t next_ns = pool_deadline_ns(story.pool);
        if (next_ns <= story.loop.now_ns) next_ns = story.loop.now_ns + NS_PER_MS;
        story.loop.now_ns = next_ns < until_ns ? next_ns : until_ns;
        tick();
    }
}

static inline unsigned alive(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world.opened; i++) count += world.sessions[i] != NULL;
    return count;
}

static inline unsigned number_of(const struct session *session)
{
    for (unsigned i = 0; i < world.opened; i++)
        if (world.sessions[i] == session) return i;
    fail_msg("no such session");
    return 0;
}

/* The session, of those relied on, that the question is in flight on; NULL where there is none. */
static inline struct session *session_of(const struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) {
        struct session *session = exchange->attempts[i].session;
        if (session && session_is_relied_on(session)) return session;
    }
    return NULL;
}

static inline void assert_answered(int i)
{
    assert_int_equal(story.askers[i].done, 1);
    assert_int_equal(story.askers[i].result, EXCHANGE_ANSWERED);
}

/* One session is ready and has proved itself with ten quick answers, so that the time-out is the least. */
static inline void begin_settled(unsigned upstreams)
{
    begin(upstreams);
    attempt(39);
    tick();
    fake_ready(0);
    tick();
    for (int i = 0; i < 30; i++) {
        if (i > 0) attempt(39);
        story.loop.now_ns += NS_PER_MS;
        fake_answer(0, &story.askers[39].exchange, 0);
    }
    assert_int_equal(rtt_timeout_ns(&story.pool->upstreams[0].rtt), RTT_TIMEOUT_MIN_NS);
    story.pool->upstreams[0].reorders = true; /* a slow question delays no others */
    story.loop.now_ns += 20 * NS_PER_MS;      /* so that an end is not one directly behind an answer */
    tick();
}

#endif
