/* relay: bytes from an IPv6 address to a server on IPv4 loopback and back. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/relay.h"

/* Long enough for the slowest machine; nothing waits for it that goes well. */
enum { PATIENCE_S = 20, LARGE = 1 << 20 };

struct world {
    int server;
    uint16_t server_port;
    pthread_t thread;
    struct relay *relay;
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

/* One connection after the other; each gets its bytes back as they come, and the end when it has ended. */
static void *echo(void *context)
{
    struct world *world = context;
    char bytes[4096];
    for (int fd; (fd = accept(world->server, NULL, NULL)) >= 0; close(fd))
        for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
            if (!send_all(fd, bytes, (size_t)got)) break;
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
    assert_int_equal(pthread_create(&world->thread, NULL, echo, world), 0);
    assert_true(address_parse("[::1]:1", 0, &world->address));
    world->address.port = 0;
    world->relay = relay_start(&world->address, world->server_port);
    assert_non_null(world->relay);
    world->address.port = relay_port(world->relay);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    relay_stop(world->relay);
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
    assert_true(read(fd, &byte, 1) <= 0);
}

static void bytes_go_there_and_back(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    for (int i = 0; i < 3; i++) {
        assert_true(send_all(fd, "question", 8));
        expect(fd, "question");
    }
    close(fd);
}

static void the_end_of_one_direction_leaves_the_other(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    assert_true(send_all(fd, "last words", 10));
    shutdown(fd, SHUT_WR);
    expect(fd, "last words");
    expect_end(fd);
    close(fd);
}

struct sender {
    int fd;
    const char *bytes;
};

static void *send_large(void *context)
{
    struct sender *sender = context;
    send_all(sender->fd, sender->bytes, LARGE);
    shutdown(sender->fd, SHUT_WR);
    return NULL;
}

/* Far more than the buffers hold: each side waits for the other, nothing is lost or doubled. */
static void a_megabyte_arrives_as_it_left(void **state)
{
    struct world *world = *state;
    char *sent = malloc(LARGE);
    char *got = malloc(LARGE + 1);
    for (size_t i = 0; i < LARGE; i++) sent[i] = (char)(i * 31 + i / 256);
    struct sender sender = {dial(&world->address), sent};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_large, &sender), 0);
    size_t used = 0;
    for (ssize_t size; (size = read(sender.fd, got + used, LARGE + 1 - used)) > 0;) used += (size_t)size;
    pthread_join(thread, NULL);
    assert_int_equal(used, LARGE);
    assert_memory_equal(sent, got, LARGE);
    close(sender.fd);
    free(sent);
    free(got);
}

static void more_connections_than_places_wait_for_one(void **state)
{
    struct world *world = *state;
    int fds[40];
    for (int i = 0; i < 40; i++) {
        fds[i] = dial(&world->address);
        assert_true(send_all(fds[i], "me too", 6));
        shutdown(fds[i], SHUT_WR);
    }
    for (int i = 0; i < 40; i++) {
        expect(fds[i], "me too");
        expect_end(fds[i]);
        close(fds[i]);
    }
}

static void a_client_that_resets_harms_nobody(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    assert_true(send_all(fd, "and away", 8));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    fd = dial(&world->address);
    assert_true(send_all(fd, "next", 4));
    expect(fd, "next");
    close(fd);
}

static void without_a_server_the_connection_ends(void **state)
{
    struct world *world = *state;
    struct address address = world->address;
    int unused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, not listening: refused */
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof nobody;
    assert_int_equal(bind(unused, (struct sockaddr *)&nobody, size), 0);
    assert_int_equal(getsockname(unused, (struct sockaddr *)&nobody, &size), 0);
    address.port = 0;
    struct relay *relay = relay_start(&address, ntohs(nobody.sin_port));
    assert_non_null(relay);
    address.port = relay_port(relay);
    int fd = dial(&address);
    expect_end(fd);
    close(fd);
    relay_stop(relay);
    close(unused);
}

static void all_addresses_take_ipv4_too(void **state)
{
    struct world *world = *state;
    struct address address;
    assert_true(address_parse("[::]:1", 0, &address));
    address.port = 0;
    struct relay *relay = relay_start(&address, world->server_port);
    assert_non_null(relay);
    static const char *const loopbacks[] = {"127.0.0.1", "::1"};
    for (int i = 0; i < 2; i++) {
        assert_true(address_parse(loopbacks[i], relay_port(relay), &address));
        int fd = dial(&address);
        assert_true(send_all(fd, "hello", 5));
        expect(fd, "hello");
        close(fd);
    }
    relay_stop(relay);
}

static void an_address_in_use_is_told(void **state)
{
    struct world *world = *state;
    errno = 0;
    assert_null(relay_start(&world->address, world->server_port));
    assert_int_equal(errno, EADDRINUSE);
}

static void it_stops_with_connections_open(void **state)
{
    struct world *world = *state;
    int fd = dial(&world->address);
    assert_true(send_all(fd, "still here", 10));
    expect(fd, "still here");
    relay_stop(world->relay);
    expect_end(fd);
    close(fd);
    world->relay = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_there_and_back),           TEST(the_end_of_one_direction_leaves_the_other),
        TEST(a_megabyte_arrives_as_it_left),     TEST(more_connections_than_places_wait_for_one),
        TEST(a_client_that_resets_harms_nobody), TEST(without_a_server_the_connection_ends),
        TEST(all_addresses_take_ipv4_too),       TEST(an_address_in_use_is_told),
        TEST(it_stops_with_connections_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
