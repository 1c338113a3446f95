/* Clients of a worker over socketpairs: how much of one is handled before others have their turn, and who gives way. */
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
    uint8_t *scratch;
    struct address address;
    struct peer peers[PEERS];
    unsigned handled;
} story;

static void read_some(struct peer *peer)
{
    static uint8_t bytes[1024 * 1024];
    ssize_t got = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0) return;
    peer->received += (size_t)got;
    peer->last = bytes[got - 1];
}

/* Every message gets a large reply, which ends in the message's last octet. */
static void on_message(struct tcp_clients *clients, const struct requester *requester,
                       const struct client_message *message)
{
    struct transport *transport = &clients->transport;
    assert_true(requester->batched);
    story.handled++;
    for (int i = 0; i < PEERS; i++)
        if (story.peers[i].reads) read_some(&story.peers[i]);
    uint8_t *reply = transport->begin_reply(requester, REPLY_BYTES);
    assert_non_null(reply);
    memset(reply, message->bytes[message->size - 1], REPLY_BYTES);
    transport->end_reply(requester, REPLY_BYTES);
}

static int begin(void **state)
{
    (void)state;
    static const struct hash_key hash_key = {1, 2};
    static const struct connections_options limits = {.max_connections = 64, .max_per_address = 64};
    static const struct tcp_client_options options = {
        .idle_timeout_ns = 30 * NS_PER_S,
        .read_timeout_ns = 5 * NS_PER_S,
        .first_timeout_ns = 10 * NS_PER_S,
        .max_in_flight = 100,
        .max_query_bytes = 4096,
        .max_unsent_bytes = 256 * 1024,
        .crowded_above = 64,
    };
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
    };
    assert_true(tcp_clients_init(&story.clients, &options, &slot));
    struct access_list *everybody = access_new(&(struct prefix){.bits = 0}, 1);
    tcp_clients_set_access(&story.clients, everybody);
    access_free(everybody);
    story.clients.on_message = on_message;
    return 0;
}

static int end(void **state)
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

static void turn(void)
{
    loop_turn(&story.loop, 0);
    tcp_clients_tick(&story.clients, story.loop.now_ns);
}

static struct peer *connect_peer(unsigned number, int send_buffer)
{
    int fds[2];
    struct peer *peer = &story.peers[number];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (send_buffer) setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    assert_int_equal(connections_admit(story.connections, &story.address, 0), CONNECTIONS_ADMITTED);
    atomic_fetch_add(&story.load, 1);
    assert_true(tcp_client_start(&story.clients, fds[1], &story.address));
    *peer = (struct peer){.fd = fds[0]};
    turn();
    return peer;
}

/* Queries that end in 1, 2, 3... */
static void attempt(struct peer *peer, unsigned count)
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

