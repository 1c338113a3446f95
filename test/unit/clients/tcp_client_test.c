/* How a client ends: what waits is answered, whatever ends its input. */
#include "tcp_story.h"

static void what_waits_is_answered_before_a_broken_frame_closes(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    assert_int_equal(send(peer->fd, "\0\1x", 3, 0), 3);
    attempt(peer, 1); /* behind the broken one: not looked at */
    turn();
    assert_int_equal(story.waiting_count, 1);
    assert_int_equal(story.clients.slots.taken, 1);
    attempt(peer, 1);
    turn();
    assert_int_equal(story.handled, 2);
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    read_some(peer);
    assert_int_equal(peer->received, FRAME_LENGTH_BYTES + REPLY_BYTES);
    assert_false(is_open(peer));
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_PROTOCOL), 1);
}

static void a_broken_frame_alone_closes_at_once(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    assert_int_equal(send(peer->fd, "\0\0", 2, 0), 2);
    turn();
    assert_false(is_open(peer));
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_PROTOCOL), 1);
}

/* The idle time that ran before the question must not end it. */
static void a_half_closed_client_gets_what_it_waits_for(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    attempt(peer, 1);
    turn();
    ask_later(peer);
    assert_int_equal(shutdown(peer->fd, SHUT_WR), 0);
    turn();
    assert_int_equal(story.waiting_count, 1);
    tcp_clients_tick(&story.clients, story.loop.now_ns + 100 * NS_PER_S);
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    read_some(peer);
    assert_int_equal(peer->received, 2 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_CLIENT), 1);
}

static void a_client_that_may_not_ask_any_more_is_closed(void **state)
{
    (void)state;
    struct peer *idle = connect_peer(0, 0), *waits = connect_peer(1, 0), *halfway = connect_peer(2, 0);
    attempt(idle, 1);
    ask_later(waits);
    assert_int_equal(send(halfway->fd, "\0\14front", 7, 0), 7);
    turn();
    allow_only("192.0.2.0/24");
    turn();
    assert_int_equal(story.clients.slots.taken, 3); /* all are still allowed */
    allow_only("198.51.100.0/24");
    ask_later(waits); /* too late */
    turn();
    assert_int_equal(story.clients.slots.taken, 1);
    assert_false(is_open(halfway));
    assert_int_equal(story.waiting_count, 1);
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    read_some(waits);
    assert_int_equal(waits->received, FRAME_LENGTH_BYTES + REPLY_BYTES);
    assert_int_equal(story.clients.slots.taken, 0);
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_ACCESS), 3);
    assert_int_equal(value_access_denied(story.counters), 3);
}

static void a_client_that_came_before_the_list_changed_is_closed(void **state)
{
    (void)state;
    allow_only("198.51.100.0/24");
    struct peer *peer = connect_peer(0, 0);
    assert_false(is_open(peer));
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_ACCESS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_waits_is_answered_before_a_broken_frame_closes, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_frame_alone_closes_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_half_closed_client_gets_what_it_waits_for, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_may_not_ask_any_more_is_closed, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_came_before_the_list_changed_is_closed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
