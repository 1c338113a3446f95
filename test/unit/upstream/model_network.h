/* model_network: scripted upstreams in virtual time, under the real pool, dispatch and sessions. It takes the place of
 * channel.c and tls.c at link time. One test program, one model. */
#ifndef MODEL_NETWORK_H
#define MODEL_NETWORK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/pool.h"
#include "upstream/probe.h"
#include "upstream/state.h"
#include "upstream/upkeep.h"

enum { QUESTIONS_MAX = 1200, EVENTS_MAX = 65536, PENDING_MAX = 1024 };

enum model_end { END_CLOSE, END_RESET, END_SILENT };

/* How an upstream behaves. Zero: it answers each question after a round trip, in any order. */
struct script {
    uint64_t way_ns;       /* one way */
    uint64_t handshake_ns; /* more than the round trips of a handshake */
    bool refuses;          /* connections */
    bool drops_syn;
    bool plain_names;        /* answers each name, whatever it asks for */
    bool silent;             /* behind its TLS */
    bool serial;             /* answers the questions of a connection one after another */
    bool first_of_record;    /* reads the first message of a TLS record only */
    bool floods;             /* sends what nobody asked for */
    bool floods_later;       /* the same, a moment after the first question: who is answered quickly is answered */
    uint32_t answers_max;    /* of a connection; 0: no bound */
    enum model_end end;      /* what comes then */
    uint64_t fault_every_ns; /* all connections end, or fall silent, again and again; 0: never */
    enum model_end fault;
};

/* How the worker is delayed: now and then, for some time. Zero: never. */
struct delays {
    uint64_t every_ns; /* on average */
    uint64_t most_ns;  /* each, at most */
    bool in_turns;     /* a turn takes so long, and what it sent leaves when it ends; else a wait ends too late */
    bool of_machine;   /* the upstreams and the network stand still, too, as on a machine that is stopped */
};

/* What the first letter of a name asks for. */
enum kind { KIND_GOOD = 'g', KIND_SLOW = 's', KIND_DROP = 'd', KIND_CLOSE = 'c', KIND_GARBAGE = 'x' };

struct message {
    uint8_t bytes[QUESTION_QUERY_MAX];
    uint16_t size;
};

struct channel {
    struct channel_host *host;
    const struct channel_events *events;
    void *owner;
    unsigned upstream;
    unsigned number; /* events of one that is gone are ignored */
    enum channel_state state;
    bool one_message_per_record;
    bool split; /* the same, once what waits is written */
    uint32_t records;
    bool ended;  /* at the server */
    bool silent; /* the same, without a word */
    uint32_t answers;
    uint64_t busy_until_ns;
    struct list unwritten;
    struct list alive;
    struct message pending[PENDING_MAX]; /* not flushed yet */
    unsigned pending_count;
};

enum event_kind { EVENT_READY, EVENT_SERVE, EVENT_MESSAGE, EVENT_STRAY, EVENT_END };

struct event {
    uint64_t at_ns;
    uint64_t order; /* events of one moment come in the order in which they were made */
    enum event_kind kind;
    struct channel *channel;
    unsigned number;
    enum cause cause;
    struct message *message; /* owned; NULL with the other kinds */
};

struct question_story {
    struct exchange exchange;
    enum kind kind;
    uint64_t asked_ns;
    uint64_t took_ns;
    unsigned done;
    enum exchange_result result;
    uint8_t attempts;
    uint8_t lost;
};

static struct model {
    struct loop loop;
    struct buffers buffers;
    struct log log;
    struct counters *counters;
    struct pool *pool;
    struct pool_options options;
    struct script scripts[UPSTREAMS_MAX];
    uint64_t fault_ns[UPSTREAMS_MAX]; /* next */
    uint64_t slow_ns;                 /* of names that begin with 's' */
    struct delays delays;
    uint64_t delay_at_ns; /* the next one; */
    uint64_t turn_ns;     /* what the turn at hand takes */
    struct random random;
    struct event heap[EVENTS_MAX];
    unsigned events;
    uint64_t order;
    unsigned channels; /* opened so far */
    struct list alive;
    unsigned asked;
    unsigned finished;
    struct question_story questions[QUESTIONS_MAX];
    uint8_t scratch[16];
} model;

struct tls_context {
    int unused;
};

/* ---- events ---- */

