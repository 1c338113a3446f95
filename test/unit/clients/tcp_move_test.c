/* When a client goes to another worker, and that no query is lost on the way. */
#include "tcp_move_story.h"

/* ---- when ---- */

static void a_client_that_asks_goes_unread_and_is_answered_by_the_other(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    give_all();
    turn();
    assert_places(1, 0); /* it has not asked */
    attempt(peer, 3);
    turn();
    assert_int_equal(story.handled, 0);
    assert_int_equal(story.clients.slots.taken, 0);
    turn_other();
    assert_answered(peer, 3);
    assert_places(0, 1);
    assert_int_equal(value_client_moved(story.counters), 1);
    assert_int_equal(value_client_accepted(story.counters) + value_client_accepted(other.counters), 1);
}

/* Each loop is edge-triggered: an event that the move lost would leave the client unread for good. */
static void many_moves_lose_no_query(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    for (int i = 0; i < 2000; i++) {
        struct tcp_clients *from = i % 2 ? &other.clients : &story.clients;
        struct tcp_clients *to = i % 2 ? &story.clients : &other.clients;
        tcp_move_set(from, to, 0, true);
        tcp_move_set(to, NULL, 0, false);
        attempt(peer, 2);
        for (int n = 0; n < 2; n++) {
            turn();
            turn_other();
        }
        assert_answered(peer, 2);
        assert_int_equal(story.handled, 2 * (i + 1));
    }
    assert_places(1, 0);
    assert_int_equal(value_client_moved(story.counters) + value_client_moved(other.counters), 2000);
}

static void a_client_that_waits_for_an_answer_stays_and_is_read(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    turn();
    give_all();
    attempt(peer, 1);
    turn();
    assert_int_equal(story.handled, 2);
    assert_places(1, 0);
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    assert_answered(peer, 2);
    attempt(peer, 1);
    turn();
    turn_other();
    assert_answered(peer, 1);
    assert_places(0, 1);
}

static void a_client_within_a_message_stays_until_the_message_is_whole(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    assert_int_equal(send(peer->fd, "\0\14..", 4, 0), 4);
    turn();
    give_all();
    assert_int_equal(send(peer->fd, "........", 8, 0), 8);
    turn();
    assert_places(1, 0);
    assert_int_equal(send(peer->fd, "..", 2, 0), 2);
    turn();
    assert_answered(peer, 1);
    attempt(peer, 1);
    turn();
    turn_other();
    assert_answered(peer, 1);
    assert_places(0, 1);
}

static void a_client_with_replies_that_it_has_not_taken_stays(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, SMALL_BUFFER);
    attempt(peer, 20);
    turn();
    give_all();
    attempt(peer, 1);
    turn();
    assert_places(1, 0);
    for (int i = 0; i < 20; i++) {
        read_some(peer);
        turn();
        turn_other();
    }
    assert_int_equal(peer->received, 21 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
}

static void a_client_that_ends_stays(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    assert_int_equal(shutdown(peer->fd, SHUT_WR), 0);
    turn();
    give_all();
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    assert_answered(peer, 1);
    assert_places(0, 0);
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_CLIENT), 1);
}

static void nobody_goes_where_workers_end(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    give_all();
    story.moves_stopped = true;
    attempt(peer, 1);
    turn();
    assert_answered(peer, 1);
    assert_places(1, 0);
}

/* ---- those that always wait for answers ---- */

static void a_busy_clients_answers_come_first_and_then_it_goes(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    turn();
    give(100);
    attempt(peer, 2);
    turn();
    turn();
    assert_int_equal(story.handled, 1); /* the two are not read here */
    assert_places(1, 0);
    tcp_move_set(&story.clients, NULL, 0, false); /* the next window has no busy worker: it goes all the same */
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    assert_answered(peer, 1);
    turn_other();
    assert_answered(peer, 2);
    assert_places(0, 1);
}

