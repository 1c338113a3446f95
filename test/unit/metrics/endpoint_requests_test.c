/* endpoint: requests of every kind, good, odd and hostile. */
#include "endpoint_world.h"

static void other_paths_are_not_found(void **state)
{
    struct world *world = *state;
    start(world);
    static const char *const paths[] = {"/metrics/", "/Metrics", "/nothing", "/../etc/passwd", "/..%2f..%2fetc/passwd",
                                        "/%00",      "/.",       "/page",    "/page.html",     "/status.json/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *answer = ask(world, "GET", paths[i], "");
        if (strcmp(paths[i], "/.") == 0) continue; /* the same as "/" */
        if (strncmp(answer, "HTTP/1.1 404 ", 13) != 0 && strncmp(answer, "HTTP/1.1 400 ", 13) != 0 && *answer)
            fail_msg("%s: %.100s", paths[i], answer);
        assert_null(strstr(answer, "root:"));
    }
}

static void a_query_string_is_ignored(void **state)
{
    struct world *world = *state;
    start(world);
    expect_status(ask(world, "GET", "/healthz?verbose=1", ""), 200);
}

static void other_methods_are_not_allowed(void **state)
{
    struct world *world = *state;
    start(world);
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const char *answer =
            ask(world, methods[i], "/metrics", "Origin: http://a\r\nAccess-Control-Request-Method: GET\r\n");
        expect_status(answer, 405);
        assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
        assert_null(strstr(answer, "Access-Control-Allow"));
    }
}

static void head_is_get_without_a_body(void **state)
{
    struct world *world = *state;
    start(world);
    const char *answer = ask(world, "HEAD", "/metrics", "");
    expect_status(answer, 200);
    assert_true(length_of(answer) > 1000);
    assert_string_equal(body_of(answer), "");
    answer = ask(world, "HEAD", "/", "");
    expect_status(answer, 200);
    assert_string_equal(body_of(answer), "");
}

static void a_connection_takes_several_requests(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
            "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const char *answer = hear(world, fd);
    expect_status(answer, 200);
    assert_non_null(answer = strstr(answer, "HTTP/1.1 404 "));
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
}

/* A body is never read: whoever sends one, however slowly, holds no thread. */
static void a_request_with_a_body_ends_the_connection(void **state)
{
    struct world *world = *state;
    start(world);
    static const char *const requests[] = {
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < 2; i++) {
        int fd = dial(world);
        say(fd, requests[i]);
        expect_status(hear(world, fd), 200);
        assert_non_null(strstr(world->answer, "\r\nConnection: close\r\n"));
    }
}

static void rubbish_and_giants_are_turned_away(void **state)
{
    struct world *world = *state;
    start(world);
    int fd = dial(world);
    say(fd, "\x16\x03\x01\x02 rubbish\r\n\r\n");
    expect_status(hear(world, fd), 400);
    assert_non_null(strstr(world->answer, "\r\nConnection: close\r\n"));
    assert_string_equal(body_of(world->answer), "400 Bad Request\n");
    fd = dial(world);
    say(fd, "GET /healthz HTTP/3.7\r\n\r\n");
    expect_status(hear(world, fd), 505);
    fd = dial(world);
    char giant[8192];
    memset(giant, 'a', sizeof giant - 1);
    giant[sizeof giant - 1] = '\0';
    memcpy(giant, "GET /", 5);
    say(fd, giant);
    expect_status(hear(world, fd), 431);
    expect_status(ask(world, "GET", "/healthz", ""), 200);
}

/* More of them than there are threads, or places: nobody waits for them. */
static void requests_that_never_end_hold_nobody_up(void **state)
{
    struct world *world = *state;
    start(world);
    enum { SLOW = 100 };
    int slow[SLOW];
    for (int i = 0; i < SLOW; i++) {
        slow[i] = dial(world);
        say(slow[i], "GET /metrics HTTP/1.1\r\nHost: loc");
    }
    for (int i = 0; i < 10; i++) expect_status(ask(world, "GET", "/healthz", ""), 200);
    for (int i = 0; i < SLOW; i++) close(slow[i]);
}

/* Waited for, each body would cost a thread a second. */
static void bodies_that_never_come_hold_nobody_up(void **state)
{
    struct world *world = *state;
    start(world);
    enum { PROMISES = 20 };
    int fds[PROMISES];
    uint64_t begun_ns = clock_now_ns();
    for (int i = 0; i < PROMISES; i++) {
        fds[i] = dial(world);
        say(fds[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
    }
    expect_status(ask(world, "GET", "/healthz", ""), 200);
    assert_true(clock_now_ns() - begun_ns < 5 * NS_PER_S);
    for (int i = 0; i < PROMISES; i++) expect_status(hear(world, fds[i]), 200);
}

static void whoever_wants_the_connection_closed_gets_it_closed(void **state)
{
    struct world *world = *state;
    start(world);
    static const char *const requests[] = {
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: TE, Close\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int fd = dial(world);
        say(fd, requests[i]);
        expect_status(hear(world, fd), 200);
        assert_non_null(strstr(world->answer, "\r\nConnection: close\r\n"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(other_paths_are_not_found),
        TEST(a_query_string_is_ignored),
        TEST(other_methods_are_not_allowed),
        TEST(head_is_get_without_a_body),
        TEST(a_connection_takes_several_requests),
        TEST(a_request_with_a_body_ends_the_connection),
        TEST(rubbish_and_giants_are_turned_away),
        TEST(requests_that_never_end_hold_nobody_up),
        TEST(bodies_that_never_come_hold_nobody_up),
        TEST(whoever_wants_the_connection_closed_gets_it_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
