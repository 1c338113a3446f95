/* flood: many connections that do one thing to a DNS server over TCP: say nothing, speak a byte at a time, never read,
 * come and go, talk rubbish, ask without end. For tests of what that does to everybody else.
 *
 *   flood port=N KEY=VALUE ...        the keys are in options_of below; support/flood.py is how tests call it
 *
 * Loopback only; ends after `seconds`, or when its standard input does. Says "ready" once every connection was made (or
 * given up), and in the end what it counted, as a line of JSON. One thread, one epoll set. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PAYLOAD_MAX = 256 * 1024,
    READ_BYTES = 64 * 1024,
    EVENTS = 256,
    QUERY_MAX = 2 + 12 + 255 + 4,
    SMALL_BUFFER = 4096, /* of the socket of one who does not read */
};
#define NS_PER_S UINT64_C(1000000000)

struct options {
    uint32_t port;
    const char *source; /* the first of `spread` addresses */
    uint32_t spread;
    uint32_t connections; /* at once */
    uint32_t rate;        /* new ones a second; 0: at once */
    uint32_t most;        /* ever; 0: no bound */
    uint32_t seconds;
    uint32_t queries; /* in one segment; 0: none */
    uint32_t type;
    const char *name;     /* each '#' in it becomes a new number for each query */
    uint32_t random;      /* bytes of rubbish in place of queries */
    uint32_t leaves;      /* closes as soon as all is sent */
    uint32_t chunk;       /* bytes sent at once, */
    uint32_t interval_ms; /* so often; 0: no pause */
    uint32_t reads;
    uint32_t repeats; /* says it again when all is answered, or all is sent where no answer is waited for */
    uint32_t reopens; /* 1: a new connection when all is answered, or the old one was closed; 2: only then; 0: never */
};

struct connection {
    int fd; /* -1: none now */
    uint32_t number;
    size_t sent;      /* of the payload */
    uint32_t answers; /* to it */
    uint32_t message; /* bytes of the answer that is being read, its length included, still to come; 0: none begun */
    uint32_t read;    /* bytes of it that came */
    uint8_t head[6];
};

