/* model: runs of the pool over a network of scripted upstreams. A run is decided by its scripts and its seed alone;
 * with MODEL_LOG in the environment it writes the pool's events. */
#ifndef MODEL_H
#define MODEL_H

#include "model_network.h"

/* ---- runs ---- */

static inline void on_question_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct question_story *question = container_of(exchange, struct question_story, exchange);
    (void)answer;
    question->done++;
    question->result = result;
    question->took_ns = model.loop.now_ns - question->asked_ns;
    question->attempts = exchange->attempts_made;
    question->lost = exchange->lost;
    model.finished++;
}

static inline struct question_story *model_ask(enum kind kind)
{
    assert_true(model.asked < QUESTIONS_MAX);
    unsigned number = model.asked++;
    struct question_story *question = &model.questions[number];
    const uint8_t name[] = {4,
                            (uint8_t)kind,
                            (uint8_t)('a' + number % 26),
                            (uint8_t)('a' + number / 26 % 26),
                            (uint8_t)('a' + number / 676 % 26),
                            0,
                            0,
                            1,
                            QUESTION_KEY_RD};
    *question = (struct question_story){.kind = kind, .asked_ns = model.loop.now_ns};
    memcpy(question->exchange.key.bytes, name, sizeof name);
    question->exchange.key.size = sizeof name;
    question->exchange.on_done = on_question_done;
    question->exchange.light = number % 3 == 0;
    pool_submit(model.pool, &question->exchange, model.loop.now_ns);
    return question;
}

static inline void model_begin(const struct pool_options *options, const struct script *scripts, uint64_t seed)
{
    static struct tls_context tls;
    const struct log_options quiet = {.level = LOG_LEVEL_ERROR};
    memset(&model, 0, offsetof(struct model, heap));
    model.events = model.channels = model.asked = model.finished = 0;
    list_init(&model.alive);
    model.options = *options;
    model.random.state = seed;
    model.loop.now_ns = 1000 * NS_PER_S;
    model.counters = counters_new();
    log_init(&model.log, &quiet, getenv("MODEL_LOG") ? 2 : -1);
    if (getenv("MODEL_LOG")) log_set_level(&model.log, LOG_LEVEL_DEBUG);
    for (unsigned i = 0; i < options->upstream_count; i++) {
        model.scripts[i] = scripts[i];
        model.fault_ns[i] = scripts[i].fault_every_ns ? model.loop.now_ns + scripts[i].fault_every_ns : CLOCK_NEVER;
    }
    const struct pool_deps deps = {.loop = &model.loop,
                                   .buffers = &model.buffers,
                                   .scratch = model.scratch,
                                   .counters = model.counters,
                                   .log = &model.log,
                                   .seed = seed};
    model.pool = pool_new(options, &tls, &deps);
    assert_non_null(model.pool);
}

static inline void model_end(void)
{
    for (unsigned i = 0; i < model.asked; i++)
        if (model.questions[i].done == 0) pool_cancel(&model.questions[i].exchange);
    pool_free(model.pool);
    assert_true(list_is_empty(&model.alive));
    for (unsigned i = 0; i < model.events; i++) free(model.heap[i].message);
    counters_free(model.counters);
}

static inline void strike(unsigned upstream)
{
    const struct script *script = &model.scripts[upstream];
    model.fault_ns[upstream] += script->fault_every_ns;
    list_for_each (node, &model.alive) {
        struct channel *channel = container_of(node, struct channel, alive);
        if (channel->upstream == upstream && channel->state == CHANNEL_READY && !channel->ended)
            end_at_server(channel, script->fault, model.loop.now_ns);
    }
}

static inline uint64_t model_draw_ns(uint64_t most_ns)
{
    return most_ns ? 1 + random_next(&model.random) % most_ns : 0;
}

