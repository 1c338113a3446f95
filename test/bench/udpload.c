/* udpload: DNS queries over UDP from one thread, and what came of them.
 *
 *   udpload -p PORT [-c CLIENTS] [-q IN_FLIGHT] [-l SECONDS] [-t TOTAL] [-r PER_SECOND] [-n SOURCES] [-u PREFIX]
 *
 * Each client is a socket with a port of its own, and keeps IN_FLIGHT queries in flight, or what -r allows. Names are
 * one of NAMES at random, or with -u PREFIX never the same twice; with -t it ends when TOTAL queries have an answer.
 * Clients are spread over SOURCES addresses 127.1.0.x. Each answer must bear the id and the question of a query that
 * waits; one that does not come within PATIENCE_NS is lost. Datagrams are sent and received in batches. It prints one
 * line of JSON, as dnsload. */
#include <arpa/inet.h>
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

enum { ANSWER_BYTES = 512, BATCH = 64, EVENTS = 256 };

#define PATIENCE_NS NS_PER_S

struct options {
    uint16_t port;
    int clients;
    int in_flight; /* of a client, at most 65536 */
    int sources;
    double seconds;
    uint64_t total; /* queries; 0: time alone ends it */
    double per_s;   /* 0: as fast as answers come */
    const char *prefix;
};

/* A query of a client; its id is its index. */
struct asked {
    uint64_t sent_ns;
    uint32_t number; /* of the name */
    bool waiting;
};

struct client {
    int fd;
    int in_flight;
    int next; /* where to look for a free one first */
    struct asked *asked;
};

struct load {
    struct options options;
    struct client *clients;
    int epoll_fd;
    uint64_t started_ns;
    uint64_t sent, answered, lost, wrong;
    uint64_t rcodes[16];
    struct question question;
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    uint8_t bytes[BATCH][ANSWER_BYTES];
    struct latencies latencies;
};

static bool may_send(const struct load *load, uint64_t now)
{
    if (load->options.total > 0 && load->sent >= load->options.total) return false;
    if (load->options.per_s <= 0) return true;
    return (double)load->sent < load->options.per_s * (double)(now - load->started_ns) / 1e9;
}

/* A free id of the client, or -1. One whose answer has not come for too long is lost, and free. */
static int free_id(struct load *load, struct client *client, uint64_t now)
{
    for (int tries = 0; tries < load->options.in_flight; tries++) {
        int id = client->next;
        struct asked *asked = &client->asked[id];
        client->next = (id + 1) % load->options.in_flight;
        if (!asked->waiting) return id;
        if (now < asked->sent_ns + PATIENCE_NS) continue;
        asked->waiting = false;
        client->in_flight--;
        load->lost++;
        return id;
    }
    return -1;
}

/* Sends what the client may have in flight, up to a batch. */
static void ask(struct load *load, struct client *client)
{
    uint64_t now = now_ns();
    unsigned count = 0;
    for (int id; count < BATCH && may_send(load, now) && (id = free_id(load, client, now)) >= 0; count++) {
        client->asked[id] = (struct asked){now, question_next(&load->question), true};
        client->in_flight++;
        load->sent++;
        question_write(&load->question, load->bytes[count], (uint16_t)id, client->asked[id].number);
        load->vectors[count].iov_len = load->question.size;
    }
    for (unsigned at = 0; at < count;) {
        int sent = sendmmsg(client->fd, load->headers + at, count - at, 0);
        if (sent <= 0) break; /* what is not sent is lost in time */
        at += (unsigned)sent;
    }
}

/* ---- answers ---- */

static void take(struct load *load, struct client *client, const uint8_t *bytes, size_t size, uint64_t now)
{
    int id = size >= 12 ? bytes[0] << 8 | bytes[1] : -1;
    struct asked *asked = id >= 0 && id < load->options.in_flight ? &client->asked[id] : NULL;
    if (!asked || !asked->waiting || !question_is_answered(&load->question, bytes, size, asked->number)) {
        load->wrong++;
        return;
    }
    asked->waiting = false;
    client->in_flight--;
    load->answered++;
    load->rcodes[bytes[3] & 15]++;
    latencies_add(&load->latencies, now - asked->sent_ns);
}

static void receive(struct load *load, struct client *client)
{
    int count = BATCH;
    while (count == BATCH) {
        for (int i = 0; i < BATCH; i++) load->vectors[i].iov_len = ANSWER_BYTES;
        count = recvmmsg(client->fd, load->headers, BATCH, MSG_DONTWAIT, NULL);
        uint64_t now = now_ns();
        for (int i = 0; i < count; i++) take(load, client, load->bytes[i], load->headers[i].msg_len, now);
    }
}

