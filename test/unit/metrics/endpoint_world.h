/* What the tests of the endpoint share: an endpoint on a free port of loopback, and requests to it. */
#ifndef TEST_ENDPOINT_WORLD_H
#define TEST_ENDPOINT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/endpoint.h"

/* Long enough for the slowest machine; nothing waits for it that goes well. */
enum { PATIENCE_S = 20 };

struct world {
    struct counters *blocks[2];
    struct health *health;
    struct heartbeat *heartbeat;
    struct log log;
    struct endpoint_options options;
    struct endpoint *endpoint;
    char answer[256 * 1024]; /* the last one */
};

static inline void read_figures(void *context, uint64_t now_ns, bool with_names, struct figures *figures)
{
    (void)context;
    (void)now_ns;
    figures->build = (struct figures_build){"1.2.3", "5.5.4", "1.8.3", ""};
    figures->cache_entries = 4242;
    figures->upstream_count = 1;
    strcpy(figures->upstreams[0], "1.1.1.1:853#one");
    figures->busiest_port_count = figures->busiest_address_count = 1;
    figures->busiest_ports[0] = (struct figures_client){"192.0.2.7", 1000, 50, 0};
    figures->limited_count = 1;
    figures->busiest_addresses[0] = figures->limited_addresses[0] = (struct figures_client){"192.0.2.7", 0, 50, 20};
    if (!with_names) return;
    figures->name_count = 1;
    strcpy(figures->names[0].name, "secret.example");
}

static inline void write_config(void *context, FILE *out)
{
    (void)context;
    fputs("listen: [\"192.0.2.53:53\"]\n", out);
}

static inline bool purge(void *context, const char *name, uint64_t *ret_removed)
{
    (void)context;
    *ret_removed = name ? 1 : 7;
    return !name || *name != '.';
}

static inline void start(struct world *world)
{
    char error[ENDPOINT_ERROR_BYTES];
    const struct endpoint_sources sources = {.blocks = world->blocks,
                                             .block_count = 2,
                                             .health = world->health,
                                             .log = &world->log,
                                             .read_figures = read_figures,
                                             .write_config = write_config,
                                             .purge = purge};
    world->endpoint = endpoint_start(&world->options, &sources, error);
    if (!world->endpoint) fail_msg("%s", error);
    world->options.listen.port = endpoint_port(world->endpoint);
    assert_int_not_equal(world->options.listen.port, 0);
}

static inline int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    for (int i = 0; i < 2; i++) world->blocks[i] = counters_new();
    world->health = aligned_alloc(_Alignof(struct health), sizeof *world->health);
    health_init(world->health, world->blocks, 2, clock_now_ns());
    world->heartbeat = health_add(world->health, "worker 0", clock_now_ns());
    log_init(&world->log, &(struct log_options){LOG_LEVEL_ERROR, LOG_FORMAT_TEXT}, 2);
    address_parse("127.0.0.1:1", 0, &world->options.listen);
    world->options.listen.port = 0;
    world->options.status_page = true;
    *state = world;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    endpoint_stop(world->endpoint);
    for (int i = 0; i < 2; i++) counters_free(world->blocks[i]);
    free(world->health);
    test_free(world);
    return 0;
}

static inline int dial(const struct world *world)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(&world->options.listen, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, size), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Everything until the other side closes. */
static inline const char *hear(struct world *world, int fd)
{
    size_t used = 0;
    for (ssize_t got; (got = read(fd, world->answer + used, sizeof world->answer - 1 - used)) > 0;) used += (size_t)got;
    world->answer[used] = '\0';
    close(fd);
    return world->answer;
}

static inline const char *ask(struct world *world, const char *method, const char *path, const char *headers)
{
    char request[1024];
    int fd = dial(world);
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", method, path,
             headers);
    say(fd, request);
    return hear(world, fd);
}

static inline void expect_status(const char *answer, int status)
{
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(answer, line, strlen(line)) != 0) fail_msg("not %d: %.200s", status, answer);
}

static inline const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static inline size_t length_of(const char *answer)
{
    const char *header = strstr(answer, "\r\nContent-Length: ");
    assert_non_null(header);
    return strtoul(header + 18, NULL, 10);
}

#endif