/* How long the delay is that is due now; 0: none is. */
static inline uint64_t delay_due_ns(bool in_turns)
{
    const struct delays *delays = &model.delays;
    if (delays->every_ns == 0 || delays->in_turns != in_turns || model.loop.now_ns < model.delay_at_ns) return 0;
    uint64_t delay_ns = model_draw_ns(delays->most_ns);
    model.delay_at_ns = model.loop.now_ns + delay_ns + model_draw_ns(2 * delays->every_ns);
    return delay_ns;
}

/* All that is on its way arrives so much later. */
static inline void hold_up_events(uint64_t delay_ns)
{
    for (unsigned i = 0; i < model.events; i++) model.heap[i].at_ns += delay_ns;
    list_for_each (node, &model.alive) container_of(node, struct channel, alive)->busy_until_ns += delay_ns;
}

/* Waits as loop_turn does, until `next_ns` or, where the worker is delayed, longer. */
static inline void model_wait(uint64_t deadline_ns, uint64_t next_ns)
{
    uint64_t waits_ns = model.loop.now_ns + model.turn_ns;
    uint64_t woke_ns = next_ns > waits_ns ? next_ns : waits_ns;
    uint64_t late_ns = delay_due_ns(false);
    if (late_ns > 0 && deadline_ns != CLOCK_NEVER && deadline_ns + late_ns > woke_ns)
        woke_ns = (deadline_ns > waits_ns ? deadline_ns : waits_ns) + late_ns; /* no event woke it either */
    if (late_ns > 0 && model.delays.of_machine) hold_up_events(late_ns);
    loop_count_delay(&model.loop, waits_ns, deadline_ns, woke_ns);
    model.loop.now_ns = woke_ns;
    model.turn_ns = 0;
}

/* One turn of the loop, as the worker makes them. Returns false where `until_ns` was reached. */
static inline bool model_turn(uint64_t until_ns)
{
    uint64_t deadline_ns = pool_deadline_ns(model.pool);
    uint64_t next_ns = deadline_ns;
    if (model.events > 0) next_ns = clock_earlier(next_ns, model.heap[0].at_ns);
    for (unsigned i = 0; i < model.options.upstream_count; i++) next_ns = clock_earlier(next_ns, model.fault_ns[i]);
    if (next_ns > until_ns) next_ns = until_ns;
    model_wait(deadline_ns, next_ns);
    for (unsigned i = 0; i < model.options.upstream_count; i++)
        if (model.loop.now_ns >= model.fault_ns[i]) strike(i);
    while (model.events > 0 && model.heap[0].at_ns <= model.loop.now_ns) {
        struct event event = event_take();
        deliver(&event);
    }
    model.turn_ns = delay_due_ns(true);
    if (model.delays.of_machine) hold_up_events(model.turn_ns);
    pool_tick(model.pool, model.loop.now_ns);
    pool_flush(model.pool);
    return model.loop.now_ns < until_ns;
}

/* Lets time pass; more turns than so many in a second would be a loop that never sleeps. */
static inline void model_run_ms(uint64_t ms)
{
    uint64_t until_ns = model.loop.now_ns + ms * NS_PER_MS;
    unsigned turns = 0;
    pool_tick(model.pool, model.loop.now_ns); /* what was asked leaves in the turn in which it was */
    pool_flush(model.pool);
    while (model_turn(until_ns))
        if (++turns > 5000 + 40 * ms)
            fail_msg("the loop does not sleep: events in %jd ns, pool %jd, upkeep %jd, probe %jd",
                     (intmax_t)(model.events ? model.heap[0].at_ns - model.loop.now_ns : 0),
                     (intmax_t)(pool_deadline_ns(model.pool) - model.loop.now_ns),
                     (intmax_t)(upkeep_deadline_ns(model.pool) - model.loop.now_ns),
                     (intmax_t)(probe_deadline_ns(model.pool) - model.loop.now_ns));
    model.loop.now_ns += 1000; /* so that the next turn is another moment */
}

#endif
