/* http_connections: the path of a request over a connection. */
#include <stdio.h>

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
    say(world, client, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP");
    int first = serve(world, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(world->connections.forwarded, 1);
    assert_false(is_readable(world->server));
    reply(world, first, ANSWER, strlen(ANSWER));
    reply(world, serve(world, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER ANSWER);
    assert_int_equal(count_in(world, HTTP_HEAD), 1);
    say(world, client, "/1.1\r\nHost: x\r\n\r\n");
    reply(world, serve(world, "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n"), LAST, strlen(LAST));
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

/* A request whose head is `size` bytes long, by a field that is not forwarded. */
static void fill_head(char *head, size_t size)
{
    static const char begin[] = "GET /a HTTP/1.1\r\nHost: x\r\nCookie: ";
    memset(head, 'c', size);
    memcpy(head, begin, sizeof begin - 1);
    memcpy(head + size - 4, "\r\n\r\n", 5);
}

static void a_head_of_16_kib_is_forwarded_and_a_longer_one_refused(void **state)
{
    struct world *world = *state;
    char head[HTTP_HEAD_BYTES + 2];
    fill_head(head, HTTP_HEAD_BYTES);
    unsigned client = come(world);
    say(world, client, head);
    reply(world, serve(world, REQUEST), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER);
    fill_head(head, HTTP_HEAD_BYTES + 1);
    say(world, client, head);
    assert_false(is_asked(world));
    expect_refusal(world, client, "431 ");
}

/* The longest head that can be forwarded is forwarded whole. */
static void a_long_target_and_long_lists_are_forwarded(void **state)
{
    struct world *world = *state;
    enum { TARGET = HTTP_TARGET_BYTES_MAX, LIST = 7000 };
    char *request = calloc(1, HTTP_HEAD_BYTES);
    char *target = calloc(1, TARGET + 1);
    char *list = calloc(1, LIST + 1);
    memset(target, 't', TARGET);
    target[0] = '/';
    memset(list, ',', LIST);
    int size = snprintf(request, HTTP_HEAD_BYTES, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", target, list);
    assert_true(size > 0 && size < HTTP_HEAD_BYTES);
    unsigned client = come(world);
    say(world, client, request);
    reply(world, serve(world, request), ANSWER, strlen(ANSWER));
    expect(world, client, ANSWER);
    free(list);
    free(target);
    free(request);
}

/* What is forwarded is written anew, so the server behind cannot read it differently. */
static void only_what_was_understood_is_forwarded(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client,
        "GET http://y:80/a?b HTTP/1.0\r\nhOST: x\r\nX: y\r\nContent-Length:  3 \r\naccept:a\r\nACCEPT: b\r\n\r\n");
    reply(world, serve(world, "GET /a?b HTTP/1.1\r\nHost: y:80\r\nAccept: a, b\r\nConnection: close\r\n\r\n"), ANSWER,
          strlen(ANSWER));
    expect(world, client, ANSWER);
    expect_end(world, client);
}

/* Even where the server's response does not say so. */
static void after_a_request_with_a_body_the_connection_ends(void **state)
{
    struct world *world = *state;
    static const char *const framings[] = {"Content-Length: 27", "Transfer-Encoding: chunked"};
    for (size_t i = 0; i < 2; i++) {
        char request[128];
        unsigned client = come(world);
        snprintf(request, sizeof request, "GET /a HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" REQUEST, framings[i]);
        say(world, client, request);
        reply(world, serve(world, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), ANSWER, strlen(ANSWER));
        expect(world, client, ANSWER);
        expect_end(world, client);
        assert_false(is_asked(world));
    }
}

static void a_malformed_request_is_refused_and_what_follows_ignored(void **state)
{
    struct world *world = *state;
    unsigned client = come(world);
    say(world, client, "GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1b\r\n\r\n" REQUEST);
    expect_refusal(world, client, "400 ");
    assert_false(is_asked(world));
    assert_int_equal(count_in(world, HTTP_FREE), HTTP_CONNECTIONS_MAX);
}

static void a_silent_client_is_closed_in_the_end(void **state)
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

static void a_server_that_is_not_there_is_reported(void **state)
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
    static const char *const cut[] = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 200 OK\r\nCont"};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) { /* closed without a reset, as by a time-out of its own */
        client = come(world);
        say(world, client, REQUEST);
        reply(world, serve(world, REQUEST), cut[i], strlen(cut[i]));
        expect_refusal(world, client, "503 ");
    }
}

static void the_answer_to_head_has_no_body(void **state)
{
    static const char request[] = "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    struct world *world = *state;
    unsigned client = come(world);
    for (int i = 0; i < 2; i++) {
        say(world, client, request);
        reply(world, serve(world, request), answer, strlen(answer));
        expect(world, client, answer);
    }
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
        TEST(a_head_of_16_kib_is_forwarded_and_a_longer_one_refused),
        TEST(a_long_target_and_long_lists_are_forwarded),
        TEST(only_what_was_understood_is_forwarded),
        TEST(after_a_request_with_a_body_the_connection_ends),
        TEST(a_malformed_request_is_refused_and_what_follows_ignored),
        TEST(a_silent_client_is_closed_in_the_end),
        TEST(a_head_that_does_not_end_is_given_up),
        TEST(a_large_answer_waits_for_its_reader),
        TEST(an_answer_beyond_the_bound_is_refused),
        TEST(who_does_not_read_is_closed_in_the_end),
        TEST(a_server_that_is_not_there_is_reported),
        TEST(a_server_that_hangs_is_given_up),
        TEST(a_server_that_breaks_off_is_not_believed),
        TEST(the_answer_to_head_has_no_body),
        TEST(a_client_that_leaves_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
