/* http_connections: which connection has a slot, which is replaced, and the bounds on all responses together. */
#include <stdio.h>

#include "http_world.h"

/* Clients until every slot is taken. */
static unsigned come_all(struct world *world)
{
    unsigned first = come(world);
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++) come(world);
    assert_int_equal(count_in(world, HTTP_FREE), 0);
    return first;
}

static void a_new_connection_replaces_the_one_idle_longest(void **state)
{
    struct world *world = *state;
    unsigned first = come_all(world);
    assert_true(http_connections_have_slot(&world->connections));
    unsigned newcomer = come(world);
    assert_true(is_closed(world, first));
    assert_false(is_closed(world, first + 1));
    say(world, newcomer, REQUEST);
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, newcomer, ANSWER);
}

/* Idle counts from the last answer, so whoever was answered lately is not the oldest_evictable. */
static void who_was_answered_lately_stays(void **state)
{
    struct world *world = *state;
    unsigned first = come_all(world);
    say(world, first, REQUEST);
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, first, ANSWER);
    pass(world, NS_PER_MS);
    come(world);
    assert_false(is_closed(world, first));
    assert_true(is_closed(world, first + 1));
}

/* A trickle makes nobody younger than it is. */
static void a_client_that_sends_byte_by_byte_is_closed_in_its_turn(void **state)
{
    struct world *world = *state;
    unsigned first = come(world);
    say(world, first, "G");
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++) say(world, come(world), "G");
    say(world, first, "E");
    say(world, first, "T");
    come(world);
    assert_true(is_closed(world, first));
    assert_false(is_closed(world, first + 1));
}

static void a_client_that_does_not_read_is_closed(void **state)
{
    struct world *world = *state;
    enum { SIZE = 100 * 1000 };
    char *answer = large_answer(SIZE);
    unsigned slow = come(world);
    say(world, slow, REQUEST);
    reply(world, serve(world, REQUEST), answer, SIZE);
    assert_int_equal(count_in(world, HTTP_RESPONDING), 1);
    pass(world, NS_PER_MS);
    for (unsigned i = 1; i < HTTP_CONNECTIONS_MAX; i++) come(world);
    come(world);
    assert_int_equal(count_in(world, HTTP_RESPONDING), 0);
    assert_false(is_closed(world, slow + 1));
    free(answer);
}

static void a_few_are_asked_at_once_and_the_rest_in_order(void **state)
{
    struct world *world = *state;
    int fds[HTTP_FORWARDED_MAX];
    char request[64];
    unsigned first = world->client_count;
    for (unsigned i = 0; i < 2 * HTTP_FORWARDED_MAX; i++) {
        snprintf(request, sizeof request, "GET /%u HTTP/1.1\r\nHost: x\r\n\r\n", i);
        say(world, come(world), request);
    }
    assert_int_equal(count_in(world, HTTP_FORWARDED), HTTP_FORWARDED_MAX);
    assert_int_equal(count_in(world, HTTP_WAITING), HTTP_FORWARDED_MAX);
    for (unsigned i = 0; i < HTTP_FORWARDED_MAX; i++) {
        snprintf(request, sizeof request, "GET /%u HTTP/1.1\r\nHost: x\r\n\r\n", i);
        fds[i] = serve(world, request);
    }
    for (unsigned i = 0; i < HTTP_FORWARDED_MAX; i++) {
        reply(world, fds[i], ANSWER, strlen(ANSWER));
        expect(world, first + i, ANSWER);
        snprintf(request, sizeof request, "GET /%u HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_FORWARDED_MAX + i);
        fds[i] = serve(world, request);
    }
    for (unsigned i = 0; i < HTTP_FORWARDED_MAX; i++) {
        reply(world, fds[i], ANSWER, strlen(ANSWER));
        expect(world, first + HTTP_FORWARDED_MAX + i, ANSWER);
    }
    assert_int_equal(count_in(world, HTTP_IDLE), 2 * HTTP_FORWARDED_MAX);
}

/* Whoever waits for us does not give way; but an answer ends its connection while somebody waits outside. */
static void when_all_ask_the_first_answered_makes_room(void **state)
{
    struct world *world = *state;
    unsigned first = world->client_count;
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) say(world, come(world), REQUEST REQUEST);
    assert_false(http_connections_have_slot(&world->connections));
    unsigned refused = come(world);
    assert_true(is_closed(world, refused));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, first, ANSWER);
    expect_end(world, first);
    assert_true(http_connections_have_slot(&world->connections));
    say(world, come(world), REQUEST);
    assert_false(http_connections_have_slot(&world->connections));
}

