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

/* ---- messages that came together ---- */

enum { TOGETHER_MOST = 256 };

/* What was told of messages before they were handed over, and what each said then of those behind it. */
static struct {
    struct client_message told[READ_AHEAD_MAX];
    unsigned told_count;
    unsigned told_at; /* the first of them was handed over as this one */
    unsigned calls;
    uint32_t behind[TOGETHER_MOST];
    unsigned count;
} together;

static void note_ahead(struct tcp_clients *clients, struct client_message *messages, unsigned count)
{
    (void)clients;
    assert_in_range(count, 2, READ_AHEAD_MAX); /* one alone has no other to overlap with */
    together.told_count = count;
    together.told_at = together.count;
    together.calls++;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(messages[i].refusal, REFUSAL_NONE);
        messages[i].read_ahead = (struct incoming *)(void *)&together.told[i]; /* comes back with the message */
        together.told[i] = messages[i];
    }
}

static void note_message(struct tcp_clients *clients, const struct requester *requester,
                         const struct client_message *message)
{
    assert_true(together.count < TOGETHER_MOST);
    if (message->read_ahead) {
        unsigned number = together.count - together.told_at;
        assert_true(number < together.told_count);
        assert_ptr_equal(message->read_ahead, &together.told[number]);
        assert_ptr_equal(message->bytes, together.told[number].bytes);
        assert_int_equal(message->size, together.told[number].size);
    }
    together.behind[together.count++] = message->behind;
    on_message(clients, requester, message);
}

static struct peer *connect_noted(void)
{
    memset(&together, 0, sizeof together);
    story.clients.read_ahead = note_ahead;
    story.clients.on_message = note_message;
    struct peer *peer = connect_peer(0, 0);
    peer->reads = true;
    return peer;
}

/* Of the messages that were handed over, `count` from `first` on were one row. */
static void assert_row(unsigned first, unsigned count)
{
    assert_true(first + count <= together.count);
    for (unsigned i = 0; i < count; i++) assert_int_equal(together.behind[first + i], count - 1 - i);
}

static void messages_that_came_together_are_told_together(void **state)
{
    (void)state;
    static const unsigned counts[][2] = {{1, 0}, {2, 1}, {16, 1}, {17, 1}, {18, 2}, {40, 3}}; /* messages, calls */
    struct peer *peer = connect_noted();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        together.count = together.calls = 0;
        attempt(peer, counts[i][0]);
        turn();
        assert_int_equal(together.count, counts[i][0]);
        assert_int_equal(together.calls, counts[i][1]);
        for (unsigned at = 0; at < counts[i][0]; at += READ_AHEAD_MAX)
            assert_row(at, counts[i][0] - at < READ_AHEAD_MAX ? counts[i][0] - at : READ_AHEAD_MAX);
        read_some(peer);
    }
}

static void a_message_that_is_not_whole_is_not_behind_another(void **state)
{
    (void)state;
    static const char frame[] = "\0\14..........?1";
    const size_t size = FRAME_LENGTH_BYTES + QUERY_BYTES;
    struct peer *peer = connect_noted();
    for (size_t front = 1; front < size; front += 6) {
        together.count = 0;
        attempt(peer, 3);
        assert_int_equal(send(peer->fd, frame, front, 0), front);
        turn();
        assert_int_equal(together.count, 3);
        assert_row(0, 3);
        assert_int_equal(send(peer->fd, frame + front, size - front, 0), size - front);
        attempt(peer, 1);
        turn();
        assert_int_equal(together.count, 5);
        assert_row(3, 2);
        read_some(peer);
    }
}

static void no_more_are_told_together_than_may_be_in_flight(void **state)
{
    (void)state;
    struct peer *peer = connect_noted();
    story.clients.options.max_in_flight = 5;
    for (unsigned i = 0; i < 3; i++) ask_later(peer);
    attempt(peer, 4);
    turn();
    assert_int_equal(story.handled, 7);
    assert_row(0, 5); /* of these three wait, so that two more may be in flight */
    assert_row(5, 2);
    assert_true(answer_waiting(REPLY_BYTES));
}

static void a_message_that_is_too_long_stands_alone(void **state)
{
    (void)state;
    static const size_t sizes[] = {QUERY_BYTES, QUERY_BYTES, 5000, 4097, QUERY_BYTES, QUERY_BYTES, QUERY_BYTES};
    static uint8_t frames[16 * 1024];
    struct peer *peer = connect_noted();
    uint8_t *at = frames;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        frame_put_length(at, sizes[i]);
        at += FRAME_LENGTH_BYTES + sizes[i];
    }
    assert_int_equal(send(peer->fd, frames, (size_t)(at - frames), 0), at - frames);
    turn();
    assert_int_equal(together.count, 7);
    assert_int_equal(together.calls, 2);
    assert_row(0, 2);
    assert_row(2, 1);
    assert_row(3, 1);
    assert_row(4, 3);
}

/* It was told of with the others. */
static void what_stands_behind_a_broken_message_is_not_handed_over(void **state)
{
    (void)state;
    static const char frames[] = "\0\14..........?1\0\3bad\0\14..........?2";
    struct peer *peer = connect_noted();
    assert_int_equal(send(peer->fd, frames, sizeof frames - 1, 0), sizeof frames - 1);
    turn();
    assert_int_equal(together.told_count, 3);
    assert_int_equal(together.count, 2);
    assert_int_equal(together.behind[1], 1);
    turn();
    read_some(peer);
    assert_int_equal(peer->received, FRAME_LENGTH_BYTES + REPLY_BYTES); /* of the one before it */
    assert_false(is_open(peer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_makes_a_bounded_amount_of_replies, begin, end),
        cmocka_unit_test_setup_teardown(others_have_their_turn_before_the_rest_of_one, begin, end),
        cmocka_unit_test_setup_teardown(what_was_held_back_is_answered_after_the_end_of_the_stream, begin, end),
        cmocka_unit_test_setup_teardown(the_front_of_a_message_behind_a_full_turn_waits_for_its_rest, begin, end),
        cmocka_unit_test_setup_teardown(messages_that_came_together_are_told_together, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_is_not_whole_is_not_behind_another, begin, end),
        cmocka_unit_test_setup_teardown(no_more_are_told_together_than_may_be_in_flight, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_is_too_long_stands_alone, begin, end),
        cmocka_unit_test_setup_teardown(what_stands_behind_a_broken_message_is_not_handed_over, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
