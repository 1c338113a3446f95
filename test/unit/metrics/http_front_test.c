/* http_front: requests from an IPv6 address, or both kinds, to a server on IPv4 loopback; what becomes of each is
 * http_connections_test.c's. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/http_front.h"

/* Long enough for the slowest machine; nothing waits for it that goes well. */
enum { PATIENCE_S = 20, MANY = 100 };

#define REQUEST "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

struct world {
    int server;
    uint16_t server_port;
    pthread_t thread;
    struct http_front *front;
    struct address address;
};

static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* One connection after the other: a request, which ends with a blank line; it comes back as the body of an answer. */
static void *serve(void *context)
{
    struct world *world = context;
    char bytes[8192];
    char head[64];
    for (int fd; (fd = accept(world->server, NULL, NULL)) >= 0; close(fd)) {
        size_t used = 0;
        for (ssize_t got; used < 4 || memcmp(bytes + used - 4, "\r\n\r\n", 4) != 0; used += (size_t)got)
            if ((got = read(fd, bytes + used, sizeof bytes - used)) <= 0) break;
        int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", used);
        if (send_all(fd, head, (size_t)size)) send_all(fd, bytes, used);
    }
    return NULL;
}

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    world->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(world->server, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(world->server, 64), 0);
    assert_int_equal(getsockname(world->server, (struct sockaddr *)&address, &size), 0);
    world->server_port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&world->thread, NULL, serve, world), 0);
    assert_true(address_parse("[::1]:1", 0, &world->address));
    world->address.port = 0;
    world->front = http_front_start(&world->address, world->server_port);
    assert_non_null(world->front);
    world->address.port = http_front_port(world->front);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    http_front_stop(world->front);
    shutdown(world->server, SHUT_RDWR);
    pthread_join(world->thread, NULL);
    close(world->server);
    test_free(world);
    return 0;
}

static int dial(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = open_socket(storage.ss_family);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, size), 0);
    return fd;
}

static void expect(int fd, const char *text)
{
    char bytes[64];
    for (size_t used = 0; used < strlen(text);) {
        ssize_t got = read(fd, bytes, strlen(text) - used);
        assert_true(got > 0);
        assert_memory_equal(bytes, text + used, (size_t)got);
        used += (size_t)got;
    }
}

static void expect_end(int fd)
{
    char byte;
    ssize_t got = read(fd, &byte, 1);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

static void exchange(int fd)
{
    assert_true(send_all(fd, REQUEST, strlen(REQUEST)));
}

static void expect_answer(int fd)
{
    char head[64];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(REQUEST));
    expect(fd, head);
    expect(fd, REQUEST);
}

static void requests_are_answered(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    for (int i = 0; i < 3; i++) {
        exchange(fd);
        expect_answer(fd);
    }
    close(fd);
}

static void who_ends_its_side_is_answered(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    exchange(fd);
    shutdown(fd, SHUT_WR);
    expect_answer(fd);
    expect_end(fd);
    close(fd);
}

/* More than there are slots: each gets one when another has its response. */
static void more_clients_than_slots_are_answered(void **state)
{
    struct world *world = *state;
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(&world->address);
        exchange(fds[i]);
    }
    for (int i = 0; i < MANY; i++) {
        expect_answer(fds[i]);
        close(fds[i]);
    }
}

/* All slots are taken by clients whose request never ends, and taken again as soon as one is free. */
static void clients_that_never_end_their_request_are_replaced(void **state)
{
    struct world *world = *state;
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(&world->address);
        assert_true(send_all(fds[i], "GET /", 5));
    }
    int fd = dial(&world->address);
    exchange(fd);
    expect_answer(fd);
    expect_end(fds[0]);
    for (int i = 0; i < MANY; i++) close(fds[i]);
    close(fd);
}

static void a_client_that_resets_harms_nobody(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    exchange(fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    fd = dial(&world->address);
    exchange(fd);
    expect_answer(fd);
    close(fd);
}

static void without_a_server_that_is_reported(void **state)
{
    struct world *world = *state;
    struct address address = world->address;
    int unused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, not listening: refused */
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof nobody;
    assert_int_equal(bind(unused, (struct sockaddr *)&nobody, size), 0);
    assert_int_equal(getsockname(unused, (struct sockaddr *)&nobody, &size), 0);
    address.port = 0;
    struct http_front *front = http_front_start(&address, ntohs(nobody.sin_port));
    assert_non_null(front);
    address.port = http_front_port(front);
    int fd = dial(&address);
    exchange(fd);
    expect(fd, "HTTP/1.1 503 ");
    close(fd);
    http_front_stop(front);
    close(unused);
}

static void all_addresses_take_ipv4_too(void **state)
{
    struct world *world = *state;
    struct address address;
    assert_true(address_parse("[::]:1", 0, &address));
    address.port = 0;
    struct http_front *front = http_front_start(&address, world->server_port);
    assert_non_null(front);
    static const char *const loopbacks[] = {"127.0.0.1", "::1"};
    for (int i = 0; i < 2; i++) {
        assert_true(address_parse(loopbacks[i], http_front_port(front), &address));
        int fd = dial(&address);
        exchange(fd);
        expect_answer(fd);
        close(fd);
    }
    http_front_stop(front);
}

static void an_address_in_use_is_reported(void **state)
{
    struct world *world = *state;
    errno = 0;
    assert_null(http_front_start(&world->address, world->server_port));
    assert_int_equal(errno, EADDRINUSE);
}

static void an_address_of_another_machine_is_reported(void **state)
{
    (void)state;
    struct address address;
    assert_true(address_parse("192.0.2.1:5000", 0, &address));
    errno = 0;
    assert_null(http_front_start(&address, 1));
    assert_int_equal(errno, EADDRNOTAVAIL);
}

/* One idle, one with half a request, and one of which only the kernel knew: that one is told as soon as it speaks. */
static void it_stops_with_connections_open(void **state)
{
    struct world *world = *state;
    int idle = dial(&world->address);
    int half = dial(&world->address);
    int silent = dial(&world->address);
    assert_true(send_all(half, "GET /", 5));
    exchange(idle);
    expect_answer(idle);
    http_front_stop(world->front);
    expect_end(idle);
    expect_end(half);
    send_all(silent, "GET /", 5);
    expect_end(silent);
    close(idle);
    close(half);
    close(silent);
    world->front = NULL;
    http_front_stop(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered),
        TEST(who_ends_its_side_is_answered),
        TEST(more_clients_than_slots_are_answered),
        TEST(clients_that_never_end_their_request_are_replaced),
        TEST(a_client_that_resets_harms_nobody),
        TEST(without_a_server_that_is_reported),
        TEST(all_addresses_take_ipv4_too),
        TEST(an_address_in_use_is_reported),
        TEST(an_address_of_another_machine_is_reported),
        TEST(it_stops_with_connections_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
