/* http_connections: the path of a request over a connection. */
#include "http_world.h"

static void a_whole_request_is_asked_and_answered(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, REQUEST);
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER);
    assert_int_equal(count_in(world, HTTP_IDLE), 1);
}

/* The server hears of it with its last byte only. */
static void a_request_in_pieces_is_asked_when_it_is_whole(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    for (const char *at = REQUEST; at[1]; at++) {
        say(world, client, (const char[]){*at, '\0'});
        assert_false(is_asked(world));
    }
    say(world, client, "\n");
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER);
}

static void a_connection_takes_several_requests(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    for (int i = 0; i < 5; i++) {
        say(world, client, REQUEST);
        reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
        expect(world, client, ANSWER);
    }
}

static void requests_sent_ahead_are_asked_one_by_one(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP");
    int first = serve(world, "GET /1 HTTP/1.1\r\n\r\n");
    assert_int_equal(world->connections.forwarded, 1);
    assert_false(is_readable(world->server));
    reply(world, first, ANSWER, strlen(ANSWER));
    reply(world, serve(world, "GET /2 HTTP/1.1\r\n\r\n"), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER ANSWER);
    assert_int_equal(count_in(world, HTTP_HEAD), 1);
    say(world, client, "/1.1\r\n\r\n");
    reply(world, serve(world, "GET /3 HTTP/1.1\r\n\r\n"), LAST, strlen(LAST));
    expect(world, client, LAST);
    expect_end(world, client);
}

static void more_sent_ahead_than_a_head_may_have_is_fine(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    enum { SIZE = sizeof REQUEST - 1, REQUESTS = 3 * HTTP_HEAD_BYTES / SIZE };
    char *requests = malloc(REQUESTS * SIZE + 1);
    for (size_t i = 0; i < REQUESTS; i++) memcpy(requests + i * SIZE, REQUEST, sizeof REQUEST);
    say(world, client, requests);
    free(requests);
    for (int i = 0; i < REQUESTS; i++) {
        reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
        expect(world, client, ANSWER);
    }
}

/* The body of a request does not reach the server, and does not reset the connection before the answer is read. */
static void an_answer_that_ends_the_connection_does(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, REQUEST "a body, ");
    reply(world, serve(world, REQUEST), LAST, strlen(LAST));
    say(world, client, "and more of it" REQUEST);
    expect(world, client, LAST);
    expect_end(world, client);
    assert_false(is_asked(world));
    assert_int_equal(count_in(world, HTTP_CLOSING), 1);
    leave(world, client);
    turn(world);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
}

static void who_has_ended_its_side_is_answered(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    shutdown(world->clients[client], (say(world, client, REQUEST), SHUT_WR));
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER);
    expect_end(world, client);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
}

static void a_head_of_4096_bytes_is_taken_and_no_longer_one(void **state)
{
    struct world *world = *state;
    char head[HTTP_HEAD_BYTES + 1];
    memset(head, 'a', sizeof head);
    strcpy(head + HTTP_HEAD_BYTES - 4, "\r\n\r\n");
    unsigned client = come(world);
    say(world, client, head);
    reply(world, serve(world, head), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER);
    head[HTTP_HEAD_BYTES - 4] = 'a';
    say(world, client, head);
    assert_false(is_asked(world));
    expect_refusal(world, client, "431 ");
}

static void whoever_says_nothing_is_closed_in_the_end(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    pass(world, 4 * NS_PER_S);
    assert_false(is_closed(world, client));
    pass(world, 6 * NS_PER_S);
    assert_true(is_closed(world, client));
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
}

static void a_head_that_does_not_end_is_given_up(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, "GET /");
    say(world, client, "metr");
    pass(world, NS_PER_S);
    assert_int_equal(count_in(world, HTTP_HEAD), 1);
    say(world, client, "ics");
    pass(world, 3 * NS_PER_S);
    assert_false(is_asked(world));
    expect_refusal(world, client, "408 ");
}