struct flood {
    struct options options;
    int epoll_fd;
    struct connection *connections;
    uint8_t payload[PAYLOAD_MAX];
    uint8_t read[READ_BYTES];
    uint64_t began_ns;
    uint64_t chunked_ns; /* when the last chunk of each was sent */
    uint32_t cursor;     /* where the search for a free connection goes on */
    uint32_t next_number;
    unsigned long long opened, failed, closed, reset, asked, answered, rcodes[16], open, most_open;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- what is sent ---- */

static size_t put_name(const char *pattern, uint32_t number, uint8_t *out)
{
    char name[256];
    size_t size = 0;
    for (; *pattern && size < 240; pattern++)
        if (*pattern == '#')
            size += (size_t)snprintf(name + size, sizeof name - size, "%u", number);
        else
            name[size++] = *pattern;
    name[size] = '\0';
    uint8_t *at = out;
    for (char *rest = name, *label; (label = strsep(&rest, "."));) {
        size_t length = strlen(label);
        if (length == 0 || length > 63) continue;
        *at++ = (uint8_t)length;
        memcpy(at, label, length);
        at += length;
    }
    *at++ = 0;
    return (size_t)(at - out);
}

/* A framed query; returns its size. */
static size_t put_query(const struct options *options, uint32_t number, uint8_t *out)
{
    const uint8_t header[] = {(uint8_t)(number >> 8), (uint8_t)number, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    memcpy(out + 2, header, sizeof header);
    size_t size = sizeof header + put_name(options->name, number, out + 2 + sizeof header);
    const uint8_t rest[] = {(uint8_t)(options->type >> 8), (uint8_t)options->type, 0, 1};
    memcpy(out + 2 + size, rest, sizeof rest);
    size += sizeof rest;
    out[0] = (uint8_t)(size >> 8);
    out[1] = (uint8_t)size;
    return 2 + size;
}

/* What the connection says, made from its number each time it is needed; returns its size. */
static size_t write_payload(struct flood *flood, const struct connection *connection)
{
    const struct options *options = &flood->options;
    size_t size = 0;
    uint64_t state = connection->number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (; size < options->random && size < PAYLOAD_MAX; size++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        flood->payload[size] = (uint8_t)(state >> 56);
    }
    for (uint32_t i = 0; i < options->queries && size + QUERY_MAX <= PAYLOAD_MAX; i++)
        size += put_query(options, connection->number + i, flood->payload + size);
    return size;
}

static void renumber(struct flood *flood, struct connection *connection)
{
    connection->number = flood->next_number;
    flood->next_number += flood->options.queries ? flood->options.queries : 1;
    connection->answers = 0;
    connection->sent = 0;
}

/* ---- connections ---- */

static bool bind_to_source(const struct flood *flood, int fd, uint32_t number)
{
    const struct options *options = &flood->options;
    struct sockaddr_in source = {.sin_family = AF_INET};
    inet_pton(AF_INET, options->source, &source.sin_addr);
    source.sin_addr.s_addr = htonl(ntohl(source.sin_addr.s_addr) + number % options->spread);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    return bind(fd, (struct sockaddr *)&source, sizeof source) == 0;
}

static bool open_connection(struct flood *flood, struct connection *connection)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)flood->options.port)};
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *connection = (struct connection){.fd = -1};
    if (fd < 0) return false;
    if (!flood->options.reads) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){SMALL_BUFFER}, sizeof(int));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    if (!bind_to_source(flood, fd, (uint32_t)flood->opened) ||
        (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(flood->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return false;
    }
    connection->fd = fd;
    renumber(flood, connection);
    flood->opened++;
    flood->open++;
    if (flood->open > flood->most_open) flood->most_open = flood->open;
    return true;
}

static void close_connection(struct flood *flood, struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    flood->open--;
}

static void on_ended(struct flood *flood, struct connection *connection, bool reset)
{
    flood->closed++;
    flood->reset += reset;
    close_connection(flood, connection);
}

static bool may_open(const struct flood *flood, uint64_t at_ns)
{
    const struct options *options = &flood->options;
    if (flood->open >= options->connections) return false;
    if (options->most && flood->opened >= options->most) return false;
    if (!options->reopens && flood->opened >= options->connections) return false;
    return options->rate == 0 || flood->opened < (at_ns - flood->began_ns) * options->rate / NS_PER_S + 1;
}

static void open_due(struct flood *flood, uint64_t at_ns)
{
    for (uint32_t tried = 0; tried < flood->options.connections && may_open(flood, at_ns); tried++) {
        struct connection *connection = &flood->connections[flood->cursor];
        flood->cursor = (flood->cursor + 1) % flood->options.connections;
        if (connection->fd >= 0) continue;
        if (open_connection(flood, connection)) continue;
        flood->failed++;
        return; /* out of descriptors or ports: later */
    }
}

/* ---- talking ---- */

/* Sends what may be sent now; false where the connection is gone. */
static bool talk(struct flood *flood, struct connection *connection)
{
    const struct options *options = &flood->options;
    size_t size = write_payload(flood, connection);
    while (connection->sent < size) {
        size_t wanted = size - connection->sent;
        if (options->chunk && wanted > options->chunk) wanted = options->chunk;
        ssize_t sent = send(connection->fd, flood->payload + connection->sent, wanted, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return true;
        if (sent < 0) {
            on_ended(flood, connection, errno == ECONNRESET);
            return false;
        }
        connection->sent += (size_t)sent;
        if (connection->sent == size) flood->asked += options->queries;
        if (options->interval_ms) return true;
        if (connection->sent == size && options->repeats && (!options->reads || options->random)) {
            renumber(flood, connection);
            size = write_payload(flood, connection);
        }
    }
    if (options->leaves) close_connection(flood, connection);
    return !options->leaves;
}

static void on_all_answered(struct flood *flood, struct connection *connection)
{
    if (flood->options.repeats) {
        renumber(flood, connection);
        if (!flood->options.interval_ms) talk(flood, connection);
    } else if (flood->options.reopens == 1) {
        close_connection(flood, connection);
    }
}

static void count_answers(struct flood *flood, struct connection *connection, size_t size)
{
    for (size_t at = 0; at < size;) {
        if (connection->read < sizeof connection->head) {
            connection->head[connection->read++] = flood->read[at++];
            if (connection->read == 2) connection->message = connection->head[0] << 8 | connection->head[1];
            continue;
        }
        size_t rest = connection->message + 2u - connection->read;
        size_t taken = rest < size - at ? rest : size - at;
        at += taken;
        connection->read += (uint32_t)taken;
        if (connection->read < connection->message + 2u) return;
        flood->rcodes[connection->head[5] & 15]++;
        flood->answered++;
        connection->answers++;
        connection->read = 0;
    }
}

static void listen_to(struct flood *flood, struct connection *connection)
{
    while (connection->fd >= 0) {
        ssize_t got = recv(connection->fd, flood->read, sizeof flood->read, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            on_ended(flood, connection, got < 0);
            return;
        }
        count_answers(flood, connection, (size_t)got);
        if (flood->options.queries && connection->answers >= flood->options.queries) on_all_answered(flood, connection);
    }
}

static void on_event(struct flood *flood, struct connection *connection, uint32_t events)
{
    if (connection->fd < 0) return;
    if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN)) {
        on_ended(flood, connection, true);
        return;
    }
    if ((events & EPOLLOUT) && !flood->options.interval_ms && !talk(flood, connection)) return;
    if ((events & EPOLLIN) && flood->options.reads)
        listen_to(flood, connection);
    else if (events & (EPOLLERR | EPOLLHUP))
        on_ended(flood, connection, true);
}

