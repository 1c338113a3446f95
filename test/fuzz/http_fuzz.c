/* Any bytes as what an HTTP client sends to the real endpoint: front end, civetweb and routes, over TCP on loopback.
 * The first byte says where the input is cut into two sends, so that heads come in pieces. Every response is complete
 * and well formed, the connection ends once the client has ended its side, and what could be a body is never answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "metrics/endpoint.h"
#include "metrics/http_connections.h"
#include "need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_BYTES = 8 * 1024 * 1024, PATIENCE_MS = 9000 };

struct world {
    struct counters *blocks[1];
    struct health *health;
    struct log log;
    struct endpoint *endpoint;
    struct sockaddr_in address;
    char *answers;
};

static void read_figures(void *context, uint64_t now_ns, bool with_names, struct figures *figures)
{
    (void)context;
    (void)now_ns;
    (void)with_names;
    figures->build = (struct figures_build){"1", "2", "3", ""};
}

static bool purge(void *context, const char *name, uint64_t *ret_removed)
{
    (void)context;
    *ret_removed = 1;
    return !name || *name;
}

/* The program's threads take no signals, and it blocks them before it starts any (supervisor_block_signals): the timer
 * of the fuzzer is for its own thread. */
static struct endpoint *start_endpoint(const struct endpoint_options *options, const struct endpoint_sources *sources)
{
    char error[ENDPOINT_ERROR_BYTES] = "";
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct endpoint *endpoint = endpoint_start(options, sources, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!endpoint) fprintf(stderr, "%s\n", error);
    need(endpoint);
    return endpoint;
}

/* Made at the first input; it ends with the process. */
static const struct world *world_get(void)
{
    static struct world world;
    if (world.endpoint) return &world;
    struct endpoint_options options = {.status_page = true};
    const struct endpoint_sources sources = {
        .blocks = world.blocks, .block_count = 1, .log = &world.log, .read_figures = read_figures, .purge = purge};
    struct endpoint_sources with_health = sources;
    world.blocks[0] = counters_new();
    world.health = aligned_alloc(_Alignof(struct health), sizeof *world.health);
    world.answers = malloc(ANSWERS_BYTES);
    need(world.blocks[0] && world.health && world.answers);
    health_init(world.health, world.blocks, 1, clock_now_ns());
    log_init(&world.log, &(struct log_options){LOG_LEVEL_ERROR, LOG_FORMAT_TEXT}, 2);
    with_health.health = world.health;
    need(address_parse("127.0.0.1:1", 0, &options.listen));
    options.listen.port = 0;
    world.endpoint = start_endpoint(&options, &with_health);
    world.address = (struct sockaddr_in){.sin_family = AF_INET,
                                         .sin_port = htons(endpoint_port(world.endpoint)),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return &world;
}

/* Waits until it can be read from or written to. The fuzzer's timer, which goes off every few seconds, interrupts any
 * system call that waits, this one and connect, however fast the other side is. */
static void wait_until(int fd, short events)
{
    struct pollfd polls = {.fd = fd, .events = events};
    int ready;
    do ready = poll(&polls, 1, PATIENCE_MS);
    while (ready < 0 && errno == EINTR);
    need(ready == 1);
}

/* What connect began goes on when a signal interrupts it. */
static int connect_to(const struct world *world)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&world->address, sizeof world->address) == 0) return fd;
    need(errno == EINTR);
    wait_until(fd, POLLOUT);
    need(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
    return fd;
}

/* Reads what there is; false once the other side has ended or reset the connection. */
static bool receive(const struct world *world, int fd, size_t *used)
{
    wait_until(fd, POLLIN);
    need(*used < ANSWERS_BYTES);
    ssize_t got = read(fd, world->answers + *used, ANSWERS_BYTES - *used);
    if (got < 0) need(errno == EINTR || errno == ECONNRESET);
    if (got > 0) *used += (size_t)got;
    return got > 0 || (got < 0 && errno == EINTR);
}

/* Sends all of it; reads in between, or both sides would wait for each other. */
static void send_all(const struct world *world, int fd, const uint8_t *bytes, size_t size, size_t *used)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (errno == EINTR) {
            continue;
        } else if (!receive(world, fd, used)) {
            return;
        }
    }
}

static size_t exchange(const struct world *world, const uint8_t *bytes, size_t size, size_t cut)
{
    size_t used = 0;
    int fd = connect_to(world);
    send_all(world, fd, bytes, cut, &used);
    send_all(world, fd, bytes + cut, size - cut, &used);
    shutdown(fd, SHUT_WR);
    while (receive(world, fd, &used)) {
    }
    /* A reset rather than a close: no port is kept in TIME_WAIT. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    return used;
}

/* The size of the response at the front: its head is complete, says a length, and the body is there, unless it may be
 * the answer to HEAD, which has none. */
static size_t check_response(const char *bytes, size_t size, bool *ret_is_last)
{
    const char *blank = memmem(bytes, size, "\r\n\r\n", 4);
    need(blank && size > 13 && memcmp(bytes, "HTTP/1.1 ", 9) == 0);
    size_t head = (size_t)(blank - bytes) + 4;
    const char *length = memmem(bytes, head, "\r\nContent-Length: ", 18);
    need(length != NULL);
    size_t body = strtoul(length + 18, NULL, 10);
    *ret_is_last = memmem(bytes, head, "\r\nConnection: close\r\n", 21) != NULL;
    bool has_body = size - head >= body && (body < 9 || memcmp(blank + 4, "HTTP/1.1 ", 9) != 0);
    return has_body ? head + body : head;
}

static unsigned check_responses(const char *bytes, size_t size)
{
    unsigned count = 0;
    bool is_last = false;
    while (size > 0) {
        need(!is_last);
        size_t one = check_response(bytes, size, &is_last);
        bytes += one;
        size -= one;
        count++;
    }
    return count;
}

/* Whether the first head, and all else, speaks of a body: then there may be one response at most. Judged apart from the
 * program's parser, and roughly: inputs in which it is not certain are left out. */
static bool is_first_with_body(const uint8_t *bytes, size_t size)
{
    char text[1024];
    const uint8_t *blank = memmem(bytes, size, "\n\r\n", 3);
    const uint8_t *other = memmem(bytes, size, "\n\n", 2);
    if (other && (!blank || other < blank)) blank = other;
    size_t head = blank ? (size_t)(blank - bytes) : 0;
    if (head == 0 || head >= sizeof text || memchr(bytes, 0, head)) return false;
    memcpy(text, bytes, head);
    text[head] = '\0';
    const char *coding = strcasestr(text, "\ntransfer-encoding:");
    const char *length = strcasestr(text, "\ncontent-length");
    if (coding) return true;
    return length && length[15] == ':' && strcspn(length + 16, "123456789x,+-") < strcspn(length + 16, "\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct world *world = world_get();
    if (size < 1 || size > 64 * 1024) return 0;
    size_t cut = (size_t)data[0] * (size - 1) / UINT8_MAX;
    size_t used = exchange(world, data + 1, size - 1, cut);
    unsigned count = check_responses(world->answers, used);
    if (is_first_with_body(data + 1, size - 1)) need(count <= 1);
    return 0;
}
