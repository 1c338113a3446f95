#include "upstream/session.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "dns/message.h"
#include "metrics/dnstap.h"

enum { WINDOW_MIN = 4 };

#define QUEUED_NS                                                                                                      \
    (100 * NS_PER_MS) /* on top of four times the least time: an answer this slow waited behind others                 \
                       *   \ */

/* ---- events of the channel ---- */

static void on_channel_ready(void *owner)
{
    struct session *session = owner;
    CHECK(session->state == SESSION_OPENING);
    session->state = SESSION_READY;
    session->used_ns = session->host->channels.loop->now_ns;
    session->heard_ns = session_attended_ns(session);
    session->host->on_ready(session);
}

static void copy_message(const struct session *session, enum dnstap_type type, const uint8_t *message, size_t size)
{
    const struct upstream_options *upstream = &session->upstream->options;
    enum dnstap_protocol protocol = upstream->transport == UPSTREAM_TLS ? DNSTAP_DOT : DNSTAP_TCP;
    dnstap_upstream_message(session->host->tap, type, protocol, &upstream->address, session->number, message, size);
}

/* A message that is no response at all: the stream cannot be trusted any more. */
static bool is_response(const uint8_t *message, size_t size)
{
    return size >= DNS_HEADER_BYTES && (message_flags(message) & DNS_QR);
}

static bool on_channel_message(void *owner, const uint8_t *message, size_t size, enum cause *ret_cause)
{
    struct session *session = owner;
    *ret_cause = CAUSE_FRAME;
    if (!is_response(message, size)) return false;
    if (session->host->tap) copy_message(session, DNSTAP_FORWARDER_RESPONSE, message, size);
    struct attempt *attempt = ids_find(&session->ids, message_id(message));
    if (!attempt && session->abandoned == 0) {
        *ret_cause = CAUSE_UNSOLICITED;
        return false;
    }
    session->used_ns = session->host->channels.loop->now_ns;
    session->heard_ns = session_attended_ns(session);
    if (++session->responses > channel_records(session->channel)) {
        session->upstream->reads_batches = true;
        session->upstream->one_message_per_record = false;
    }
    if (attempt) {
        CHECK(attempt->session == session);
        session->host->on_response(session, attempt, message, size);
        return true;
    }
    session->abandoned--;
    session->host->on_late_response(session);
    return true;
}

static void on_channel_end(void *owner, enum cause cause)
{
    struct session *session = owner;
    session->host->on_end(session, cause);
}

/* ---- opening and freeing ---- */

struct session *session_open(struct session_host *host, struct upstream *upstream, struct tls_context *tls, bool resume,
                             enum cause *ret_cause)
{
    static const struct channel_events events = {on_channel_ready, on_channel_message, on_channel_end};
    *ret_cause = CAUSE_CONNECT_ERROR;
    struct session *session = calloc(1, sizeof *session);
    if (!session) return NULL;
    session->host = host;
    session->upstream = upstream;
    session->full = !(resume && upstream->ticket);
    session->window = upstream->window;
    session->opened_ns = session->used_ns = host->channels.loop->now_ns;
    list_init(&session->of_upstream);
    list_init(&session->attempts);
    list_init(&session->overdue);
    const struct channel_target target = {
        .address = upstream->options.address,
        .name = upstream->options.name,
        .tls = upstream->options.transport == UPSTREAM_TLS ? tls : NULL,
        .ticket = session->full ? NULL : upstream->ticket,
        .one_message_per_record =
            upstream->one_message_per_record && host->channels.loop->now_ns < upstream->records_until_ns,
    };
    if (ids_init(&session->ids, host->max_in_flight))
        session->channel = channel_open(&host->channels, &target, &events, session, ret_cause);
    if (!session->channel) {
        int error = errno;
        session_free(session);
        errno = error;
        return NULL;
    }
    session->number = ++host->sessions_opened;
    list_push(&upstream->sessions, &session->of_upstream);
    return session;
}

void session_free(struct session *session)
{
    if (!session) return;
    CHECK(session->in_flight == 0);
    session->host->on_free(session);
    list_remove(&session->of_upstream);
    channel_free(session->channel);
    ids_done(&session->ids);
    free(session);
}

/* ---- attempts ---- */

static uint32_t length(const struct list *list)
{
    uint32_t count = 0;
    list_for_each (node, list) count++;
    return count;
}

bool session_is_sound(const struct session *session)
{
    uint32_t counted = 0;
    uint32_t leading = 0;
    list_for_each (node, &session->attempts) {
        counted += container_of(node, struct attempt, by_age)->counted;
        leading += container_of(node, struct attempt, by_age)->leading;
    }
    list_for_each (node, &session->overdue) {
        if (container_of(node, struct attempt, by_age)->counted) return false;
        leading += container_of(node, struct attempt, by_age)->leading;
    }
    return leading == session->leading &&
           length(&session->attempts) + length(&session->overdue) == session->in_flight &&
           session->ids.used == session->in_flight && session->counted == counted &&
           (session->counted > 0 || session->suspicion == 0) && (session->in_flight > 0 || !session->reserved);
}

