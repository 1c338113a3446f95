/* What the tests of moving clients share: a second worker beside that of tcp_story.h, to which its clients go. */
#ifndef UNIT_CLIENTS_TCP_MOVE_STORY_H
#define UNIT_CLIENTS_TCP_MOVE_STORY_H

#include "clients/tcp_move.h"
#include "tcp_story.h"

static struct other {
    struct loop loop;
    struct buffers buffers;
    struct tcp_clients clients;
    struct counters *counters;
    atomic_uint load;
    uint8_t *scratch;
} other;

static inline int begin_both(void **state)
{
    begin(state);
    memset(&other, 0, sizeof other);
    other.counters = counters_new();
    other.scratch = malloc(CLIENT_SCRATCH_BYTES);
    buffers_init(&other.buffers);
    assert_true(loop_init(&other.loop));
    const struct tcp_clients_deps deps = {
        .loop = &other.loop,
        .buffers = &other.buffers,
        .counters = other.counters,
        .connections = story.connections,
        .busiest = story.busiest,
        .load = &other.load,
        .scratch = other.scratch,
        .moves_stopped = &story.moves_stopped,
    };
    assert_true(tcp_clients_init(&other.clients, &story_options, &deps));
    tcp_clients_set_access(&other.clients, story.clients.access);
    other.clients.on_message = on_message;
    return 0;
}

static inline int end_both(void **state)
{
    tcp_clients_done(&other.clients);
    assert_int_equal(other.load, 0);
    loop_done(&other.loop);
    buffers_done(&other.buffers);
    counters_free(other.counters);
    free(other.scratch);
    return end(state);
}

static inline void turn_other(void)
{
    loop_turn(&other.loop, 0);
    tcp_clients_tick(&other.clients, other.loop.now_ns);
}

/* What an inactive worker does, and what a busy one does that is to give so many queries of a window away. */
static inline void give_all(void)
{
    tcp_move_set(&story.clients, &other.clients, 0, true);
}

static inline void give(uint64_t queries)
{
    tcp_move_set(&story.clients, &other.clients, queries * 1000, false);
}

/* So many replies came since the last look. */
static inline void assert_answered(struct peer *peer, unsigned replies)
{
    read_some(peer);
    assert_int_equal(peer->received, replies * (FRAME_LENGTH_BYTES + REPLY_BYTES));
    peer->received = 0;
}

static inline void assert_places(unsigned here, unsigned there)
{
    assert_int_equal(story.clients.slots.taken, here);
    assert_int_equal(story.load, here);
    assert_int_equal(value_client_connections(story.counters), here);
    assert_int_equal(other.clients.slots.taken, there);
    assert_int_equal(other.load, there);
    assert_int_equal(value_client_connections(other.counters), there);
    assert_int_equal(connections_count(story.connections), here + there);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_both, end_both)

#endif
