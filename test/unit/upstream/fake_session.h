/* fake_session: sessions without sockets, for tests of the pool: they take the place of session.c and tls.c at link
 * time, so that a test decides what an upstream does, and time is a number. */
#ifndef FAKE_SESSION_H
#define FAKE_SESSION_H

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
#include "upstream/session.h"
#include "upstream/tls.h"

enum { FAKE_SESSIONS_MAX = 256 };

/* What the test sees and decides. One test program, one world. */
static struct fake_world {
    struct session *sessions[FAKE_SESSIONS_MAX]; /* opened, in order; NULL once freed */
    bool resumed[FAKE_SESSIONS_MAX];
    unsigned opened;
    bool refuse[UPSTREAMS_MAX]; /* connecting to it fails at once */
    int tickets;                /* alive */
} world;

struct tls {
    bool resumed;
};

struct tls_context {
    int unused;
};

struct tls_ticket {
    int unused;
};

struct session *session_open(struct session_host *host, struct upstream *upstream, struct tls_context *tls, bool resume,
                             unsigned *ret_failure)
{
    (void)tls;
    *ret_failure = LABEL_FAILURE_REFUSED;
    errno = ECONNREFUSED;
    if (world.refuse[upstream->index]) return NULL;
    assert_true(world.opened < FAKE_SESSIONS_MAX);
    struct session *session = calloc(1, sizeof *session);
    session->host = host;
    session->upstream = upstream;
    session->full = !(resume && upstream->ticket);
    session->opened_ns = session->used_ns = host->loop->now_ns;
    session->tls = calloc(1, sizeof *session->tls);
    session->tls->resumed = !session->full;
    list_init(&session->dirty);
    list_init(&session->attempts);
    list_init(&session->overdue);
    list_push(&upstream->sessions, &session->of_upstream);
    world.resumed[world.opened] = !session->full;
    world.sessions[world.opened++] = session;
    return session;
}

void session_free(struct session *session)
{
    assert_int_equal(session->in_flight, 0);
    for (unsigned i = 0; i < world.opened; i++)
        if (world.sessions[i] == session) world.sessions[i] = NULL;
    list_remove(&session->of_upstream);
    free(session->tls);
    free(session);
}

bool session_start_attempt(struct session *session, struct attempt *attempt, const struct question_key *key,
                           uint64_t now_ns)
{
    (void)key;
    attempt->session = session;
    attempt->sent_ns = now_ns;
    session->used_ns = now_ns;
    session->in_flight++;
    session->counted++;
    attempt->counted = true;
    if (session->asked_in_silence++ == 0) session->silent_from_ns = now_ns;
    list_push(&session->attempts, &attempt->by_age);
    return true;
}

static void uncount(struct attempt *attempt)
{
    if (!attempt->counted) return;
    attempt->counted = false;
    attempt->session->counted--;
    if (attempt->session->counted == 0) attempt->session->suspicion = 0;
}

void session_mark_overdue(struct attempt *attempt)
{
    list_remove(&attempt->by_age);
    list_push(&attempt->session->overdue, &attempt->by_age);
    uncount(attempt);
}

void session_forget(struct attempt *attempt)
{
    struct session *session = attempt->session;
    if (!session) return;
    list_remove(&attempt->by_age);
    uncount(attempt);
    attempt->session = NULL;
    session->in_flight--;
}

void session_drain(struct session *session, unsigned label)
{
    session->state = SESSION_DRAINING;
    session->drain_label = label;
}

void session_flush(struct session *session)
{
    (void)session;
}

struct tls_context *tls_context_share(struct tls_context *context)
{
    return context;
}

void tls_context_free(struct tls_context *context)
{
    (void)context;
}

bool tls_is_resumed(const struct tls *tls)
{
    return tls->resumed;
}

int64_t tls_certificate_expiry_s(struct tls *tls)
{
    (void)tls;
    return 4102444800;
}

struct tls_ticket *tls_take_ticket(struct tls *tls)
{
    if (tls->resumed) return NULL;
    world.tickets++;
    return calloc(1, sizeof(struct tls_ticket));
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

const char *tls_error(const struct tls *tls)
{
    (void)tls;
    return "as the test wants";
}

/* ---- what upstreams do ---- */

/* The handshake of the session opened as the n-th is done. */
static inline void fake_ready(unsigned n)
{
    struct session *session = world.sessions[n];
    assert_non_null(session);
    session->state = SESSION_READY;
    session->host->on_ready(session);
}

/* It ends, for a reason of LABEL_FAILURE_. */
static inline void fake_end(unsigned n, unsigned failure)
{
    assert_non_null(world.sessions[n]);
    world.sessions[n]->host->loop->now_ns += NS_PER_MS; /* what was asked has arrived there */
    world.sessions[n]->host->on_end(world.sessions[n], failure);
}

/* It answers the exchange, with one A record or, where rcode is not 0, with that alone. */
static inline void fake_answer(unsigned n, struct exchange *exchange, uint16_t rcode)
{
    struct session *session = world.sessions[n];
    struct attempt *attempt =
        exchange->attempts[0].session == session ? &exchange->attempts[0] : &exchange->attempts[1];
    const struct question_key *key = &exchange->key;
    size_t name_size = question_key_name_size(key);
    uint8_t message[512] = {0, 0, 0x81, (uint8_t)(0x80 | rcode), 0, 1, 0, rcode == 0, 0, 0, 0, 0};
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
    size_t size = DNS_HEADER_BYTES;
    assert_non_null(session);
    assert_ptr_equal(attempt->session, session);
    memcpy(message + size, key->bytes, name_size);
    size += name_size;
    dns_put_u16(message + size, question_key_type(key));
    dns_put_u16(message + size + 2, DNS_CLASS_IN);
    size += 4;
    if (rcode == 0) {
        memcpy(message + size, record, sizeof record);
        size += sizeof record;
    }
    session->used_ns = session->heard_ns = session->host->loop->now_ns;
    session->asked_in_silence = 0;
    session->host->on_response(session, attempt, message, size);
}

/* It answers with bytes that are no DNS message. */
static inline void fake_garbage(unsigned n, struct exchange *exchange)
{
    static const uint8_t garbage[] = {0, 0, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xff, 0xff};
    struct session *session = world.sessions[n];
    struct attempt *attempt =
        exchange->attempts[0].session == session ? &exchange->attempts[0] : &exchange->attempts[1];
    session->heard_ns = session->host->loop->now_ns;
    session->asked_in_silence = 0;
    session->host->on_response(session, attempt, garbage, sizeof garbage);
}

#endif