static bool is_open(const struct peer *peer)
{
    uint8_t byte;
    return recv(peer->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
}

static uint64_t shed_count(void)
{
    return value_client_closed(story.counters, LABEL_CLOSED_PRESSURE);
}

/* ---- turns ---- */

static void a_turn_makes_a_bounded_amount_of_replies(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    peer->reads = true;
    attempt(peer, 4000); /* 56 KB, for which 16 MB go out */
    while (story.handled < 4000) {
        unsigned before = story.handled;
        turn();
        assert_true(story.handled > before);
        assert_true((story.handled - before) * REPLY_BYTES <= TURN_MOST);
        assert_int_equal(tcp_clients_deadline_ns(&story.clients) == 0, story.handled < 4000); /* goes on at once */
    }
    read_some(peer);
    assert_int_equal(peer->received, 4000 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
    assert_int_equal(peer->last, 4000 % 256);
}

static void others_have_their_turn_before_the_rest_of_one(void **state)
{
    (void)state;
    struct peer *many = connect_peer(0, 0);
    struct peer *one = connect_peer(1, 0);
    many->reads = true;
    attempt(many, 4000);
    attempt(one, 1);
    turn();
    assert_true(story.handled < 1000);
    read_some(one);
    assert_int_equal(one->received, FRAME_LENGTH_BYTES + REPLY_BYTES);
}

static void what_was_held_back_is_answered_after_the_end_of_the_stream(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    peer->reads = true;
    attempt(peer, 1000);
    assert_int_equal(shutdown(peer->fd, SHUT_WR), 0);
    for (int i = 0; i < 100 && story.clients.slots.taken > 0; i++) turn();
    assert_int_equal(story.handled, 1000);
    assert_int_equal(story.clients.slots.taken, 0);
    read_some(peer);
    assert_int_equal(peer->received, 1000 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
}

static void the_front_of_a_message_behind_a_full_turn_waits_for_its_rest(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    peer->reads = true;
    attempt(peer, 65); /* just above what one turn makes */
    assert_int_equal(send(peer->fd, "\0\14front", 7, 0), 7);
    for (int i = 0; i < 5; i++) turn();
    assert_int_equal(story.handled, 65);
    assert_int_not_equal(tcp_clients_deadline_ns(&story.clients), 0); /* nothing to do till then */
    assert_int_equal(send(peer->fd, "-rest!!", 7, 0), 7);
    turn();
    assert_int_equal(story.handled, 66);
    read_some(peer);
    assert_int_equal(peer->last, '!');
}

/* ---- who gives way ---- */

static void the_silent_and_the_idle_give_way_first(void **state)
{
    (void)state;
    struct peer *slow = connect_peer(0, SMALL_BUFFER);
    attempt(slow, 100);
    turn();
    struct peer *idle = connect_peer(1, 0);
    attempt(idle, 1);
    turn();
    struct peer *silent = connect_peer(2, 0);
    tcp_clients_shed(&story.clients); /* one of so few */
    assert_false(is_open(silent));
    read_some(idle);
    assert_true(is_open(idle) && is_open(slow));
    tcp_clients_shed(&story.clients);
    assert_false(is_open(idle));
    assert_true(is_open(slow));
}

static void then_who_does_not_take_its_answers_longest_first(void **state)
{
    (void)state;
    struct peer *slow[3];
    for (unsigned i = 0; i < 3; i++) {
        slow[i] = connect_peer(i, SMALL_BUFFER);
        attempt(slow[i], 100);
        turn();
    }
    read_some(slow[0]); /* takes some, and so has waited least */
    turn();
    const unsigned order[] = {1, 2, 0};
    for (unsigned i = 0; i < 3; i++) {
        tcp_clients_shed(&story.clients);
        assert_int_equal(shed_count(), i + 1);
        for (int reads = 0; reads < 10; reads++) read_some(slow[order[i]]);
        assert_false(is_open(slow[order[i]]));
    }
    assert_int_equal(story.clients.slots.taken, 0);
}

static void one_in_sixteen_gives_way_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 17; i++) {
        connect_peer(i, SMALL_BUFFER);
        attempt(&story.peers[i], i == 9 ? 1 : 100); /* an idle one, the others slow */
        if (i == 9) read_some(&story.peers[i]);
        turn();
        read_some(&story.peers[9]);
    }
    turn();
    tcp_clients_shed(&story.clients);
    assert_int_equal(shed_count(), 2); /* the idle one, and one more */
    assert_int_equal(story.clients.slots.taken, 15);
    assert_false(is_open(&story.peers[9]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_makes_a_bounded_amount_of_replies, begin, end),
        cmocka_unit_test_setup_teardown(others_have_their_turn_before_the_rest_of_one, begin, end),
        cmocka_unit_test_setup_teardown(what_was_held_back_is_answered_after_the_end_of_the_stream, begin, end),
        cmocka_unit_test_setup_teardown(the_front_of_a_message_behind_a_full_turn_waits_for_its_rest, begin, end),
        cmocka_unit_test_setup_teardown(the_silent_and_the_idle_give_way_first, begin, end),
        cmocka_unit_test_setup_teardown(then_who_does_not_take_its_answers_longest_first, begin, end),
        cmocka_unit_test_setup_teardown(one_in_sixteen_gives_way_at_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
