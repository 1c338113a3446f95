/* probe: what --health-check says of servers good, bad and absent. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/probe.h"

/* A server for one request, whose answer the test decides. */
struct server {
    struct address address;
    const char *answer; /* NULL: it takes the request and says nothing */
    char request[512];
    int fd;
    int client;
    pthread_t thread;
};

static void *serve(void *context)
{
    struct server *server = context;
    server->client = accept(server->fd, NULL, NULL);
    if (server->client < 0) return NULL;
    size_t used = 0;
    while (used < sizeof server->request - 1 && !strstr(server->request, "\r\n\r\n")) {
        ssize_t got = read(server->client, server->request + used, sizeof server->request - 1 - used);
        if (got <= 0) break;
        used += (size_t)got;
    }
    if (!server->answer) return NULL;
    (void)!send(server->client, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    shutdown(server->client, SHUT_WR);
    return NULL;
}

static void server_listen(struct server *server, const char *address)
{
    struct sockaddr_storage storage;
    assert_true(address_parse(address, 0, &server->address));
    server->address.port = 0;
    socklen_t size = address_to_socket(&server->address, &storage);
    server->client = -1;
    server->fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&storage, size), 0);
    assert_int_equal(listen(server->fd, 1), 0);
    size = sizeof storage;
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&storage, &size), 0);
    server->address.port = address_from_socket(&storage).port;
}

static void server_close(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    if (server->client >= 0) close(server->client);
    close(server->fd);
}

static bool probe(struct server *server, const char *listen, const char *answer,
                  char message[static PROBE_MESSAGE_BYTES])
{
    server_listen(server, listen);
    server->answer = answer;
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    bool ready = probe_ready(&server->address, message);
    server_close(server);
    return ready;
}

static void a_ready_instance_is_ready(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    assert_true(probe(&server, "127.0.0.1:1", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"ready\"}\n",
                      message));
    assert_non_null(strstr(message, " answers 200: {\"status\":\"ready\"}"));
    assert_null(strchr(message, '\n'));
    assert_int_equal(strncmp(server.request, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:", 38), 0);
    assert_non_null(strstr(server.request, "\r\nConnection: close\r\n"));
}

static void one_that_is_not_says_why(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    assert_false(
        probe(&server, "[::1]:1", "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"reason\":\"draining\"}\r\n", message));
    assert_non_null(strstr(message, "[::1]:"));
    assert_non_null(strstr(message, " answers 503: {\"reason\":\"draining\"}"));
}

static void what_another_program_answers_does_not_act_on_a_terminal(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    assert_false(
        probe(&server, "127.0.0.1:1", "HTTP/1.1 404 Not Found\r\n\r\nred: \x1b[31m\nbell: \a\xc2\x9b\r\n", message));
    assert_non_null(strstr(message, " answers 404: red: ?[31m\nbell: ???"));
}

static void the_whole_answer_is_shown(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    char answer[9000] = "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"a\":1,\n";
    size_t head = strlen(answer);
    memset(answer + head, 'p', 8000);
    memcpy(answer + head + 8000, "}\n", 3);
    assert_false(probe(&server, "127.0.0.1:1", answer, message));
    assert_non_null(strstr(message, " answers 503: {\"a\":1,\np"));
    assert_string_equal(message + strlen(message) - 2, "p}");
}

static void a_listener_on_all_addresses_is_asked_at_loopback(void **state)
{
    (void)state;
    char message[PROBE_MESSAGE_BYTES];
    struct server four = {0};
    assert_true(probe(&four, "0.0.0.0:1", "HTTP/1.0 200 OK\r\n\r\n", message));
    assert_non_null(strstr(message, "127.0.0.1:"));
    struct server six = {0};
    assert_true(probe(&six, "[::]:1", "HTTP/1.1 200 OK\r\n\r\n", message));
    assert_non_null(strstr(message, "[::1]:"));
}

static void somebody_else_on_the_port_is_not_ready(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 20",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct server server = {0};
        char message[PROBE_MESSAGE_BYTES];
        if (probe(&server, "127.0.0.1:1", answers[i], message)) fail_msg("ready: %s", answers[i]);
        assert_int_not_equal(strlen(message), 0);
    }
}

static void a_giant_answer_is_cut_not_believed_in(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    char *answer = calloc(1, 100001);
    memset(answer, 'x', 100000);
    assert_false(probe(&server, "127.0.0.1:1", answer, message));
    memcpy(answer, "HTTP/1.1 503 No\r\n\r\n", 19);
    server = (struct server){0};
    assert_false(probe(&server, "127.0.0.1:1", answer, message));
    assert_int_equal(strlen(message), PROBE_MESSAGE_BYTES - 1);
    free(answer);
}

static void a_port_without_a_server_is_reported(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    server_listen(&server, "127.0.0.1:1");
    close(server.fd);
    assert_false(probe_ready(&server.address, message));
    assert_non_null(strstr(message, "refused"));
}

/* It takes the request and never answers; the answer's absence is what the probe must survive, by itself. */
static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    struct server server = {0};
    char message[PROBE_MESSAGE_BYTES];
    assert_false(probe(&server, "127.0.0.1:1", NULL, message));
    assert_non_null(strstr(message, "timed out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ready_instance_is_ready),
        cmocka_unit_test(one_that_is_not_says_why),
        cmocka_unit_test(what_another_program_answers_does_not_act_on_a_terminal),
        cmocka_unit_test(the_whole_answer_is_shown),
        cmocka_unit_test(a_listener_on_all_addresses_is_asked_at_loopback),
        cmocka_unit_test(somebody_else_on_the_port_is_not_ready),
        cmocka_unit_test(a_giant_answer_is_cut_not_believed_in),
        cmocka_unit_test(a_port_without_a_server_is_reported),
        cmocka_unit_test(a_silent_server_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
