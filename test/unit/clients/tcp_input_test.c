/* How much of one client is handled before others have their turn. */
#include "tcp_story.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_makes_a_bounded_amount_of_replies, begin, end),
        cmocka_unit_test_setup_teardown(others_have_their_turn_before_the_rest_of_one, begin, end),
        cmocka_unit_test_setup_teardown(what_was_held_back_is_answered_after_the_end_of_the_stream, begin, end),
        cmocka_unit_test_setup_teardown(the_front_of_a_message_behind_a_full_turn_waits_for_its_rest, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