static char *large_answer(size_t size)
{
    char *answer = malloc(size);
    memset(answer, 'x', size);
    memcpy(answer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", 38);
    return answer;
}

/* The server is done with it although nobody reads. */
static void a_large_answer_waits_for_its_reader(void **state)
{
    struct world *world = *state;
    enum { SIZE = 1000 * 1000 };
    char *answer = large_answer(SIZE);
    char *heard = malloc(SIZE);
    unsigned client = come(world);
    say(world, client, REQUEST);
    reply(world, serve(world, REQUEST), answer, SIZE);
    assert_int_equal(world->connections.forwarded, 0);
    assert_int_equal(count_in(world, HTTP_RESPONDING), 1);
    for (size_t used = 0; used < SIZE;) {
        await(world, world->clients[client]);
        ssize_t got = read(world->clients[client], heard + used, SIZE - used);
        assert_true(got > 0);
        used += (size_t)got;
    }
    assert_memory_equal(heard, answer, SIZE);
    turn(world);
    assert_int_equal(count_in(world, HTTP_IDLE), 1);
    free(answer);
    free(heard);
}

static void an_answer_beyond_the_bound_is_refused(void **state)
{
    struct world *world = *state;
    char *answer = large_answer(HTTP_RESPONSE_BYTES_MAX);
    unsigned client = come(world);
    say(world, client, REQUEST);
    int fd = serve(world, REQUEST);
    while (send(fd, answer, HTTP_RESPONSE_BYTES_MAX, MSG_NOSIGNAL | MSG_DONTWAIT) > 0 || errno == EAGAIN) turn(world);
    close(fd);
    expect_refusal(world, client, "503 ");
    free(answer);
}

static void who_does_not_read_is_closed_in_the_end(void **state)
{
    struct world *world = *state;
    char *answer = large_answer(100 * 1000);
    unsigned client = come(world);
    say(world, client, REQUEST);
    reply(world, serve(world, REQUEST), answer, 100 * 1000);
    pass(world, 9 * NS_PER_S);
    assert_int_equal(count_in(world, HTTP_RESPONDING), 1);
    pass(world, 11 * NS_PER_S);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
    free(answer);
}

static void a_server_that_is_not_there_is_told(void **state)
{
    struct world *world = *state;
    close(world->server);
    world->server = -1;
    unsigned client = come(world);
    say(world, client, REQUEST);
    expect_refusal(world, client, "503 ");
}

static void a_server_that_hangs_is_given_up(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, REQUEST);
    int fd = serve(world, REQUEST);
    pass(world, 6 * NS_PER_S);
    assert_int_equal(world->connections.forwarded, 0);
    expect_refusal(world, client, "503 ");
    close(fd);
}

static void a_server_that_breaks_off_is_not_believed(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, REQUEST);
    int fd = serve(world, REQUEST);
    assert_true(send(fd, "HTTP/1.1 200 OK\r\nConte", 22, MSG_NOSIGNAL) == 22);
    turn(world);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    expect_refusal(world, client, "503 ");
    client = come(world);
    say(world, client, REQUEST);
    reply(world, serve(world, REQUEST), "", 0);
    expect_end(world, client);
}

static void a_client_that_leaves_harms_nobody(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, "GET /");
    leave(world, client);
    turn(world);
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
    client = come(world);
    say(world, client, REQUEST);
    int fd = serve(world, REQUEST);
    leave(world, client);
    reply(world, fd, ANSWER, strlen(ANSWER));
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_request_is_asked_and_answered),
        TEST(a_request_in_pieces_is_asked_when_it_is_whole),
        TEST(a_connection_takes_several_requests),
        TEST(requests_sent_ahead_are_asked_one_by_one),
        TEST(more_sent_ahead_than_a_head_may_have_is_fine),
        TEST(an_answer_that_ends_the_connection_does),
        TEST(who_has_ended_its_side_is_answered),
        TEST(a_head_of_4096_bytes_is_taken_and_no_longer_one),
        TEST(whoever_says_nothing_is_closed_in_the_end),
        TEST(a_head_that_does_not_end_is_given_up),
        TEST(a_large_answer_waits_for_its_reader),
        TEST(an_answer_beyond_the_bound_is_refused),
        TEST(who_does_not_read_is_closed_in_the_end),
        TEST(a_server_that_is_not_there_is_told),
        TEST(a_server_that_hangs_is_given_up),
        TEST(a_server_that_breaks_off_is_not_believed),
        TEST(a_client_that_leaves_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
