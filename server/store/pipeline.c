#include "store/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

#define PART(text) ((struct resp_part){text, sizeof(text) - 1})

static void on_open(void *owner);
static bool on_reply(void *owner, const struct resp_reply *reply);
static void on_end(void *owner, enum connection_end end, const char *why);

static uint64_t attended_ns(const struct pipeline *pipeline)
{
    return loop_attended_ns(pipeline->deps.loop);
}

static void show(struct pipeline *pipeline, enum store_state state, const char *error)
{
    struct counters *counters = pipeline->deps.counters;
    set_gauge(counters, shared_state, state);
    set_gauge(counters, shared_connections, state == STORE_IN_USE);
    set_shared_error(counters, error);
}

static void enter(struct pipeline *pipeline, enum pipeline_phase phase)
{
    pipeline->phase = phase;
    pipeline->phase_ns = attended_ns(pipeline);
}

/* ---- commands ---- */

bool pipeline_has_room(const struct pipeline *pipeline, size_t octets)
{
    size_t used =
        connection_unsent(pipeline->connection) + pendings_count(&pipeline->pendings) * sizeof(struct pending);
    return used + octets <= pipeline->setup->options.queue_bytes;
}

static uint64_t send_command(struct pipeline *pipeline, const struct pending *pending, const struct resp_part *parts,
                             unsigned count)
{
    uint64_t number = pipeline->pendings.next;
    if (!pendings_push(&pipeline->pendings, pending)) return 0;
    if (connection_send(pipeline->connection, parts, count)) return number;
    pipeline->pendings.next--;
    return 0;
}

uint64_t pipeline_send(struct pipeline *pipeline, enum command command, struct store_lookup *lookup,
                       const struct resp_part *parts, unsigned count)
{
    CHECK(pipeline_is_used(pipeline));
    const struct pending pending = {command, attended_ns(pipeline), lookup};
    return send_command(pipeline, &pending, parts, count);
}

/* The GET that shows whether the store can be used. */
static bool send_probe(struct pipeline *pipeline)
{
    char key[STORE_WORD_MAX + sizeof "probe"];
    const size_t size = (size_t)snprintf(key, sizeof key, "%sprobe", pipeline->setup->options.prefix);
    const struct resp_part get[] = {PART("GET"), {key, size}};
    const struct pending probe = {COMMAND_PROBE, attended_ns(pipeline), NULL};
    pipeline->probes++;
    return send_command(pipeline, &probe, get, 2) != 0;
}

/* AUTH if there is a password, and the first probe. */
static bool greet(struct pipeline *pipeline)
{
    const struct store_setup *setup = pipeline->setup;
    const struct resp_part user = {setup->options.user, strlen(setup->options.user)};
    const struct resp_part password = {setup->password, strlen(setup->password)};
    const struct resp_part of_default[] = {PART("AUTH"), password};
    const struct resp_part of_user[] = {PART("AUTH"), user, password};
    const struct pending auth = {COMMAND_AUTH, attended_ns(pipeline), NULL};
    bool has_user = user.size > 0;
    pipeline->probes = 0;
    pipeline->refusals = 0;
    if (password.size > 0 && send_command(pipeline, &auth, has_user ? of_user : of_default, has_user ? 3 : 2) == 0)
        return false;
    return send_probe(pipeline);
}

/* ---- the end of a connection ---- */

/* Closes the connection and tells the owner of the commands that have no reply. */
static void close_connection(struct pipeline *pipeline)
{
    connection_free(pipeline->connection);
    pipeline->connection = NULL;
    pipeline->has_cause = false;
    pipeline->phase = PIPELINE_DOWN;
    while (pendings_count(&pipeline->pendings) > 0) {
        const struct pending pending = pendings_take(&pipeline->pendings);
        if (pending.command != COMMAND_AUTH && pending.command != COMMAND_PROBE)
            pipeline->events->on_lost(pipeline->owner, &pending);
    }
    pipeline->judged = pipeline->pendings.first;
}

static void fail(struct pipeline *pipeline, const struct store_failure *failure)
{
    bool is_slow = failure->state != STORE_UNREACHABLE;
    count_event_by(pipeline->deps.counters, shared_failures, failure->label);
    show(pipeline, failure->state, failure->why);
    breaker_on_failure(&pipeline->breaker, is_slow, &pipeline->random, pipeline->deps.loop->now_ns);
    close_connection(pipeline);
}