/* ---- the run ---- */

static void open_client(struct load *load, int index)
{
    struct client *client = &load->clients[index];
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load->options.port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    from.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(index % load->options.sources));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    client->asked = calloc((size_t)load->options.in_flight, sizeof *client->asked);
    if (client->fd < 0 || !client->asked) die("udpload");
    if (load->options.sources > 1 && bind(client->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
    if (connect(client->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event);
}

static bool is_over(const struct load *load)
{
    return load->options.total > 0 && load->answered + load->lost + load->wrong >= load->options.total;
}

static double run(struct load *load)
{
    struct epoll_event events[EVENTS];
    bool has_rate = load->options.per_s > 0;
    int turn = 0;
    load->started_ns = now_ns();
    uint64_t end = load->started_ns + (uint64_t)(load->options.seconds * 1e9);
    for (int i = 0; i < load->options.clients && !has_rate; i++) ask(load, &load->clients[i]);
    while (now_ns() < end && !is_over(load)) {
        int taken = epoll_wait(load->epoll_fd, events, EVENTS, has_rate ? 1 : 20);
        for (int i = 0; i < taken; i++) {
            receive(load, events[i].data.ptr);
            if (!has_rate) ask(load, events[i].data.ptr);
        }
        for (int i = 0; i < load->options.clients && (has_rate ? may_send(load, now_ns()) : taken == 0); i++)
            ask(load, &load->clients[turn++ % load->options.clients]);
    }
    double seconds = (double)(now_ns() - load->started_ns) / 1e9;
    for (int taken = 1; taken > 0;) { /* what is on its way is not lost */
        taken = is_over(load) ? 0 : epoll_wait(load->epoll_fd, events, EVENTS, 300);
        for (int i = 0; i < taken; i++) receive(load, events[i].data.ptr);
    }
    for (int i = 0; i < load->options.clients; i++) load->lost += (uint64_t)load->clients[i].in_flight;
    return seconds;
}

static bool read_options(int count, char **arguments, struct options *options)
{
    *options = (struct options){.clients = 1, .in_flight = 1, .sources = 1, .seconds = 1, .prefix = "h"};
    for (int option; (option = getopt(count, arguments, "p:c:q:l:t:r:n:u:")) != -1;) {
        switch (option) {
        case 'p': options->port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'c': options->clients = (int)strtol(optarg, NULL, 10); break;
        case 'q': options->in_flight = (int)strtol(optarg, NULL, 10); break;
        case 'l': options->seconds = strtod(optarg, NULL); break;
        case 't': options->total = strtoull(optarg, NULL, 10); break;
        case 'r': options->per_s = strtod(optarg, NULL); break;
        case 'n': options->sources = (int)strtol(optarg, NULL, 10); break;
        case 'u': options->prefix = optarg; break;
        default: return false;
        }
    }
    return options->port > 0 && options->clients > 0 && options->in_flight > 0 && options->in_flight <= 65536 &&
           options->sources > 0 && strlen(options->prefix) <= PREFIX_MAX;
}

int main(int count, char **arguments)
{
    struct load *load = calloc(1, sizeof *load);
    if (!load || !read_options(count, arguments, &load->options)) {
        fputs("usage: udpload -p PORT [-c N] [-q N] [-l SECONDS] [-t TOTAL] [-r RATE] [-n N] [-u PREFIX]\n", stderr);
        return 2;
    }
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc((size_t)load->options.clients, sizeof *load->clients);
    if (load->epoll_fd < 0 || !load->clients) die("udpload");
    for (int i = 0; i < BATCH; i++) {
        load->vectors[i].iov_base = load->bytes[i];
        load->headers[i].msg_hdr = (struct msghdr){.msg_iov = &load->vectors[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < load->options.clients; i++) open_client(load, i);
    question_init(&load->question, load->options.prefix);
    double seconds = run(load);
    printf("{\"answered\":%lu,\"per_s\":%.0f,\"lost\":%lu,\"wrong\":%lu,\"closed\":0,\"noerror\":%lu,\"servfail\":%lu,"
           "\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f}\n",
           load->answered, (double)load->answered / seconds, load->lost, load->wrong, load->rcodes[0], load->rcodes[2],
           latencies_us(&load->latencies, 0.5), latencies_us(&load->latencies, 0.99),
           latencies_us(&load->latencies, 0.999));
    return 0;
}
