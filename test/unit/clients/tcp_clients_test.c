/* Which clients are closed where room is needed. */
#include "tcp_story.h"

/* A message that takes its time gives way before a client that is idle, a message just begun does not. */
static void a_client_with_a_slow_message_is_closed_before_idle_ones(void **state)
{
    (void)state;
    struct peer *older = connect_peer(0, 0), *old = connect_peer(1, 0), *idle = connect_peer(2, 0);
    assert_int_equal(send(older->fd, "\0\14f", 3, 0), 3);
    turn();
    assert_int_equal(send(old->fd, "\0\14f", 3, 0), 3);
    attempt(idle, 1);
    turn();
    read_some(idle);
    story.loop.now_ns += NS_PER_S;
    tcp_clients_shed(&story.clients);
    assert_false(is_open(older));
    tcp_clients_shed(&story.clients);
    assert_false(is_open(old));
    struct peer *begun = connect_peer(3, 0);
    assert_int_equal(send(begun->fd, "\0\14f", 3, 0), 3);
    turn();
    tcp_clients_shed(&story.clients);
    assert_false(is_open(idle));
    tcp_clients_shed(&story.clients);
    assert_false(is_open(begun));
    assert_int_equal(shed_count(), 4);
}

static void the_silent_and_the_idle_are_closed_first(void **state)
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

static void one_connection_in_sixteen_is_closed_at_once(void **state)
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

/* ---- memory ---- */

/* Nothing of it can have been taken yet when it is made: how much waits says nothing of how fast it is read. */
static void many_replies_in_one_turn_are_all_kept(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, SMALL_BUFFER);
    for (unsigned i = 0; i < 8; i++) ask_later(peer);
    turn();
    assert_int_equal(story.waiting_count, 8);
    assert_true(answer_waiting(60000)); /* 480 kB, for which the socket has room for a few */
    for (unsigned i = 0; i < 1000 && peer->received < 8 * 60002; i++) {
        turn();
        read_some(peer);
    }
    assert_int_equal(peer->received, 8 * 60002);
    assert_true(is_open(peer));
}

static void one_client_takes_no_more_than_half(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, SMALL_BUFFER);
    story.clients.options.max_buffered_bytes = 512 * 1024;
    for (unsigned i = 0; i < 8; i++) ask_later(peer);
    turn();
    assert_false(answer_waiting(60000));
    turn();
    assert_int_equal(story.clients.slots.taken, 0);
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_SLOW), 1);
}

/* Those that hold most are closed, the others stay. */
static void memory_of_all_clients_is_bounded(void **state)
{
    (void)state;
    static uint8_t half[FRAME_LENGTH_BYTES + 4000] = {0x0f, 0xff};
    story.clients.options.max_buffered_bytes = 32 * 1024;
    struct peer *small = connect_peer(0, 0);
    assert_int_equal(send(small->fd, half, 100, 0), 100);
    turn();
    for (unsigned i = 1; i < PEERS; i++) {
        connect_peer(i, 0);
        assert_int_equal(send(story.peers[i].fd, half, sizeof half, 0), sizeof half);
        turn();
        assert_true(story.buffers.memory_bytes <= 32 * 1024);
    }
    assert_true(is_open(small));
    assert_true(shed_count() > 0 && story.clients.slots.taken > 1);
    assert_int_equal(shed_count() + story.clients.slots.taken, PEERS);
}

/* What may not be handled is left to the kernel: no more is read than the messages that may be in flight
 * can be long. */
static void no_more_is_read_than_may_be_handled(void **state)
{
    (void)state;
    story.clients.options.max_in_flight = 1;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    attempt(peer, 4000); /* 56 KB */
    for (unsigned i = 0; i < 5; i++) turn();
    assert_int_equal(story.waiting_count, 1);
    assert_true(story.buffers.memory_bytes <= 8192 + BUFFER_OVERHEAD_BYTES);
    peer->reads = true;
    assert_true(answer_waiting(100));
    for (unsigned i = 0; i < 10000 && story.handled < 4001; i++) turn();
    assert_int_equal(story.handled, 4001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_with_a_slow_message_is_closed_before_idle_ones, begin, end),
        cmocka_unit_test_setup_teardown(the_silent_and_the_idle_are_closed_first, begin, end),
        cmocka_unit_test_setup_teardown(then_who_does_not_take_its_answers_longest_first, begin, end),
        cmocka_unit_test_setup_teardown(one_connection_in_sixteen_is_closed_at_once, begin, end),
        cmocka_unit_test_setup_teardown(many_replies_in_one_turn_are_all_kept, begin, end),
        cmocka_unit_test_setup_teardown(one_client_takes_no_more_than_half, begin, end),
        cmocka_unit_test_setup_teardown(memory_of_all_clients_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(no_more_is_read_than_may_be_handled, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
