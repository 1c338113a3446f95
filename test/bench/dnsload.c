/* dnsload: DNS queries over TCP from one thread, and what came of them.
 *
 *   dnsload -p PORT [-m pipe|oneshot|idle] [-c CLIENTS] [-q IN_FLIGHT] [-l SECONDS] [-t TOTAL] [-r PER_SECOND]
 *           [-n SOURCES] [-u PREFIX] [-k NAMES] [-j SECONDS]
 *
 * pipe: each client keeps IN_FLIGHT queries in flight, or what -r allows. oneshot: a connection a query. idle: a query
 * each, then silence. -j: for so many seconds at -r, then as fast as answers come, and only what follows is measured;
 * what is not answered two seconds after the end is lost. Names are one of NAMES (1,000) at random, or with -u PREFIX
 * never the same twice. Clients are spread over SOURCES addresses 127.1.0.x. Each answer must bear the id and the
 * question of a query that waits; it prints one line of JSON. It costs some 0.3 us a query where queries are pipelined,
 * a third of the cheapest server measured by it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "latencies.h"
#include "question.h"
#include "tool.h"

enum {
    REST_BYTES = 1024, /* no answer to these questions is as long */
    READ_BYTES = 256 * 1024,
    WRITE_BYTES = 64 * 1024,
    EVENTS = 512
};

enum mode { PIPE, ONESHOT, IDLE };

struct options {
    enum mode mode;
    uint16_t port;
    int clients;
    int in_flight; /* a client */
    int sources;
    double seconds;
    double per_s;   /* 0: as fast as answers come */
    double jump_s;  /* after which per_s becomes 0, and the measurement begins; 0: no jump */
    uint64_t total; /* queries, after which it ends; 0: time alone ends it */
    const char *prefix;
    uint32_t names;
};

struct asked {
    uint64_t sent_ns;
    uint32_t number; /* of the name */
    bool waiting;
};

struct client {
    int fd;
    bool connected;
    int waiting;
    size_t rest_bytes; /* the front of an answer that is still to come */
    uint8_t rest[REST_BYTES];
    struct asked *asked; /* by id; options.in_flight of them */
};

struct load {
    struct options options;
    int epoll_fd;
    struct client *clients;
    uint64_t started_ns;
    uint64_t sent;
    uint64_t answered;
    uint64_t lost;  /* a connection closed on them */
    uint64_t wrong; /* answers to no query of ours */
    uint64_t closed;
    uint64_t rcodes[16];
    uint32_t next_source;
    struct question question;
    uint8_t buffer[REST_BYTES + READ_BYTES];
    struct latencies latencies;
};

/* ---- clients ---- */

static void bind_source(struct load *load, int fd)
{
    if (load->options.sources < 2) return;
    uint32_t source = 0x7f010001u + load->next_source++ % (uint32_t)load->options.sources;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind");
}

static void client_open(struct load *load, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(load->options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) die("socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    bind_source(load, client->fd);
    client->connected = false;
    client->waiting = 0;
    client->rest_bytes = 0;
    client->asked[0].sent_ns = now_ns(); /* of a connection for one query all of it counts */
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event)) die("epoll_ctl");
}

static void client_close(struct load *load, struct client *client)
{
    for (int id = 0; id < load->options.in_flight; id++) {
        load->lost += client->asked[id].waiting;
        client->asked[id].waiting = false;
    }
    close(client->fd);
    client->fd = -1;
}

static bool may_send(const struct load *load)
{
    const struct options *options = &load->options;
    if (options->total > 0 && load->sent >= options->total) return false;
    return options->per_s <= 0 || (double)load->sent < options->per_s * (double)(now_ns() - load->started_ns) / 1e9;
}

