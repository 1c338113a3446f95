/* What the tests of TCP clients share: the clients of a worker over socket pairs, and what their peers do. */
#ifndef UNIT_CLIENTS_TCP_STORY_H
#define UNIT_CLIENTS_TCP_STORY_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/tcp_clients.h"
#include "dns/message.h"

enum { PEERS = 20, QUERY_BYTES = 12, REPLY_BYTES = 4000, SMALL_BUFFER = 4096 };
enum { TURN_MOST = 2 * (256 + 64 + 4) * 1024 }; /* the loop's event and the turn behind it, and what is in the outbox */

/* The other end of a client. */
struct peer {
    int fd;
    bool reads; /* at once, as a thread of its own would */
    size_t received;
    unsigned char last; /* octet of the last reply: its number */
};

static struct story {
    struct loop loop;
    struct buffers buffers;
    struct tcp_clients clients;
    struct connections *connections;
    struct busiest *busiest;
    struct counters *counters;
    atomic_uint load;
    atomic_bool moves_stopped;
    uint8_t *scratch;
    struct address address;
    struct peer peers[PEERS];
    unsigned handled;
    struct requester waiting[8]; /* requesters of messages that end in "?w" */
    unsigned waiting_count;
} story;

static inline void read_some(struct peer *peer)
{
    static uint8_t bytes[1024 * 1024];
    ssize_t got = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0) return;
    peer->received += (size_t)got;
    peer->last = bytes[got - 1];
}

/* Every message gets a large reply, which ends in the message's last octet. */
static inline void on_message(struct tcp_clients *clients, const struct requester *requester,
                              const struct client_message *message)
{
    struct transport *transport = &clients->transport;
    assert_true(requester->batched);
    story.handled++;
    for (int i = 0; i < PEERS; i++)
        if (story.peers[i].reads) read_some(&story.peers[i]);
    uint8_t last = message->size > 0 ? message->bytes[message->size - 1] : 0;
    if (message->size < QUERY_BYTES) { /* broken, as the forwarder sees it */
        transport->end_reply(requester, 0);
        transport->abort(requester);
        return;
    }
    if (last == 'w' && message->bytes[message->size - 2] == '?') { /* is answered later */
        story.waiting[story.waiting_count] = *requester;
        story.waiting[story.waiting_count++].batched = false;
        return;
    }
    uint8_t *reply = transport->begin_reply(requester, REPLY_BYTES);
    assert_non_null(reply);
    memset(reply, last, REPLY_BYTES);
    transport->end_reply(requester, REPLY_BYTES);
}

static const struct tcp_client_options story_options = {
    .idle_timeout_ns = 30 * NS_PER_S,
    .read_timeout_ns = 5 * NS_PER_S,
    .first_timeout_ns = 10 * NS_PER_S,
    .max_in_flight = 100,
    .max_query_bytes = 4096,
    .max_unsent_bytes = 256 * 1024,
    .max_buffered_bytes = 16 << 20,
    .crowded_above = 64,
};

static inline int begin(void **state)
{
    (void)state;
    static const struct hash_key hash_key = {1, 2};
    static const struct connections_options limits = {
        .max_connections = 64, .max_per_address = 64, .ipv4_prefix = 32, .ipv6_prefix = 64};
    memset(&story, 0, sizeof story);
    story.connections = connections_new(&limits, &hash_key);
    story.busiest = busiest_new();
    story.counters = counters_new();
    story.scratch = malloc(CLIENT_SCRATCH_BYTES);
    buffers_init(&story.buffers);
    assert_true(loop_init(&story.loop));
    assert_true(address_parse("192.0.2.7:4711", 0, &story.address));
    const struct tcp_clients_deps slot = {
        .loop = &story.loop,
        .buffers = &story.buffers,
        .counters = story.counters,
        .connections = story.connections,
        .busiest = story.busiest,
        .load = &story.load,
        .scratch = story.scratch,
        .moves_stopped = &story.moves_stopped,
    };
    assert_true(tcp_clients_init(&story.clients, &story_options, &slot));
    struct access_list *everybody = access_new(&(struct prefix){.bits = 0}, 1);
    tcp_clients_set_access(&story.clients, everybody);
    access_free(everybody);
    story.clients.on_message = on_message;
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    tcp_clients_done(&story.clients);
    assert_int_equal(story.load, 0);
    assert_int_equal(connections_count(story.connections), 0);
    for (int i = 0; i < PEERS; i++)
        if (story.peers[i].fd > 0) close(story.peers[i].fd);
    loop_done(&story.loop);
    buffers_done(&story.buffers);
    connections_free(story.connections);
    busiest_free(story.busiest);
    counters_free(story.counters);
    free(story.scratch);
    return 0;
}

static inline void turn(void)
{
    loop_turn(&story.loop, 0);
    tcp_clients_tick(&story.clients, story.loop.now_ns);
}

static inline struct peer *connect_peer(unsigned number, int send_buffer)
{
    int fds[2];
    uint8_t bits;
    struct peer *peer = &story.peers[number];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (send_buffer) setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    assert_int_equal(connections_admit(story.connections, &story.address, 0, &bits), CONNECTIONS_ADMITTED);
    atomic_fetch_add(&story.load, 1);
    assert_true(tcp_client_start(&story.clients, fds[1], &story.address, bits));
    *peer = (struct peer){.fd = fds[0]};
    turn();
    return peer;
}

/* Queries that end in 1, 2, 3... */
static inline void attempt(struct peer *peer, unsigned count)
{
    uint8_t frames[4096 * (FRAME_LENGTH_BYTES + QUERY_BYTES)] = {0};
    uint8_t *at = frames;
    assert_true(count <= 4096);
    for (unsigned i = 1; i <= count; i++) {
        frame_put_length(at, QUERY_BYTES);
        at += FRAME_LENGTH_BYTES + QUERY_BYTES;
        at[-1] = (uint8_t)i;
    }
    assert_int_equal(send(peer->fd, frames, (size_t)(at - frames), 0), at - frames);
}

/* One message that is answered later. */
static inline void ask_later(const struct peer *peer)
{
    assert_int_equal(send(peer->fd, "\0\14..........?w", FRAME_LENGTH_BYTES + QUERY_BYTES, 0),
                     FRAME_LENGTH_BYTES + QUERY_BYTES);
}

/* Answers what was asked later, each with a reply of `size` bytes. False: its client has gone. */
static inline bool answer_waiting(size_t size)
{
    bool all = true;
    for (unsigned i = 0; i < story.waiting_count; i++) {
        struct transport *transport = &story.clients.transport;
        uint8_t *reply = transport->begin_reply(&story.waiting[i], size);
        all = all && reply;
        if (reply) memset(reply, 'w', size);
        transport->end_reply(&story.waiting[i], reply ? size : 0);
    }
    story.waiting_count = 0;
    return all;
}

static inline void allow_only(const char *prefix)
{
    struct prefix allowed;
    assert_true(prefix_parse(prefix, &allowed));
    struct access_list *access = access_new(&allowed, 1);
    tcp_clients_set_access(&story.clients, access);
    access_free(access);
}

static inline bool is_open(const struct peer *peer)
{
    uint8_t byte;
    ssize_t got = recv(peer->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got > 0 || (got < 0 && errno == EAGAIN);
}

static inline uint64_t shed_count(void)
{
    return value_client_closed(story.counters, LABEL_CLOSED_PRESSURE);
}

#endif
