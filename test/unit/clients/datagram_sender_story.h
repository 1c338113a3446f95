/* datagram_sender_story: a sender, a socket to send from, and clients that hear it. */
#ifndef UNIT_CLIENTS_DATAGRAM_SENDER_STORY_H
#define UNIT_CLIENTS_DATAGRAM_SENDER_STORY_H

#include <arpa/inet.h>
#include <netinet/udp.h>
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

#include "clients/datagram_sender.h"

enum { CLIENTS = 5, BYTES_MAX = 70000 };

static struct story {
    struct datagram_sender *sender;
    int server;
    int clients[CLIENTS];
    struct datagram_path paths[CLIENTS]; /* to them */
} story;

static inline int open_socket(sa_family_t family, struct datagram_path *ret_at)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    *ret_at = (struct datagram_path){.remote.family = family};
    socklen_t size = sizeof ret_at->remote;
    if (family == AF_INET) {
        ret_at->remote.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof ret_at->remote.ipv4;
    } else {
        ret_at->remote.ipv6.sin6_addr = in6addr_loopback;
    }
    assert_int_equal(bind(fd, (struct sockaddr *)&ret_at->remote, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ret_at->remote, &size), 0);
    return fd;
}

static inline void open_all(sa_family_t family)
{
    struct datagram_path own;
    story.sender = datagram_sender_new();
    story.server = open_socket(family, &own);
    for (unsigned i = 0; i < CLIENTS; i++) story.clients[i] = open_socket(family, &story.paths[i]);
}

static inline int begin(void **state)
{
    (void)state;
    open_all(AF_INET);
    return 0;
}

static inline int begin_ipv6(void **state)
{
    (void)state;
    open_all(AF_INET6);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    datagram_sender_free(story.sender);
    close(story.server);
    for (unsigned i = 0; i < CLIENTS; i++) close(story.clients[i]);
    return 0;
}

/* A reply of that size, with the number at both ends; at least two bytes. */
static inline void add(unsigned client, size_t size, uint8_t number)
{
    uint8_t *room = datagram_sender_room(story.sender, DATAGRAM_REPLY_MAX);
    memset(room, 0, size);
    room[0] = room[size - 1] = number;
    datagram_sender_add(story.sender, &story.paths[client], size);
}

static inline void send_all(unsigned expected)
{
    const struct datagrams_sent sent = datagrams_send(story.sender, story.server);
    assert_int_equal(sent.sent, expected);
    assert_int_equal(sent.lost + sent.truncated, 0);
    assert_int_equal(datagram_sender_count(story.sender), 0);
}

static uint8_t bytes[BYTES_MAX];

/* The size of the next reply to the client, or -1; its number is in `bytes`. */
static inline ssize_t next_to(unsigned client)
{
    ssize_t size = recv(story.clients[client], bytes, sizeof bytes, 0);
    if (size > 0) assert_int_equal(bytes[0], bytes[size - 1]);
    return size;
}

/* From now on the client gets what was sent as one message undivided. */
static inline void show_messages(unsigned client)
{
    assert_int_equal(setsockopt(story.clients[client], SOL_UDP, UDP_GRO, &(int){1}, sizeof(int)), 0);
}

/* The size of the next message to the client, and of each reply in it; 0: there is one. */
static inline ssize_t next_message_to(unsigned client, int *ret_reply_bytes)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {bytes, sizeof bytes};
    struct msghdr header = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(story.clients[client], &header, 0);
    const struct cmsghdr *c = size < 0 ? NULL : CMSG_FIRSTHDR(&header);
    *ret_reply_bytes = 0;
    if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) memcpy(ret_reply_bytes, CMSG_DATA(c), sizeof(int));
    return size;
}

static inline void assert_message(unsigned client, ssize_t size, int reply_bytes)
{
    int found_bytes;
    assert_int_equal(next_message_to(client, &found_bytes), size);
    assert_int_equal(found_bytes, reply_bytes);
}

static inline void assert_no_message(unsigned client)
{
    assert_int_equal(next_to(client), -1);
}

#endif