static void on_end(void *owner, enum connection_end end, const char *why)
{
    struct pipeline *pipeline = owner;
    const struct store_failure failure = pipeline->has_cause ? pipeline->cause : store_failure_of_end(end, why);
    fail(pipeline, &failure);
}

/* ---- connecting and greeting ---- */

static const struct connection_events connection_events = {on_open, on_reply, on_end};

static void begin(struct pipeline *pipeline)
{
    const struct connection_deps deps = {pipeline->deps.loop, pipeline->deps.buffers, pipeline->deps.scratch};
    const struct store_setup *setup = pipeline->setup;
    const struct connection_target target = {setup->options.address, setup->options.tls_name, setup->tls};
    count_event(pipeline->deps.counters, shared_connects);
    pipeline->connection = connection_open(&deps, &target, &connection_events, pipeline);
    enter(pipeline, PIPELINE_OPENING);
    if (pipeline->connection) return;
    const struct store_failure failure = store_failure_of_end(CONNECTION_UNREACHABLE, strerrordesc_np(errno));
    fail(pipeline, &failure);
}

static void on_open(void *owner)
{
    struct pipeline *pipeline = owner;
    enter(pipeline, PIPELINE_GREETING);
    greet(pipeline); /* without memory no reply comes, and the time-out follows */
}

/* The connection ends for that cause, when this returns. */
static bool give_up(struct pipeline *pipeline, struct store_failure cause)
{
    pipeline->has_cause = true;
    pipeline->cause = cause;
    return false;
}

/* It answered our own question, in time or not. */
static bool take_probe(struct pipeline *pipeline, const struct pending *probe)
{
    if (attended_ns(pipeline) - probe->asked_ns > pipeline->setup->options.timeout_ns) {
        if (pipeline->probes < PIPELINE_PROBES_MAX && send_probe(pipeline)) return true;
        return give_up(pipeline, store_failure_slow());
    }
    enter(pipeline, PIPELINE_USED);
    breaker_on_use(&pipeline->breaker, pipeline->deps.loop->now_ns);
    show(pipeline, STORE_IN_USE, NULL);
    return true;
}

/* An error that says something of the store. WRONGTYPE does not: somebody else uses that key, but GET works. */
static bool is_refusal(const struct resp_reply *reply)
{
    static const char wrong_type[] = "WRONGTYPE";
    const size_t size = sizeof wrong_type - 1;
    return reply->kind == RESP_ERROR && (reply->size < size || memcmp(reply->bytes, wrong_type, size) != 0);
}

/* False: the connection ends. */
static bool take_greeting(struct pipeline *pipeline, const struct pending *pending, const struct resp_reply *reply)
{
    bool is_auth = pending->command == COMMAND_AUTH;
    if (is_refusal(reply)) return give_up(pipeline, store_failure_of_error(is_auth, reply));
    if (is_auth) return reply->kind == RESP_STATUS;
    return reply->kind != RESP_STATUS && take_probe(pipeline, pending);
}

/* ---- replies ---- */

/* What the time of a reply says of the store. */
static void judge(struct pipeline *pipeline, const struct pending *pending, bool is_in_time)
{
    uint64_t took_ns = attended_ns(pipeline) - pending->asked_ns;
    if (pending->command != COMMAND_LOOKUP) return;
    rtt_sample(&pipeline->rtt, took_ns);
    histogram_observe(cell_shared_duration(pipeline->deps.counters), took_ns, 1);
    if (is_in_time) breaker_on_answer(&pipeline->breaker);
}

/* False: the store refused one question too many. */
static bool take_refusal(struct pipeline *pipeline, const struct pending *pending, const struct resp_reply *reply)
{
    if (pending->command != COMMAND_LOOKUP) return true;
    pipeline->refusals = is_refusal(reply) ? pipeline->refusals + 1 : 0;
    return pipeline->refusals < PIPELINE_REFUSALS_MAX || give_up(pipeline, store_failure_of_error(false, reply));
}

static bool on_reply(void *owner, const struct resp_reply *reply)
{
    struct pipeline *pipeline = owner;
    if (pendings_count(&pipeline->pendings) == 0) return false; /* nobody asked */
    bool is_in_time = pipeline->pendings.first == pipeline->judged;
    const struct pending pending = pendings_take(&pipeline->pendings);
    if (is_in_time) pipeline->judged++;
    if (pipeline->phase == PIPELINE_GREETING) return take_greeting(pipeline, &pending, reply);
    judge(pipeline, &pending, is_in_time);
    if (pipeline->events->on_reply(pipeline->owner, &pending, reply)) return take_refusal(pipeline, &pending, reply);
    pipeline->phase = PIPELINE_DOWN; /* the connection ends when this returns */
    pipeline->events->on_lost(pipeline->owner, &pending);
    return false;
}