static inline bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static inline void event_add(uint64_t at_ns, enum event_kind kind, struct channel *channel, enum cause cause,
                             const struct message *message)
{
    assert_true(model.events < EVENTS_MAX);
    struct event event = {at_ns, model.order++, kind, channel, channel->number, cause, NULL};
    if (message) {
        event.message = malloc(sizeof *message);
        assert_non_null(event.message);
        *event.message = *message;
    }
    unsigned at = model.events++;
    while (at > 0 && is_before(&event, &model.heap[(at - 1) / 2])) {
        model.heap[at] = model.heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    model.heap[at] = event;
}

static inline struct event event_take(void)
{
    struct event first = model.heap[0];
    struct event last = model.heap[--model.events];
    unsigned at = 0;
    for (;;) {
        unsigned child = 2 * at + 1;
        if (child >= model.events) break;
        if (child + 1 < model.events && is_before(&model.heap[child + 1], &model.heap[child])) child++;
        if (!is_before(&model.heap[child], &last)) break;
        model.heap[at] = model.heap[child];
        at = child;
    }
    model.heap[at] = last;
    return first;
}

/* ---- the channel ---- */

struct channel *channel_open(struct channel_host *host, const struct channel_target *target,
                             const struct channel_events *events, void *owner, enum cause *ret_cause)
{
    const struct upstream *upstream = ((struct session *)owner)->upstream;
    const struct script *script = &model.scripts[upstream->index];
    unsigned sessions = 1;
    *ret_cause = CAUSE_CONNECT_REFUSED;
    errno = ECONNREFUSED;
    if (script->refuses) return NULL;
    list_for_each (node, &upstream->sessions) sessions++;
    assert_in_range(sessions, 1, 2 * model.options.max_sessions);
    struct channel *channel = calloc(1, sizeof *channel);
    assert_non_null(channel);
    channel->host = host;
    channel->events = events;
    channel->owner = owner;
    channel->upstream = upstream->index;
    channel->number = ++model.channels;
    channel->one_message_per_record = target->one_message_per_record;
    list_init(&channel->unwritten);
    list_push(&model.alive, &channel->alive);
    if (!script->drops_syn)
        event_add(host->loop->now_ns + 4 * script->way_ns + script->handshake_ns, EVENT_READY, channel, CAUSE_CLOSED,
                  NULL);
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel) return;
    list_remove(&channel->unwritten);
    list_remove(&channel->alive);
    free(channel);
}

uint8_t *channel_room(struct channel *channel, size_t size)
{
    assert_true(size <= QUESTION_QUERY_MAX && channel->pending_count < PENDING_MAX);
    return channel->pending[channel->pending_count].bytes;
}

void channel_send(struct channel *channel, size_t size)
{
    assert_int_equal(channel->state, CHANNEL_READY);
    channel->pending[channel->pending_count++].size = (uint16_t)size;
    if (list_is_empty(&channel->unwritten)) list_push(&channel->host->unwritten, &channel->unwritten);
}

/* A message reaches the server: when will it be served? */
static inline void arrive(struct channel *channel, const struct message *message)
{
    const struct script *script = &model.scripts[channel->upstream];
    uint64_t at_ns = model.loop.now_ns + model.turn_ns + script->way_ns; /* it leaves when the turn ends */
    enum kind kind = message->bytes[DNS_HEADER_BYTES + 1];
    if (script->plain_names) kind = KIND_GOOD;
    if (script->floods_later)
        for (int i = 0; i < 5; i++)
            event_add(at_ns + script->way_ns + NS_PER_MS, EVENT_STRAY, channel, CAUSE_CLOSED, NULL);
    if (script->serial && channel->busy_until_ns > at_ns) at_ns = channel->busy_until_ns;
    if (kind == KIND_SLOW) at_ns += model.slow_ns;
    if (script->serial && kind != KIND_DROP) channel->busy_until_ns = at_ns;
    event_add(at_ns, EVENT_SERVE, channel, CAUSE_CLOSED, message);
}

void channels_flush(struct channel_host *host)
{
    struct list *node;
    while ((node = list_take(&host->unwritten))) {
        struct channel *channel = container_of(node, struct channel, unwritten);
        bool first_only = model.scripts[channel->upstream].first_of_record && !channel->one_message_per_record;
        for (unsigned i = 0; i < channel->pending_count; i++)
            if (i == 0 || !first_only) arrive(channel, &channel->pending[i]);
        channel->records += channel->one_message_per_record ? channel->pending_count : 1;
        channel->pending_count = 0;
        channel->one_message_per_record |= channel->split;
    }
}

