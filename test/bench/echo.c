/* echo: the least a DNS-over-TCP server can do, and so the limit for answers from a cache: each message goes back with
 * its QR bit set. Nothing is parsed, nothing kept: a query cut in two by the network would come back wrong, which on
 * loopback does not happen.
 *
 *   echo PORT [THREADS]      127.0.0.1, SO_REUSEPORT, a thread each */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "threads.h"

enum { EVENTS = 256, READ_BYTES = 65536, BACKLOG = 4096 };

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG)) {
        perror("echo");
        exit(1);
    }
    return fd;
}

static void watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll_fd, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        watch(epoll_fd, fd);
    }
}

static void answer(int fd, uint8_t *buffer)
{
    ssize_t size = read(fd, buffer, READ_BYTES);
    for (ssize_t at = 0; at + 14 <= size; at += 2 + (buffer[at] << 8 | buffer[at + 1])) buffer[at + 4] |= 0x80;
    if (size <= 0 || write(fd, buffer, (size_t)size) < 0) close(fd);
}

static void *serve(void *port)
{
    uint8_t *buffer = malloc(READ_BYTES);
    int listener = listen_on(*(const uint16_t *)port);
    int epoll_fd = epoll_create1(0);
    struct epoll_event events[EVENTS];
    watch(epoll_fd, listener);
    while (buffer) {
        int taken = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < taken; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll_fd, listener);
            else
                answer(events[i].data.fd, buffer);
        }
    }
    return NULL;
}

int main(int count, char **arguments)
{
    return threads_main(count, arguments, serve);
}
