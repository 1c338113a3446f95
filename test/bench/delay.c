/* delay: a TCP relay that holds every byte back for a while, since loopback has no distance.
 *
 *   delay PORT TO_PORT MILLISECONDS      each way: the round trip is twice as long
 *
 * As all bytes wait equally long, one queue in the order of arrival holds them all. */
#include <arpa/inet.h>
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

#include "tool.h"

enum { EVENTS = 64, READ_BYTES = 65536, BACKLOG = 64 };

struct end {
    int fd;
    bool over; /* its peer has ended */
    struct end *other;
};

struct piece {
    struct piece *next;
    uint64_t due_ns;
    struct end *to;
    size_t size; /* 0: the end of the stream */
    uint8_t bytes[];
};

struct relay {
    int epoll_fd;
    struct end listener;
    const char *to_port;
    uint64_t delay_ns;
    struct piece *first;
    struct piece **last; /* where the next one goes */
    uint8_t buffer[READ_BYTES];
};

static void watch(struct relay *relay, struct end *end)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, end->fd, &event)) die("epoll_ctl");
}

static void accept_one(struct relay *relay)
{
    struct sockaddr_in address = loopback(relay->to_port);
    struct end *ends = calloc(2, sizeof *ends); /* a relay of a benchmark: pairs are kept till its end */
    if (!ends) die("delay");
    ends[0] = (struct end){accept(relay->listener.fd, NULL, NULL), false, &ends[1]};
    ends[1] = (struct end){socket(AF_INET, SOCK_STREAM, 0), false, &ends[0]};
    if (connect(ends[1].fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    watch(relay, &ends[0]);
    watch(relay, &ends[1]);
}

static void take(struct relay *relay, struct end *from)
{
    ssize_t got = recv(from->fd, relay->buffer, sizeof relay->buffer, MSG_DONTWAIT);
    size_t size = got > 0 ? (size_t)got : 0;
    struct piece *piece = malloc(sizeof *piece + size);
    if (!piece) die("delay");
    *piece = (struct piece){NULL, now_ns() + relay->delay_ns, from->other, size};
    memcpy(piece->bytes, relay->buffer, size);
    *relay->last = piece;
    relay->last = &piece->next;
    if (size == 0) epoll_ctl(relay->epoll_fd, EPOLL_CTL_DEL, from->fd, NULL);
}

static void hand_on(struct piece *piece)
{
    struct end *to = piece->to;
    if (piece->size > 0) {
        send(to->fd, piece->bytes, piece->size, MSG_NOSIGNAL);
        return;
    }
    shutdown(to->fd, SHUT_WR);
    to->over = true;
    if (!to->other->over) return;
    close(to->fd);
    close(to->other->fd);
}

static void hand_on_due(struct relay *relay)
{
    while (relay->first && relay->first->due_ns <= now_ns()) {
        struct piece *piece = relay->first;
        relay->first = piece->next;
        if (!relay->first) relay->last = &relay->first;
        hand_on(piece);
        free(piece);
    }
}

static void turn(struct relay *relay)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {3600, 0};
    if (relay->first) {
        uint64_t now = now_ns();
        uint64_t due_ns = relay->first->due_ns > now ? relay->first->due_ns - now : 0;
        wait = (struct timespec){(time_t)(due_ns / NS_PER_S), (long)(due_ns % NS_PER_S)};
    }
    int taken = epoll_pwait2(relay->epoll_fd, events, EVENTS, &wait, NULL);
    for (int i = 0; i < taken; i++) {
        struct end *end = events[i].data.ptr;
        if (end == &relay->listener)
            accept_one(relay);
        else
            take(relay, end);
    }
    hand_on_due(relay);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fputs("usage: delay PORT TO_PORT MILLISECONDS\n", stderr);
        return 2;
    }
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay) die("delay");
    struct sockaddr_in address = loopback(arguments[1]);
    relay->to_port = arguments[2];
    relay->delay_ns = (uint64_t)(strtod(arguments[3], NULL) * 1e6);
    relay->last = &relay->first;
    relay->epoll_fd = epoll_create1(0);
    relay->listener.fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(relay->listener.fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(relay->listener.fd, (struct sockaddr *)&address, sizeof address)) die("bind");
    if (listen(relay->listener.fd, BACKLOG)) die("listen");
    watch(relay, &relay->listener);
    for (;;) turn(relay);
}