/* Without somebody outside, connections go on. */
static void room_made_is_forgotten(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) say(world, come(world), REQUEST);
    assert_false(http_connections_have_slot(&world->connections));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    assert_true(http_connections_have_slot(&world->connections));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    assert_int_equal(count_in(world, HTTP_IDLE), 1);
}

static void a_request_that_waits_too_long_gets_503(void **state)
{
    struct world *world = *state;
    unsigned first = world->client_count;
    for (unsigned i = 0; i < HTTP_FORWARDED_MAX + 1; i++) say(world, come(world), REQUEST);
    assert_int_equal(count_in(world, HTTP_WAITING), 1);
    pass(world, 6 * NS_PER_S);
    expect_refusal(world, first + HTTP_FORWARDED_MAX, "503 ");
    expect_refusal(world, first, "503 ");
}

static void all_answers_together_are_bounded(void **state)
{
    struct world *world = *state;
    enum { SIZE = 900 * 1000, READERS = 8 };
    char *answer = large_answer(SIZE);
    unsigned first = world->client_count;
    for (unsigned i = 0; i < READERS; i++) {
        say(world, come(world), REQUEST);
        reply(world, serve(world, REQUEST), answer, SIZE);
        size_t held = 0;
        for (unsigned j = 0; j < HTTP_CONNECTIONS_MAX; j++)
            if (world->connections.list[j].response) held += world->connections.list[j].response->capacity;
        assert_true(held <= HTTP_RESPONSES_BYTES_MAX);
    }
    unsigned left = count_in(world, HTTP_RESPONDING);
    assert_true(left > 1 && left < READERS);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX - left);
    assert_true(world->connections.list[0].client.fd >= 0);
    for (unsigned i = 0; i < READERS; i++) leave(world, first + i);
    turn(world);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
    free(answer);
}

/* Whoever goes on sending behind its last answer does not do so for ever, nor in one turn. */
static void who_never_stops_sending_is_cut_off(void **state)
{
    struct world *world = *state;
    char rubbish[4096] = {0};
    unsigned client = come(world);
    say(world, client, REQUEST);
    reply(world, serve(world, REQUEST), LAST, strlen(LAST));
    assert_int_equal(count_in(world, HTTP_CLOSING), 1);
    size_t sent = 0;
    while (count_in(world, HTTP_FREE) < HTTP_CONNECTIONS_MAX) {
        ssize_t more = send(world->clients[client], rubbish, sizeof rubbish, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (more > 0) sent += (size_t)more;
        assert_true(sent < 4 * 1024 * 1024);
        loop_turn(&world->loop, 0);
    }
}

static void who_does_not_close_is_closed(void **state)
{
    struct world *world = *state;
    say(world, come(world), REQUEST);
    reply(world, serve(world, REQUEST), LAST, strlen(LAST));
    pass(world, NS_PER_S);
    assert_int_equal(count_in(world, HTTP_CLOSING), 1);
    pass(world, 3 * NS_PER_S);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
}

static void without_anybody_nothing_is_waited_for(void **state)
{
    struct world *world = *state;
    assert_true(http_connections_deadline_ns(&world->connections) == CLOCK_NEVER);
    unsigned client = come(world);
    assert_true(http_connections_deadline_ns(&world->connections) <= world->loop.now_ns + 5 * NS_PER_S);
    say(world, client, "G");
    assert_true(http_connections_deadline_ns(&world->connections) <= world->loop.now_ns + 2 * NS_PER_S);
    leave(world, client);
    turn(world);
    assert_true(http_connections_deadline_ns(&world->connections) == CLOCK_NEVER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_connection_replaces_the_one_idle_longest),
        TEST(who_was_answered_lately_stays),
        TEST(a_client_that_sends_byte_by_byte_is_closed_in_its_turn),
        TEST(a_client_that_does_not_read_is_closed),
        TEST(a_few_are_asked_at_once_and_the_rest_in_order),
        TEST(when_all_ask_the_first_answered_makes_room),
        TEST(room_made_is_forgotten),
        TEST(a_request_that_waits_too_long_gets_503),
        TEST(all_answers_together_are_bounded),
        TEST(who_never_stops_sending_is_cut_off),
        TEST(who_does_not_close_is_closed),
        TEST(without_anybody_nothing_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