/* Sends up to `most` queries with one write. */
static void client_ask(struct load *load, struct client *client, int most)
{
    uint8_t out[WRITE_BYTES];
    size_t size = 0;
    int room = load->options.in_flight - client->waiting;
    if (most > room) most = room;
    for (int id = 0; most > 0 && size + QUERY_BYTES <= sizeof out && may_send(load); id++) {
        struct asked *asked = &client->asked[id];
        if (asked->waiting) continue;
        *asked = (struct asked){asked->sent_ns, question_next(&load->question), true};
        if (load->options.mode != ONESHOT) asked->sent_ns = now_ns();
        out[size] = 0;
        out[size + 1] = (uint8_t)load->question.size;
        question_write(&load->question, out + size + 2, (uint16_t)id, asked->number);
        size += 2 + load->question.size;
        client->waiting++;
        load->sent++;
        most--;
    }
    if (size > 0 && send(client->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size) load->closed++;
}

/* ---- answers ---- */

static void take_answer(struct load *load, struct client *client, const uint8_t *message, size_t size, uint64_t at_ns)
{
    size_t id = size >= 12 ? (size_t)message[0] << 8 | message[1] : SIZE_MAX;
    struct asked *asked = id < (size_t)load->options.in_flight ? &client->asked[id] : NULL;
    if (!asked || !asked->waiting || !question_is_answered(&load->question, message, size, asked->number)) {
        load->wrong++;
        return;
    }
    asked->waiting = false;
    client->waiting--;
    load->answered++;
    load->rcodes[message[3] & 15]++;
    latencies_add(&load->latencies, at_ns - asked->sent_ns);
}

/* Reads what is there; false where the connection has ended. */
static bool client_read(struct load *load, struct client *client)
{
    memcpy(load->buffer, client->rest, client->rest_bytes);
    ssize_t got = recv(client->fd, load->buffer + client->rest_bytes, READ_BYTES, 0);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    const uint8_t *at = load->buffer;
    size_t left = client->rest_bytes + (size_t)got;
    uint64_t at_ns = now_ns();
    while (left >= 2) {
        size_t size = (size_t)at[0] << 8 | at[1];
        if (left - 2 < size) break;
        take_answer(load, client, at + 2, size, at_ns);
        at += 2 + size;
        left -= 2 + size;
    }
    if (left > REST_BYTES) return false;
    memcpy(client->rest, at, left);
    client->rest_bytes = left;
    return (size_t)got < READ_BYTES || client_read(load, client);
}

static void on_event(struct load *load, struct client *client, uint32_t events)
{
    bool over = false;
    bool asks = load->options.mode == PIPE;
    if (!client->connected && (events & EPOLLOUT)) {
        client->connected = true;
        asks = true;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        bool open = client_read(load, client);
        over = load->options.mode == ONESHOT && client->waiting == 0 && !asks;
        if (!open) {
            load->closed++;
            over = true;
        }
    }
    if (over) {
        client_close(load, client);
        client_open(load, client);
    } else if (asks && client->connected) {
        bool paced = load->options.per_s > 0;
        client_ask(load, client, paced ? 1 : load->options.in_flight);
    }
}

/* ---- the run ---- */

/* At a given rate: what is due by now, one from each client in turn. */
static void ask_in_turn(struct load *load, size_t *next)
{
    for (int i = 0; i < load->options.clients && may_send(load); i++) {
        struct client *client = &load->clients[(*next)++ % (size_t)load->options.clients];
        if (client->connected) client_ask(load, client, 1);
    }
}

/* From now on as fast as answers come; what was measured so far is forgotten. */
static void jump(struct load *load)
{
    load->options.per_s = 0;
    load->started_ns = now_ns();
    load->answered = 0;
    memset(load->rcodes, 0, sizeof load->rcodes);
    load->latencies = (struct latencies){0};
    for (int i = 0; i < load->options.clients; i++)
        if (load->clients[i].connected) client_ask(load, &load->clients[i], load->options.in_flight);
}

static uint64_t count_waiting(const struct load *load)
{
    uint64_t waiting = 0;
    for (int i = 0; i < load->options.clients; i++) waiting += (uint64_t)load->clients[i].waiting;
    return waiting;
}

static void wait_for_last(struct load *load)
{
    struct epoll_event events[EVENTS];
    uint64_t end_ns = now_ns() + 2000000000;
    load->options.per_s = 1e-9; /* nothing new */
    while (count_waiting(load) > 0 && now_ns() < end_ns) {
        int taken = epoll_wait(load->epoll_fd, events, EVENTS, 100);
        for (int i = 0; i < taken; i++) on_event(load, events[i].data.ptr, events[i].events);
    }
    load->lost += count_waiting(load);
}

static bool is_over(const struct load *load)
{
    return load->options.total > 0 && load->answered + load->lost + load->wrong >= load->options.total;
}

static double run(struct load *load)
{
    struct epoll_event events[EVENTS];
    size_t next = 0;
    load->started_ns = now_ns();
    uint64_t jump_ns = load->started_ns + (uint64_t)(load->options.jump_s * 1e9);
    uint64_t end_ns = jump_ns + (uint64_t)(load->options.seconds * 1e9);
    for (int i = 0; i < load->options.clients; i++) client_open(load, &load->clients[i]);
    while (now_ns() < end_ns && !is_over(load)) {
        int taken = epoll_wait(load->epoll_fd, events, EVENTS, load->options.per_s > 0 ? 1 : 100);
        for (int i = 0; i < taken; i++) on_event(load, events[i].data.ptr, events[i].events);
        if (load->options.per_s > 0 && load->options.jump_s > 0 && now_ns() >= jump_ns) jump(load);
        if (load->options.per_s > 0 && load->options.mode == PIPE) ask_in_turn(load, &next);
    }
    double seconds = (double)(now_ns() - load->started_ns) / 1e9;
    if (load->options.jump_s > 0) wait_for_last(load);
    return seconds;
}

static void report(const struct load *load, double seconds)
{
    const struct latencies *l = &load->latencies;
    printf(
        "{\"answered\":%lu,\"per_s\":%.0f,\"lost\":%lu,\"wrong\":%lu,\"closed\":%lu,\"noerror\":%lu,\"servfail\":%lu,"
        "\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f}\n",
        load->answered, (double)load->answered / seconds, load->lost, load->wrong, load->closed, load->rcodes[0],
        load->rcodes[2], latencies_us(l, 0.5), latencies_us(l, 0.99), latencies_us(l, 0.999));
}

static bool read_options(int count, char **arguments, struct options *options)
{
    *options =
        (struct options){.clients = 1, .in_flight = 1, .sources = 1, .seconds = 1, .prefix = "h", .names = NAMES};
    for (int option; (option = getopt(count, arguments, "p:m:c:q:l:r:n:u:k:t:j:")) != -1;) {
        switch (option) {
        case 'p': options->port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'm': options->mode = *optarg == 'o' ? ONESHOT : *optarg == 'i' ? IDLE : PIPE; break;
        case 'c': options->clients = (int)strtol(optarg, NULL, 10); break;
        case 'q': options->in_flight = (int)strtol(optarg, NULL, 10); break;
        case 'l': options->seconds = strtod(optarg, NULL); break;
        case 'r': options->per_s = strtod(optarg, NULL); break;
        case 'n': options->sources = (int)strtol(optarg, NULL, 10); break;
        case 't': options->total = strtoull(optarg, NULL, 10); break;
        case 'j': options->jump_s = strtod(optarg, NULL); break;
        case 'u': options->prefix = optarg; break;
        case 'k': options->names = (uint32_t)strtoul(optarg, NULL, 10); break;
        default: return false;
        }
    }
    return options->port > 0 && options->clients > 0 && options->in_flight > 0 && options->names > 0 &&
           strlen(options->prefix) <= PREFIX_MAX;
}

int main(int count, char **arguments)
{
    struct load *load = calloc(1, sizeof *load);
    if (!load || !read_options(count, arguments, &load->options)) {
        fputs("usage: dnsload -p PORT [-m pipe|oneshot|idle] [-c N] [-q N] [-l SECONDS] [-r RATE] [-n N] [-u PREFIX] "
              "[-k NAMES] [-j SECONDS]\n",
              stderr);
        return 2;
    }
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc((size_t)load->options.clients, sizeof *load->clients);
    if (load->epoll_fd < 0 || !load->clients) die("dnsload");
    for (int i = 0; i < load->options.clients; i++) {
        load->clients[i].asked = calloc((size_t)load->options.in_flight, sizeof(struct asked));
        if (!load->clients[i].asked) die("dnsload");
    }
    question_init(&load->question, load->options.prefix);
    load->question.names = load->options.names;
    report(load, run(load));
    return 0; /* the kernel takes what it holds */
}
