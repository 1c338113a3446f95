/* What the tests of http_connections share: connections in a loop that the test turns, clients on socketpairs, and a
 * server that the test plays itself. Time goes on by pass(). */
#ifndef TEST_HTTP_WORLD_H
#define TEST_HTTP_WORLD_H

#include <errno.h>
#include <poll.h>
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

#include "common/clock.h"
#include "metrics/http_connections.h"

/* Long enough for the slowest machine; nothing waits for it that goes well. */
enum { PATIENCE_S = 20, CLIENTS_MAX = 200 };

#define REQUEST "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define ANSWER  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LAST    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

struct world {
    struct loop loop;
    struct http_connections connections;
    int server; /* listens, or -1 */
    int clients[CLIENTS_MAX];
    unsigned client_count;
};

static inline int set_patience(int fd)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static inline int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof bound;
    struct address address;
    world->server = set_patience(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(bind(world->server, (struct sockaddr *)&bound, size), 0);
    assert_int_equal(listen(world->server, 64), 0);
    assert_int_equal(getsockname(world->server, (struct sockaddr *)&bound, &size), 0);
    address_parse("127.0.0.1", ntohs(bound.sin_port), &address);
    assert_true(loop_init(&world->loop));
    http_connections_init(&world->connections, &world->loop, &address);
    *state = world;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    http_connections_done(&world->connections);
    loop_done(&world->loop);
    for (unsigned i = 0; i < world->client_count; i++)
        if (world->clients[i] >= 0) close(world->clients[i]);
    if (world->server >= 0) close(world->server);
    test_free(world);
    return 0;
}

/* A client that has just come; its number. */
static inline unsigned come(struct world *world)
{
    int pair[2];
    assert_true(world->client_count < CLIENTS_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int)); /* who does not read is noticed soon */
    http_connections_open(&world->connections, pair[1]);
    world->clients[world->client_count] = pair[0];
    return world->client_count++;
}

static inline void leave(struct world *world, unsigned client)
{
    close(world->clients[client]);
    world->clients[client] = -1;
}

/* Handles what there is, waiting a moment where there is nothing. */
static inline void turn(struct world *world)
{
    loop_turn(&world->loop, clock_now_ns() + 10 * NS_PER_MS);
    http_connections_turn(&world->connections);
}

/* So much later. */
static inline void pass(struct world *world, uint64_t ns)
{
    loop_turn(&world->loop, 0);
    world->loop.now_ns += ns;
    http_connections_turn(&world->connections);
}

static inline void say(struct world *world, unsigned client, const char *text)
{
    assert_int_equal(send(world->clients[client], text, strlen(text), MSG_NOSIGNAL), strlen(text));
    loop_turn(&world->loop, 0);
    http_connections_turn(&world->connections);
}

static inline bool is_readable(int fd)
{
    struct pollfd polls = {.fd = fd, .events = POLLIN};
    return poll(&polls, 1, 0) == 1;
}

static inline void await(struct world *world, int fd)
{
    uint64_t end_ns = clock_now_ns() + PATIENCE_S * NS_PER_S;
    while (!is_readable(fd)) {
        assert_true(clock_now_ns() < end_ns);
        turn(world);
    }
}

/* As the server: takes the next connection and reads all of `request`. */
static inline int serve(struct world *world, const char *request)
{
    char bytes[HTTP_HEAD_BYTES + HTTP_WRITTEN_EXTRA];
    await(world, world->server);
    int fd = set_patience(accept4(world->server, NULL, NULL, SOCK_CLOEXEC));
    assert_true(fd >= 0);
    for (size_t used = 0; used < strlen(request);) {
        await(world, fd);
        ssize_t got = read(fd, bytes + used, sizeof bytes - used);
        assert_true(got > 0);
        used += (size_t)got;
        assert_true(used <= strlen(request));
        assert_memory_equal(bytes, request, used);
    }
    assert_false(is_readable(fd));
    return fd;
}

static inline bool is_asked(const struct world *world)
{
    return world->connections.forwarded > 0 || is_readable(world->server);
}

/* Whether http_connections still has the connection whose port on its side is `port`. */
static inline bool is_held(const struct world *world, in_port_t port)
{
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct sockaddr_in here = {0};
        socklen_t size = sizeof here;
        int fd = world->connections.list[i].server.fd;
        if (fd >= 0 && getsockname(fd, (struct sockaddr *)&here, &size) == 0 && here.sin_port == port) return true;
    }
    return false;
}

/* A whole answer of `size` octets; the caller frees it. */
static inline char *large_answer(size_t size)
{
    enum { HEAD_BYTES = 44 }; /* the length has seven digits */
    char *answer = malloc(size + 1);
    memset(answer, 'x', size);
    assert_int_equal(snprintf(answer, size, "HTTP/1.1 200 OK\r\nContent-Length: %07zu\r\n\r\n", size - HEAD_BYTES),
                     HEAD_BYTES);
    answer[HEAD_BYTES] = 'x';
    return answer;
}

/* As the server: answers, and closes; until that was noticed. */
static inline void reply(struct world *world, int fd, const char *text, size_t size)
{
    struct sockaddr_in there = {0};
    socklen_t there_size = sizeof there;
    assert_int_equal(getpeername(fd, (struct sockaddr *)&there, &there_size), 0);
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send(fd, text + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (more < 0) turn(world);
        if (more > 0) sent += (size_t)more;
    }
    close(fd);
    while (is_held(world, there.sin_port)) turn(world);
}

/* As the client: what comes next is `text`. */
static inline void expect(struct world *world, unsigned client, const char *text)
{
    char bytes[8192];
    for (size_t used = 0; used < strlen(text);) {
        await(world, world->clients[client]);
        ssize_t got = read(world->clients[client], bytes, strlen(text) - used);
        assert_true(got > 0);
        assert_memory_equal(bytes, text + used, (size_t)got);
        used += (size_t)got;
    }
}

static inline void expect_end(struct world *world, unsigned client)
{
    char byte;
    await(world, world->clients[client]);
    ssize_t got = read(world->clients[client], &byte, 1);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

/* An answer of that status, whatever its rest, and the end. */
static inline void expect_refusal(struct world *world, unsigned client, const char *status)
{
    char bytes[4096];
    ssize_t got;
    expect(world, client, "HTTP/1.1 ");
    expect(world, client, status);
    do {
        await(world, world->clients[client]);
        got = read(world->clients[client], bytes, sizeof bytes);
    } while (got > 0);
    leave(world, client);
    turn(world);
}

static inline unsigned count_in(const struct world *world, enum http_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) count += world->connections.list[i].state == state;
    return count;
}

static inline bool is_closed(const struct world *world, unsigned client)
{
    char byte;
    ssize_t got = recv(world->clients[client], &byte, 1, MSG_PEEK);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

#endif
