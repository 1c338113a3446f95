/* fake_channel: connections without sockets, for tests of the pool: they take the place of channel.c and tls.c at link
 * time, so that a test decides what an upstream does, and time is a number. Sessions and all above them are the real
 * ones. */
#ifndef FAKE_CHANNEL_H
#define FAKE_CHANNEL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/dispatch.h"
#include "upstream/pool.h"
#include "upstream/state.h"

enum { FAKE_SESSIONS_MAX = 512 };

/* What the test sees and decides. One test program, one world. */
static struct fake_world {
    struct session *sessions[FAKE_SESSIONS_MAX]; /* opened, in order; NULL once freed */
    bool resumed[FAKE_SESSIONS_MAX];
    bool one_message_per_record[FAKE_SESSIONS_MAX];
    unsigned opened;
    bool refuse[UPSTREAMS_MAX]; /* connecting to it fails at once */
    int tickets;                /* alive */
} world;

struct channel {
    struct channel_host *host;
    const struct channel_events *events;
    void *owner;
    enum channel_state state;
    bool resumed;
    uint32_t records; /* the messages of one turn make one */
    bool split;
    uint64_t written_ns;
    size_t sent_bytes; /* of the last message */
    uint8_t room[QUESTION_QUERY_MAX];
};

struct tls_context {
    int unused;
};

struct tls_ticket {
    int unused;
};

struct channel *channel_open(struct channel_host *host, const struct channel_target *target,
                             const struct channel_events *events, void *owner, enum cause *ret_cause)
{
    struct session *session = owner;
    *ret_cause = CAUSE_CONNECT_REFUSED;
    errno = ECONNREFUSED;
    if (world.refuse[session->upstream->index]) return NULL;
    assert_true(world.opened < FAKE_SESSIONS_MAX);
    struct channel *channel = calloc(1, sizeof *channel);
    *channel = (struct channel){.host = host, .events = events, .owner = owner, .resumed = target->ticket != NULL};
    world.resumed[world.opened] = channel->resumed;
    world.one_message_per_record[world.opened] = target->one_message_per_record;
    world.sessions[world.opened++] = session;
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel) return;
    for (unsigned i = 0; i < world.opened; i++)
        if (world.sessions[i] == channel->owner) world.sessions[i] = NULL;
    free(channel);
}

uint8_t *channel_room(struct channel *channel, size_t size)
{
    assert_true(size <= sizeof channel->room);
    return channel->room;
}

void channel_send(struct channel *channel, size_t size)
{
    assert_in_range(size, DNS_HEADER_BYTES, sizeof channel->room);
    if (channel->written_ns != channel->host->loop->now_ns) channel->records++;
    channel->written_ns = channel->host->loop->now_ns;
    channel->sent_bytes = size;
}

void channels_flush(struct channel_host *host)
{
    (void)host;
}

void channels_resume(struct channel_host *host)
{
    (void)host;
}

enum channel_state channel_state(const struct channel *channel)
{
    return channel->state;
}

bool channel_split_records(struct channel *channel)
{
    bool was_split = channel->split;
    channel->split = true;
    return !was_split;
}

uint32_t channel_records(const struct channel *channel)
{
    return channel->records;
}

bool channel_is_resumed(const struct channel *channel)
{
    return channel->resumed;
}

int64_t channel_certificate_expiry_s(struct channel *channel)
{
    (void)channel;
    return 4102444800;
}

struct tls_ticket *channel_take_ticket(struct channel *channel)
{
    if (channel->resumed) return NULL;
    world.tickets++;
    return calloc(1, sizeof(struct tls_ticket));
}

const char *channel_error(const struct channel *channel)
{
    (void)channel;
    return "as the test wants";
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
    if (!ticket) return;
    world.tickets--;
    free(ticket);
}

void tls_trim(void)
{
}

/* ---- what upstreams do ---- */

/* The handshake of the session opened as the n-th is done. */
static inline void fake_ready(unsigned n)
{
    assert_non_null(world.sessions[n]);
    struct channel *channel = world.sessions[n]->channel;
    channel->state = CHANNEL_READY;
    channel->events->on_ready(channel->owner);
}

/* It ends. */
static inline void fake_end(unsigned n, enum cause cause)
{
    assert_non_null(world.sessions[n]);
    struct channel *channel = world.sessions[n]->channel;
    channel->host->loop->now_ns += NS_PER_MS; /* what was asked has arrived there */
    channel->events->on_end(channel->owner, cause);
}

/* It says that message, of whatever content. False: the session refuses it, and is ended. */
static inline bool fake_say(unsigned n, const uint8_t *message, size_t size)
{
    struct channel *channel = world.sessions[n]->channel;
    enum cause cause;
    bool accepted = channel->events->on_message(channel->owner, message, size, &cause);
    if (!accepted) channel->events->on_end(channel->owner, cause);
    return accepted;
}

static inline struct attempt *fake_attempt(unsigned n, struct exchange *exchange)
{
    assert_non_null(world.sessions[n]);
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++)
        if (exchange->attempts[i].session == world.sessions[n]) return &exchange->attempts[i];
    fail_msg("the question is not in flight on session %u", n);
    abort(); /* cmocka does not tell the compiler that it never returns */
}

/* The response to a key: one A record or, where rcode is not 0, that alone. */
static inline size_t fake_response(uint8_t message[512], uint16_t id, const struct question_key *key, uint16_t rcode)
{
    size_t name_size = question_key_name_size(key);
    uint8_t header[] = {0, 0, 0x81, (uint8_t)(0x80 | rcode), 0, 1, 0, rcode == 0, 0, 0, 0, 0};
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
    size_t size = sizeof header;
    memcpy(message, header, sizeof header);
    dns_put_u16(message, id);
    memcpy(message + size, key->bytes, name_size);
    size += name_size;
    dns_put_u16(message + size, question_key_type(key));
    dns_put_u16(message + size + 2, DNS_CLASS_IN);
    size += 4;
    if (rcode == 0) {
        memcpy(message + size, record, sizeof record);
        size += sizeof record;
    }
    return size;
}

/* It answers the exchange. */
static inline void fake_answer(unsigned n, struct exchange *exchange, uint16_t rcode)
{
    uint8_t message[512];
    size_t size = fake_response(message, fake_attempt(n, exchange)->id, &exchange->key, rcode);
    assert_true(fake_say(n, message, size));
}

/* It answers with bytes that are no DNS message. */
static inline void fake_garbage(unsigned n, struct exchange *exchange)
{
    uint8_t garbage[] = {0, 0, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xff, 0xff};
    dns_put_u16(garbage, fake_attempt(n, exchange)->id);
    assert_true(fake_say(n, garbage, sizeof garbage));
}

#endif