bool session_start_attempt(struct session *session, struct attempt *attempt, const struct question_key *key,
                           uint64_t now_ns)
{
    CHECK(!attempt->session);
    CHECK(session->state == SESSION_READY && !session->doubted);
    uint8_t *room = channel_room(session->channel, QUESTION_QUERY_MAX);
    if (!room || !ids_take(&session->ids, attempt, &attempt->id)) return false;
    bool is_private = session->upstream->options.transport == UPSTREAM_TLS; /* padding hides nothing in plain text */
    const struct question_wire wire = {
        .id = attempt->id,
        .padding_block = is_private ? session->host->padding : 0,
        .without_edns = attempt->plain,
    };
    size_t size = question_write_query(key, &wire, room);
    if (session->host->tap) copy_message(session, DNSTAP_FORWARDER_QUERY, room, size);
    channel_send(session->channel, size);
    attempt->session = session;
    attempt->sent_ns = now_ns;
    attempt->sent_attended_ns = session_attended_ns(session);
    session->used_ns = now_ns;
    if (session->in_flight++ == 0) session->busy_ns = attempt->sent_attended_ns;
    session->leading += attempt->leading;
    session->counted++;
    session->sent++;
    attempt->counted = true;
    list_push(&session->attempts, &attempt->by_age);
    CHECK(session->in_flight == session->ids.used);
    return true;
}

static void uncount(struct attempt *attempt)
{
    struct session *session = attempt->session;
    if (!attempt->counted) return;
    CHECK(session->counted > 0);
    attempt->counted = false;
    session->counted--;
    if (session->counted == 0) session->suspicion = 0;
}

void session_mark_overdue(struct attempt *attempt)
{
    CHECK(attempt->session);
    list_remove(&attempt->by_age);
    list_push(&attempt->session->overdue, &attempt->by_age);
    uncount(attempt);
    CHECK_SLOW(session_is_sound(attempt->session));
}

static void release(struct attempt *attempt)
{
    struct session *session = attempt->session;
    CHECK(session->in_flight > 0);
    ids_give(&session->ids, attempt->id);
    list_remove(&attempt->by_age);
    uncount(attempt);
    CHECK(session->leading >= attempt->leading);
    session->leading -= attempt->leading;
    attempt->session = NULL;
    if (--session->in_flight == 0) session->reserved = false;
    session->host->room_made = true;
    CHECK(session->counted <= session->in_flight && session->in_flight == session->ids.used);
    CHECK(session->leading <= session->in_flight);
    CHECK_SLOW(session_is_sound(session));
}

void session_forget(struct attempt *attempt)
{
    if (!attempt->session) return;
    attempt->session->abandoned++;
    release(attempt);
}

void session_forget_answered(struct attempt *attempt)
{
    if (attempt->session) release(attempt);
}

/* Answers that queue up behind each other narrow the window, once for the questions of a round trip; others let it grow
 * by one each. If the upstream answers out of order the time of one says nothing of those behind it. */
static void adapt_window(struct session *session, const struct attempt *attempt, uint64_t took_ns)
{
    struct upstream *upstream = session->upstream;
    bool queued = took_ns > QUEUED_NS + 4 * upstream->rtt.least_ns && !upstream->reorders && session->in_flight > 2;
    if (!queued && session->window < session->host->max_in_flight) session->window++;
    if (queued && attempt->sent_attended_ns >= session->narrowed_ns) {
        uint32_t window = session->in_flight < session->window ? session->in_flight : session->window;
        session->window = window - window / 4 > WINDOW_MIN ? window - window / 4 : WINDOW_MIN;
        session->narrowed_ns = attempt->sent_attended_ns + took_ns;
    }
    if (session->window > session->host->max_in_flight) session->window = session->host->max_in_flight;
    upstream->window = session->window;
}

void session_count_answer(struct attempt *attempt, uint64_t took_ns)
{
    struct session *session = attempt->session;
    struct upstream *upstream = session->upstream;
    CHECK(session->answers < session->sent);
    if (session_oldest_attempt(session) != attempt && session->overdue.next == &session->overdue &&
        took_ns < rtt_timeout_ns(&upstream->rtt))
        upstream->reorders = true;
    session->answers++;
    adapt_window(session, attempt, took_ns);
    upstream_learn_answers(upstream, session->answers, session->host->channels.loop->now_ns);
    release(attempt);
}

/* ---- state ---- */

void session_drain(struct session *session, enum cause cause)
{
    CHECK(session->state == SESSION_READY || session->state == SESSION_DRAINING);
    session->state = SESSION_DRAINING;
    session->drain_cause = cause;
}

void session_doubt(struct session *session, uint64_t now_ns)
{
    CHECK(session->state != SESSION_OPENING);
    if (!session->doubted) session->doubted_ns = now_ns;
    session->doubted = true;
}

bool session_trust(struct session *session)
{
    bool doubted = session->doubted;
    session->doubted = false;
    return doubted;
}

uint64_t session_silent_since_ns(const struct session *session)
{
    if (session->in_flight == 0) return CLOCK_NEVER;
    return session->heard_ns > session->busy_ns ? session->heard_ns : session->busy_ns;
}

struct attempt *session_oldest_attempt(const struct session *session)
{
    const struct list *node = list_first(&session->overdue); /* all of them older than those in time */
    if (!node) node = list_first(&session->attempts);
    return node ? container_of(node, struct attempt, by_age) : NULL;
}

uint32_t session_answers_left(const struct session *session)
{
    uint32_t max = session->upstream->answers_max;
    if (max == UINT32_MAX) return max;
    if (session->answers < max) return max - session->answers;
    return session->upstream->ends_silently ? 0 : 1; /* one more shows whether the bound holds */
}

static unsigned count(const struct upstream *upstream, bool (*is_counted)(const struct session *))
{
    unsigned sessions = 0;
    list_for_each (node, &upstream->sessions) sessions += is_counted(container_of(node, struct session, of_upstream));
    return sessions;
}

static bool is_opening(const struct session *session)
{
    return session->state == SESSION_OPENING;
}

unsigned session_count_opening(const struct upstream *upstream)
{
    return count(upstream, is_opening);
}

unsigned session_count_open(const struct upstream *upstream)
{
    return count(upstream, session_is_open);
}