static void talk_in_chunks(struct flood *flood, uint64_t at_ns)
{
    if (flood->options.interval_ms == 0) return;
    if (at_ns - flood->chunked_ns < flood->options.interval_ms * UINT64_C(1000000)) return;
    flood->chunked_ns = at_ns;
    for (uint32_t i = 0; i < flood->options.connections; i++)
        if (flood->connections[i].fd >= 0) talk(flood, &flood->connections[i]);
}

/* ---- its run ---- */

static bool parent_is_gone(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0; /* nobody writes to it: the end is all there is to read */
}

static void report(const struct flood *flood)
{
    printf(
        "{\"opened\": %llu, \"failed\": %llu, \"closed\": %llu, \"reset\": %llu, \"open\": %llu, \"most_open\": %llu, ",
        flood->opened, flood->failed, flood->closed, flood->reset, flood->open, flood->most_open);
    printf("\"asked\": %llu, \"answered\": %llu, \"rcodes\": {", flood->asked, flood->answered);
    for (int i = 0; i < 16; i++) printf("%s\"%d\": %llu", i ? ", " : "", i, flood->rcodes[i]);
    printf("}, \"seconds\": %.3f}\n", (double)(now_ns() - flood->began_ns) / (double)NS_PER_S);
}

static bool is_over(const struct flood *flood, uint64_t at_ns)
{
    const struct options *options = &flood->options;
    if (at_ns - flood->began_ns >= options->seconds * NS_PER_S || parent_is_gone()) return true;
    return options->most && flood->opened >= options->most && flood->open == 0;
}

static void run(struct flood *flood)
{
    struct epoll_event events[EVENTS];
    bool ready = false;
    flood->began_ns = flood->chunked_ns = now_ns();
    for (uint64_t at_ns = flood->began_ns; !is_over(flood, at_ns); at_ns = now_ns()) {
        open_due(flood, at_ns);
        talk_in_chunks(flood, at_ns);
        int count = epoll_wait(flood->epoll_fd, events, EVENTS, 1);
        for (int i = 0; i < count; i++) on_event(flood, events[i].data.ptr, events[i].events);
        if (ready || (flood->most_open < flood->options.connections && !flood->options.rate)) continue;
        ready = puts("ready") > 0 && fflush(stdout) == 0;
    }
    report(flood);
}

static bool set_number(struct options *o, const char *argument)
{
    static const char *const names[] = {"port",    "spread",      "connections", "rate",    "most",
                                        "seconds", "queries",     "type",        "random",  "leaves",
                                        "chunk",   "interval_ms", "reads",       "repeats", "reopens"};
    uint32_t *const numbers[] = {&o->port,    &o->spread,      &o->connections, &o->rate,    &o->most,
                                 &o->seconds, &o->queries,     &o->type,        &o->random,  &o->leaves,
                                 &o->chunk,   &o->interval_ms, &o->reads,       &o->repeats, &o->reopens};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(argument, names[i], size) != 0 || argument[size] != '=') continue;
        *numbers[i] = (uint32_t)strtoul(argument + size + 1, NULL, 10);
        return true;
    }
    fprintf(stderr, "flood: no such key: %s\n", argument);
    return false;
}

static bool options_of(int count, char **arguments, struct options *o)
{
    *o = (struct options){.spread = 1, .connections = 1, .seconds = 10, .type = 1, .reads = 1};
    o->source = "127.0.1.1";
    o->name = "flood.test";
    for (int i = 1; i < count; i++)
        if (strncmp(arguments[i], "source=", 7) == 0)
            o->source = arguments[i] + 7;
        else if (strncmp(arguments[i], "name=", 5) == 0)
            o->name = arguments[i] + 5;
        else if (!set_number(o, arguments[i]))
            return false;
    return o->port > 0 && o->spread > 0 && o->connections > 0 && strncmp(o->source, "127.", 4) == 0;
}

int main(int count, char **arguments)
{
    struct rlimit limit;
    struct flood *flood = calloc(1, sizeof *flood);
    if (!flood || !options_of(count, arguments, &flood->options)) {
        fprintf(stderr, "usage: flood port=N KEY=VALUE ...\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    flood->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    flood->connections = calloc(flood->options.connections, sizeof *flood->connections);
    if (flood->epoll_fd < 0 || !flood->connections) return 1;
    for (uint32_t i = 0; i < flood->options.connections; i++) flood->connections[i].fd = -1;
    run(flood);
    free(flood->connections);
    free(flood);
    return 0;
}