void channels_resume(struct channel_host *host)
{
    (void)host;
}

bool channel_split_records(struct channel *channel)
{
    if (channel->split || channel->one_message_per_record) return false;
    channel->split = true;
    if (channel->pending_count == 0) channel->one_message_per_record = true;
    return true;
}

enum channel_state channel_state(const struct channel *channel)
{
    return channel->state;
}

uint32_t channel_records(const struct channel *channel)
{
    return channel->records;
}

bool channel_is_resumed(const struct channel *channel)
{
    (void)channel;
    return false;
}

int64_t channel_certificate_expiry_s(struct channel *channel)
{
    (void)channel;
    return 4102444800;
}

struct tls_ticket *channel_take_ticket(struct channel *channel)
{
    (void)channel;
    return NULL;
}

const char *channel_error(const struct channel *channel)
{
    (void)channel;
    return "as the script wants";
}

struct tls_context *tls_context_share(struct tls_context *context)
{
    return context;
}

void tls_context_free(struct tls_context *context)
{
    (void)context;
}

void tls_ticket_free(struct tls_ticket *ticket)
{
    (void)ticket;
}

void tls_trim(void)
{
}

/* ---- servers ---- */

static inline void end_at_server(struct channel *channel, enum model_end end, uint64_t now_ns)
{
    uint64_t at_ns = now_ns + model.scripts[channel->upstream].way_ns;
    channel->ended = true;
    if (end != END_SILENT) event_add(at_ns, EVENT_END, channel, end == END_CLOSE ? CAUSE_CLOSED : CAUSE_RESET, NULL);
}

/* Turns the query into its response, in place; garbage where the name asks for it. */
static inline void respond(struct message *message, enum kind kind)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
    uint8_t *bytes = message->bytes;
    size_t size = DNS_HEADER_BYTES;
    while (bytes[size]) size += 1u + bytes[size];
    size += 1 + 4;
    bytes[2] = 0x81;
    bytes[3] = 0x80;
    memset(bytes + 6, 0, 6);
    bytes[7] = kind == KIND_GARBAGE ? 9 : 1;
    memcpy(bytes + size, record, sizeof record);
    message->size = (uint16_t)(size + sizeof record);
}

/* `now_ns`: of the server, which is not delayed where the worker is. */
static inline void serve(struct channel *channel, struct message *message, uint64_t now_ns)
{
    const struct script *script = &model.scripts[channel->upstream];
    enum kind kind = message->bytes[DNS_HEADER_BYTES + 1];
    uint64_t at_ns = now_ns + script->way_ns;
    if (script->plain_names) kind = KIND_GOOD;
    if (channel->ended || script->silent || kind == KIND_DROP) return;
    if (kind == KIND_CLOSE) {
        end_at_server(channel, END_CLOSE, now_ns);
        return;
    }
    if (script->floods)
        for (int i = 0; i < 5; i++) event_add(at_ns, EVENT_STRAY, channel, CAUSE_CLOSED, NULL);
    respond(message, kind);
    event_add(at_ns, EVENT_MESSAGE, channel, CAUSE_CLOSED, message);
    if (++channel->answers == script->answers_max) end_at_server(channel, script->end, now_ns);
}

static inline void say(struct channel *channel, const uint8_t *bytes, size_t size)
{
    enum cause cause;
    if (!channel->events->on_message(channel->owner, bytes, size, &cause))
        channel->events->on_end(channel->owner, cause);
}

static inline struct channel *find_channel(const struct event *event)
{
    list_for_each (node, &model.alive) {
        struct channel *channel = container_of(node, struct channel, alive);
        if (channel == event->channel && channel->number == event->number) return channel;
    }
    return NULL;
}

static inline void deliver(struct event *event)
{
    static const uint8_t stray[] = {0x12, 0x34, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0};
    struct channel *channel = find_channel(event);
    if (channel) switch (event->kind) {
        case EVENT_READY:
            channel->state = CHANNEL_READY;
            channel->events->on_ready(channel->owner);
            break;
        case EVENT_SERVE: serve(channel, event->message, event->at_ns); break;
        case EVENT_MESSAGE: say(channel, event->message->bytes, event->message->size); break;
        case EVENT_STRAY: say(channel, stray, sizeof stray); break;
        case EVENT_END: channel->events->on_end(channel->owner, event->cause); break;
        }
    free(event->message);
}

#endif