/* ---- time ---- */

/* Counts the lookups that were not answered in time. True: there were too many. */
static bool has_timed_out(struct pipeline *pipeline)
{
    uint64_t now_ns = attended_ns(pipeline), timeout_ns = pipeline->setup->options.timeout_ns;
    const struct pending *pending;
    while ((pending = pendings_find(&pipeline->pendings, pipeline->judged))) {
        if (now_ns - pending->asked_ns < timeout_ns) return false;
        pipeline->judged++;
        if (pending->command == COMMAND_LOOKUP && breaker_on_time_out(&pipeline->breaker, pending->asked_ns, now_ns))
            return true;
    }
    return false;
}

void pipeline_tick(struct pipeline *pipeline)
{
    if (!pipeline->setup) return;
    if (pipeline->connection && connection_has_more(pipeline->connection)) connection_resume(pipeline->connection);
    uint64_t passed_ns = attended_ns(pipeline) - pipeline->phase_ns;
    struct store_failure failure;
    switch (pipeline->phase) {
    case PIPELINE_DOWN:
        if (breaker_allows(&pipeline->breaker, pipeline->deps.loop->now_ns)) begin(pipeline);
        return;
    case PIPELINE_OPENING:
        if (passed_ns < PIPELINE_CONNECT_NS) return;
        failure = store_failure_connect_timeout();
        break;
    case PIPELINE_GREETING:
        if (passed_ns < PIPELINE_CONNECT_NS) return;
        failure = store_failure_slow();
        break;
    case PIPELINE_USED:
        if (!has_timed_out(pipeline)) return;
        failure = store_failure_slow();
        break;
    }
    fail(pipeline, &failure);
}

/* The loop's time at which so much attended time will have passed since `since_ns`. */
static uint64_t when(const struct pipeline *pipeline, uint64_t since_ns, uint64_t duration_ns)
{
    return since_ns + duration_ns + pipeline->deps.loop->own_delay_ns;
}

uint64_t pipeline_deadline_ns(const struct pipeline *pipeline)
{
    if (!pipeline->setup) return CLOCK_NEVER;
    if (pipeline->connection && connection_has_more(pipeline->connection)) return 0;
    switch (pipeline->phase) {
    case PIPELINE_DOWN: return pipeline->breaker.next_ns;
    case PIPELINE_OPENING:
    case PIPELINE_GREETING: return when(pipeline, pipeline->phase_ns, PIPELINE_CONNECT_NS);
    case PIPELINE_USED: break;
    }
    const struct pending *pending = pendings_find(&pipeline->pendings, pipeline->judged);
    return pending ? when(pipeline, pending->asked_ns, pipeline->setup->options.timeout_ns) : CLOCK_NEVER;
}

void pipeline_flush(struct pipeline *pipeline)
{
    if (pipeline->connection) connection_flush(pipeline->connection);
}

/* ---- life ---- */

void pipeline_init(struct pipeline *pipeline, const struct store_deps *deps, const struct pipeline_events *events,
                   void *owner)
{
    *pipeline = (struct pipeline){.deps = *deps, .events = events, .owner = owner, .random = {deps->seed}};
    breaker_init(&pipeline->breaker);
    pendings_init(&pipeline->pendings);
    pipeline->judged = pipeline->pendings.first;
}

void pipeline_set_setup(struct pipeline *pipeline, struct store_setup *setup)
{
    struct store_setup *former = pipeline->setup;
    bool is_same = former && setup && store_setup_is_same_store(former, setup);
    if (former && !is_same) close_connection(pipeline);
    pipeline->setup = store_setup_share(setup);
    store_setup_free(former);
    if (is_same) return;
    breaker_init(&pipeline->breaker);
    pipeline->rtt = (struct rtt){0};
    show(pipeline, setup ? STORE_UNREACHABLE : STORE_OFF, NULL);
}

void pipeline_done(struct pipeline *pipeline)
{
    connection_free(pipeline->connection);
    pendings_done(&pipeline->pendings);
    store_setup_free(pipeline->setup);
    pipeline->connection = NULL;
    pipeline->setup = NULL;
}
