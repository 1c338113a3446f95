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
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const char *answer =
            ask(world, methods[i], "/metrics", "Origin: http://a\r\nAccess-Control-Request-Method: GET\r\n");
        expect_status(answer, 405);
        assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
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
    char giant[17 * 1024];
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

static void a_connection_is_closed_if_the_client_wants_it(void **state)
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

/* How many responses there are in what was received. */
static unsigned count_responses(const char *answer)
{
    unsigned count = 0;
    for (; (answer = strstr(answer, "HTTP/1.1 ")); answer++) count++;
    return count;
}

/* Read as no body or a shorter one, what is behind the blank line would be a request of its own, and get a 404. */
static void a_body_is_never_taken_for_a_request(void **state)
{
    struct world *world = *state;
    start(world);
    static const struct {
        const char *fields;
        int status;
    } cases[] = {
        {"Content-Length: 0x2f\r\n", 400},
        {"Content-Length: 0, 47\r\n", 400},
        {"Content-Length: 0\r\nContent-Length: 47\r\n", 400},
        {"Content-Length: 47\r\nContent-Length: 0\r\n", 400},
        {"Content-Length:\r\n 47\r\n", 400},
        {"Content-Length: +47\r\n", 400},
        {"Content-Length:\r\n", 400},
        {"Content-Length: 18446744073709551663\r\n", 400},
        {"Content-Length : 47\r\n", 400},
        {"X: y\rContent-Length: 47\r\n", 400},
        {"X: y\nContent-Length: 47\r\n", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 47\r\n", 400},
        {"Transfer-Encoding: xchunked\r\n", 501},
        {"Transfer-Encoding: chunked\r\n", 200},
        {"Content-Length: 47\r\n", 200},
        {"Expect: 100-continue\r\nContent-Length: 47\r\n", 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[512];
        int fd = dial(world);
        snprintf(request, sizeof request,
                 "POST /healthz HTTP/1.1\r\nHost: localhost\r\n%s\r\nGET /nothing HTTP/1.1\r\n"
                 "Host: localhost\r\n\r\n",
                 cases[i].fields);
        memcpy(request, cases[i].status == 200 ? "HEAD" : "POST",
               4); /* valid ones get no body that could hold anything */
        say(fd, request);
        const char *answer = hear(world, fd);
        if (cases[i].status == 200 ? strncmp(answer, "HTTP/1.1 200 ", 13) != 0 : atoi(answer + 9) != cases[i].status)
            fail_msg("%s is answered %.20s", cases[i].fields, answer);
        if (count_responses(answer) != 1) fail_msg("%s has %u responses", cases[i].fields, count_responses(answer));
        assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    }
}

static void absolute_targets_are_answered_and_their_host_counts(void **state)
{
    struct world *world = *state;
    start(world);
    static const struct {
        const char *target;
        int status;
        bool shows_names;
    } cases[] = {
        {"http://127.0.0.1:5000/status.json", 200, true}, {"http://LocalHost/status.json?x", 200, true},
        {"http://evil.example/status.json", 200, false},  {"http://127.0.0.1:5000", 200, false}, /* the page */
        {"http://127.0.0.1:5000/nothing", 404, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = ask(world, "GET", cases[i].target, "");
        expect_status(answer, cases[i].status);
        if (!!strstr(answer, "secret.example") != cases[i].shows_names) fail_msg("%s", cases[i].target);
    }
}

static void options_name_the_methods(void **state)
{
    struct world *world = *state;
    start(world);
    static const struct {
        const char *target;
        const char *allow;
    } cases[] = {{"*", "GET, HEAD, POST, OPTIONS"},  {"http://localhost:5000", "GET, HEAD, POST, OPTIONS"},
                 {"/metrics", "GET, HEAD, OPTIONS"}, {"/page.js", "GET, HEAD, OPTIONS"},
                 {"/", "GET, HEAD, OPTIONS"},        {"/cache/purge", "POST, OPTIONS"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char allow[64];
        const char *answer =
            ask(world, "OPTIONS", cases[i].target, "Origin: http://a\r\nAccess-Control-Request-Method: GET\r\n");
        expect_status(answer, 200);
        snprintf(allow, sizeof allow, "\r\nAllow: %s\r\n", cases[i].allow);
        if (!strstr(answer, allow)) fail_msg("%s: %s", cases[i].target, answer);
        assert_int_equal(length_of(answer), 0);
        assert_null(strstr(answer, "Access-Control-Allow"));
    }
    expect_status(ask(world, "OPTIONS", "/nothing", ""), 404);
}

static void each_path_has_its_methods(void **state)
{
    struct world *world = *state;
    start(world);
    expect_status(ask(world, "GET", "/cache/purge", ""), 405);
    assert_non_null(strstr(world->answer, "\r\nAllow: POST, OPTIONS\r\n"));
    expect_status(ask(world, "POST", "/", ""), 405);
    expect_status(ask(world, "POST", "/nothing", ""), 404);
    expect_status(ask(world, "GET", "/*", ""), 404); /* the path that stands for "*" is none of its own */
    expect_status(ask(world, "POST", "/*", ""), 404);
    expect_status(ask(world, "BREW", "/", ""), 501);
    expect_status(ask(world, "TRACE", "/", ""), 501);
}

static void a_head_of_16_kib_is_answered(void **state)
{
    struct world *world = *state;
    start(world);
    static const char begin[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: ";
    char request[16 * 1024 + 1];
    memset(request, 'c', sizeof request);
    memcpy(request, begin, sizeof begin - 1);
    memcpy(request + sizeof request - 5, "\r\n\r\n", 5);
    int fd = dial(world);
    say(fd, request);
    expect_status(hear(world, fd), 200);
}

static void a_long_target_is_answered_or_refused(void **state)
{
    struct world *world = *state;
    start(world);
    char target[8002];
    memset(target, 'a', sizeof target);
    memcpy(target, "/healthz?", 9);
    target[8000] = '\0';
    char request[9000];
    for (int more = 0; more < 2; more++) {
        target[8000] = more ? 'a' : '\0';
        target[8001] = '\0';
        int fd = dial(world);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target);
        say(fd, request);
        expect_status(hear(world, fd), more ? 414 : 200);
    }
}

/* A browser sends Origin with every POST: our own page may purge, another one not. */
static void the_cache_is_purged_by_our_own_page_and_by_programs(void **state)
{
    struct world *world = *state;
    start(world);
    static const struct {
        const char *path;
        const char *fields;
        int status;
        const char *body;
    } cases[] = {
        {"/cache/purge", "", 200, "{\"removed\":7}\n"},
        {"/cache/purge?name=a.example", "", 200, "{\"removed\":1}\n"},
        {"/cache/flush?name=a%2eexample", "Origin: http://localhost\r\n", 200, "{\"removed\":1}\n"},
        {"/cache/purge?name=.a", "", 400, NULL},
        {"/cache/purge?other=1", "", 400, NULL},
        {"/cache/purge", "Origin: null\r\n", 403, NULL},
        {"/cache/purge", "Origin: http://localhost.evil.example\r\n", 403, NULL},
        {"/cache/purge", "Origin: https://localhost\r\n", 403, NULL},
        {"/cache/purge", "Origin: http://evil.example\r\n", 403, NULL},
        {"http://evil.example/cache/purge", "Origin: http://evil.example\r\n", 403, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = ask(world, "POST", cases[i].path, cases[i].fields);
        if (atoi(answer + 9) != cases[i].status) fail_msg("%zu: %.60s", i, answer);
        if (cases[i].body) assert_string_equal(body_of(answer), cases[i].body);
    }
}

static void the_configuration_is_shown_where_clients_are(void **state)
{
    struct world *world = *state;
    start(world);
    expect_status(ask(world, "GET", "/config.yaml", ""), 200);
    assert_string_equal(body_of(world->answer), "listen: [\"192.0.2.53:53\"]\n");
    expect_status(ask(world, "GET", "http://evil.example/config.yaml", ""), 403);
    assert_null(strstr(world->answer, "192.0.2.53"));
}

static void a_large_body_is_compressed_where_that_is_accepted(void **state)
{
    struct world *world = *state;
    start(world);
    const char *answer = ask(world, "GET", "/metrics", "Accept-Encoding: br, gzip;q=0.5\r\n");
    expect_status(answer, 200);
    assert_non_null(strstr(answer, "\r\nContent-Encoding: gzip\r\n"));
    assert_non_null(strstr(answer, "\r\nVary: Accept-Encoding\r\n"));
    assert_memory_equal(body_of(answer), "\x1f\x8b", 2);
    size_t compressed = length_of(answer);
    answer = ask(world, "HEAD", "/metrics", "Accept-Encoding: gzip\r\n");
    assert_non_null(strstr(answer, "\r\nContent-Encoding: gzip\r\n"));
    assert_string_equal(body_of(answer), "");
    static const char *const others[] = {"", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0, *\r\n",
                                         "Accept-Encoding: identity, gzip;q=0.5\r\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        answer = ask(world, "GET", "/metrics", others[i]);
        assert_null(strstr(answer, "Content-Encoding"));
        assert_non_null(strstr(answer, "\r\nVary: Accept-Encoding\r\n"));
        assert_true(length_of(answer) > 5 * compressed);
    }
    answer = ask(world, "GET", "/healthz", "Accept-Encoding: gzip\r\n"); /* small */
    assert_null(strstr(answer, "Content-Encoding"));
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
        TEST(a_connection_is_closed_if_the_client_wants_it),
        TEST(a_body_is_never_taken_for_a_request),
        TEST(absolute_targets_are_answered_and_their_host_counts),
        TEST(options_name_the_methods),
        TEST(each_path_has_its_methods),
        TEST(a_head_of_16_kib_is_answered),
        TEST(a_long_target_is_answered_or_refused),
        TEST(the_cache_is_purged_by_our_own_page_and_by_programs),
        TEST(the_configuration_is_shown_where_clients_are),
        TEST(a_large_body_is_compressed_where_that_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