static void whose_answers_take_too_long_stays_for_a_while(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    turn();
    give(100);
    attempt(peer, 1);
    turn();
    assert_true(tcp_clients_deadline_ns(&story.clients) <= story.loop.now_ns + TCP_LEAVING_NS);
    tcp_clients_tick(&story.clients, story.loop.now_ns + TCP_LEAVING_NS - 1);
    tcp_clients_tick(&story.clients, story.loop.now_ns + TCP_LEAVING_NS - 1);
    assert_int_equal(story.handled, 1);
    tcp_clients_tick(&story.clients, story.loop.now_ns + TCP_LEAVING_NS);
    tcp_clients_tick(&story.clients, story.loop.now_ns + TCP_LEAVING_NS);
    assert_int_equal(story.handled, 2);
    for (int i = 1; i < TCP_STAYS_S; i++) { /* seconds in which it asks */
        attempt(peer, 1);
        turn();
        assert_int_equal(story.handled, 2 + i);
        struct tcp_client *client = container_of(list_first(&story.clients.all), struct tcp_client, all);
        tcp_client_report_rate(client, story.loop.now_ns);
    }
    attempt(peer, 1);
    turn();
    struct tcp_client *client = container_of(list_first(&story.clients.all), struct tcp_client, all);
    tcp_client_report_rate(client, story.loop.now_ns);
    attempt(peer, 1);
    turn(); /* now it is not read again */
    assert_int_equal(story.handled, 2 + TCP_STAYS_S);
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    turn_other();
    assert_places(0, 1);
}

static void who_is_to_go_and_may_not_ask_any_more_is_closed(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    turn();
    give(100);
    attempt(peer, 1);
    turn();
    allow_only("203.0.113.0/24");
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    assert_answered(peer, 1);
    assert_false(is_open(peer));
    assert_places(0, 0);
}

static void who_is_to_go_and_a_stop_comes_is_answered_and_closed(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    turn();
    give(100);
    attempt(peer, 1);
    turn();
    story.moves_stopped = true;
    tcp_clients_drain(&story.clients);
    turn();
    assert_true(answer_waiting(REPLY_BYTES));
    turn();
    assert_answered(peer, 1);
    assert_places(0, 0);
}

/* ---- how many ---- */

static void no_more_queries_go_than_are_to_go(void **state)
{
    (void)state;
    struct peer *peers[8];
    for (unsigned i = 0; i < 8; i++) {
        peers[i] = connect_peer(i, 0);
        attempt(peers[i], 5);
        turn();
    }
    give(15);
    for (unsigned i = 0; i < 8; i++) attempt(peers[i], 5);
    turn();
    turn_other();
    assert_in_range(other.clients.slots.taken, 2, 4); /* each asked five in this window */
    for (unsigned i = 0; i < 8; i++) assert_answered(peers[i], 10);
}

static void a_client_that_asks_most_of_all_stays(void **state)
{
    (void)state;
    struct peer *heavy = connect_peer(0, 0), *light = connect_peer(1, 0);
    attempt(heavy, 40);
    attempt(light, 1);
    turn();
    assert_answered(heavy, 40);
    give(20);
    attempt(heavy, 40);
    attempt(light, 1);
    turn();
    turn_other();
    assert_places(1, 1);
    assert_answered(heavy, 40);
    assert_answered(light, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_asks_goes_unread_and_is_answered_by_the_other),
        TEST(many_moves_lose_no_query),
        TEST(a_client_that_waits_for_an_answer_stays_and_is_read),
        TEST(a_client_within_a_message_stays_until_the_message_is_whole),
        TEST(a_client_with_replies_that_it_has_not_taken_stays),
        TEST(a_client_that_ends_stays),
        TEST(nobody_goes_where_workers_end),
        TEST(a_busy_clients_answers_come_first_and_then_it_goes),
        TEST(whose_answers_take_too_long_stays_for_a_while),
        TEST(who_is_to_go_and_may_not_ask_any_more_is_closed),
        TEST(who_is_to_go_and_a_stop_comes_is_answered_and_closed),
        TEST(no_more_queries_go_than_are_to_go),
        TEST(a_client_that_asks_most_of_all_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
