/* links: who has a place, who gives it up, and what all together may hold. */
#include <stdio.h>

#include "links_world.h"

/* Clients until every place is taken. */
static unsigned come_all(struct world *world)
{
    unsigned first = come(world);
    for (unsigned i = 1; i < LINKS_MAX; i++) come(world);
    assert_int_equal(count_in(world, LINK_FREE), 0);
    return first;
}

static void a_newcomer_takes_the_place_of_the_idlest(void **state)
{
    struct world *world = *state;
    unsigned first = come_all(world);
    assert_true(links_have_place(&world->links));
    unsigned newcomer = come(world);
    assert_true(is_closed(world, first));
    assert_false(is_closed(world, first + 1));
    say(world, newcomer, REQUEST);
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, newcomer, ANSWER);
}

/* Idle counts from the last answer, so whoever was answered lately is not the idlest. */
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
static void who_sends_byte_by_byte_gives_way_in_its_turn(void **state)
{
    struct world *world = *state;
    unsigned first = come(world);
    say(world, first, "G");
    for (unsigned i = 1; i < LINKS_MAX; i++) say(world, come(world), "G");
    say(world, first, "E");
    say(world, first, "T");
    come(world);
    assert_true(is_closed(world, first));
    assert_false(is_closed(world, first + 1));
}

static void who_does_not_read_gives_way(void **state)
{
    struct world *world = *state;
    enum { SIZE = 100 * 1000 };
    char *answer = calloc(1, SIZE);
    unsigned slow = come(world);
    say(world, slow, REQUEST);
    reply(world, serve(world, REQUEST), answer, SIZE);
    assert_int_equal(count_in(world, LINK_ANSWERING), 1);
    pass(world, NS_PER_MS);
    for (unsigned i = 1; i < LINKS_MAX; i++) come(world);
    come(world);
    assert_int_equal(count_in(world, LINK_ANSWERING), 0);
    assert_false(is_closed(world, slow + 1));
    free(answer);
}

static void a_few_are_asked_at_once_and_the_rest_in_order(void **state)
{
    struct world *world = *state;
    int fds[ASKS_MAX];
    char request[64];
    unsigned first = world->client_count;
    for (unsigned i = 0; i < 2 * ASKS_MAX; i++) {
        snprintf(request, sizeof request, "GET /%u HTTP/1.1\r\n\r\n", i);
        say(world, come(world), request);
    }
    assert_int_equal(count_in(world, LINK_ASKING), ASKS_MAX);
    assert_int_equal(count_in(world, LINK_WAITING), ASKS_MAX);
    for (unsigned i = 0; i < ASKS_MAX; i++) {
        snprintf(request, sizeof request, "GET /%u HTTP/1.1\r\n\r\n", i);
        fds[i] = serve(world, request);
    }
    for (unsigned i = 0; i < ASKS_MAX; i++) {
        reply(world, fds[i], ANSWER, strlen(ANSWER));
        expect(world, first + i, ANSWER);
        snprintf(request, sizeof request, "GET /%u HTTP/1.1\r\n\r\n", ASKS_MAX + i);
        fds[i] = serve(world, request);
    }
    for (unsigned i = 0; i < ASKS_MAX; i++) {
        reply(world, fds[i], ANSWER, strlen(ANSWER));
        expect(world, first + ASKS_MAX + i, ANSWER);
    }
    assert_int_equal(count_in(world, LINK_IDLE), 2 * ASKS_MAX);
}

/* Whoever waits for us does not give way; but an answer ends its connection while somebody waits outside. */
static void when_all_ask_the_first_answered_makes_room(void **state)
{
    struct world *world = *state;
    unsigned first = world->client_count;
    for (unsigned i = 0; i < LINKS_MAX; i++) say(world, come(world), REQUEST REQUEST);
    assert_false(links_have_place(&world->links));
    unsigned refused = come(world);
    assert_true(is_closed(world, refused));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, first, ANSWER);
    expect_end(world, first);
    assert_true(links_have_place(&world->links));
    say(world, come(world), REQUEST);
    assert_false(links_have_place(&world->links));
}

/* Without somebody outside, connections go on. */
static void room_made_is_forgotten(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < LINKS_MAX; i++) say(world, come(world), REQUEST);
    assert_false(links_have_place(&world->links));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    assert_true(links_have_place(&world->links));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    assert_int_equal(count_in(world, LINK_IDLE), 1);
}

static void who_waits_too_long_is_told(void **state)
{
    struct world *world = *state;
    unsigned first = world->client_count;
    for (unsigned i = 0; i < ASKS_MAX + 1; i++) say(world, come(world), REQUEST);
    assert_int_equal(count_in(world, LINK_WAITING), 1);
    pass(world, 6 * NS_PER_S);
    expect_refusal(world, first + ASKS_MAX, "503 ");
    expect_refusal(world, first, "503 ");
}

static void all_answers_together_are_bounded(void **state)
{
    struct world *world = *state;
    enum { SIZE = 900 * 1000, READERS = 8 };
    char *answer = calloc(1, SIZE);
    unsigned first = world->client_count;
    for (unsigned i = 0; i < READERS; i++) {
        say(world, come(world), REQUEST);
        reply(world, serve(world, REQUEST), answer, SIZE);
        size_t held = 0;
        for (unsigned j = 0; j < LINKS_MAX; j++)
            if (world->links.list[j].answer) held += world->links.list[j].answer->capacity;
        assert_true(held <= ANSWERS_BYTES_MAX);
    }
    unsigned left = count_in(world, LINK_ANSWERING);
    assert_true(left > 1 && left < READERS);
    assert_int_equal(count_in(world, LINK_FREE), LINKS_MAX - left);
    assert_true(world->links.list[0].client.fd >= 0);
    for (unsigned i = 0; i < READERS; i++) leave(world, first + i);
    turn(world);
    assert_int_equal(count_in(world, LINK_FREE), LINKS_MAX);
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
    assert_int_equal(count_in(world, LINK_PARTING), 1);
    size_t sent = 0;
    while (count_in(world, LINK_FREE) < LINKS_MAX) {
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
    assert_int_equal(count_in(world, LINK_PARTING), 1);
    pass(world, 3 * NS_PER_S);
    assert_int_equal(count_in(world, LINK_FREE), LINKS_MAX);
}

static void without_anybody_nothing_is_waited_for(void **state)
{
    struct world *world = *state;
    assert_true(links_deadline_ns(&world->links) == CLOCK_NEVER);
    unsigned client = come(world);
    assert_true(links_deadline_ns(&world->links) <= world->loop.now_ns + 5 * NS_PER_S);
    say(world, client, "G");
    assert_true(links_deadline_ns(&world->links) <= world->loop.now_ns + 2 * NS_PER_S);
    leave(world, client);
    turn(world);
    assert_true(links_deadline_ns(&world->links) == CLOCK_NEVER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_newcomer_takes_the_place_of_the_idlest),
        TEST(who_was_answered_lately_stays),
        TEST(who_sends_byte_by_byte_gives_way_in_its_turn),
        TEST(who_does_not_read_gives_way),
        TEST(a_few_are_asked_at_once_and_the_rest_in_order),
        TEST(when_all_ask_the_first_answered_makes_room),
        TEST(room_made_is_forgotten),
        TEST(who_waits_too_long_is_told),
        TEST(all_answers_together_are_bounded),
        TEST(who_never_stops_sending_is_cut_off),
        TEST(who_does_not_close_is_closed),
        TEST(without_anybody_nothing_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
