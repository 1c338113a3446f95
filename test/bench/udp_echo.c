/* udp_echo: the least a DNS-over-UDP server can do, and so the limit for answers from a cache: what one system call has
 * received goes back with the next, each datagram with its QR bit set.
 *
 *   udp_echo PORT [THREADS]      127.0.0.1, SO_REUSEPORT, a thread each */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "threads.h"

enum { BATCH = 64, BYTES = 1500 };

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in from[BATCH];
    uint8_t bytes[BATCH][BYTES];
};

static int open_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) {
        perror("udp_echo");
        exit(1);
    }
    return fd;
}

static int receive(int fd, struct batch *batch)
{
    for (int i = 0; i < BATCH; i++) {
        batch->vectors[i] = (struct iovec){batch->bytes[i], BYTES};
        batch->headers[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
                                                    .msg_namelen = sizeof batch->from[i],
                                                    .msg_iov = &batch->vectors[i],
                                                    .msg_iovlen = 1};
    }
    return recvmmsg(fd, batch->headers, BATCH, MSG_WAITFORONE, NULL);
}

static void *serve(void *port)
{
    struct batch *batch = calloc(1, sizeof *batch);
    int fd = open_on(*(const uint16_t *)port);
    while (batch) {
        int count = receive(fd, batch);
        for (int i = 0; i < count; i++) {
            batch->bytes[i][2] |= 0x80;
            batch->vectors[i].iov_len = batch->headers[i].msg_len;
        }
        for (int at = 0, sent; at<count; at += sent> 0 ? sent : 1)
            sent = sendmmsg(fd, batch->headers + at, (unsigned)(count - at), 0);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    return threads_main(count, arguments, serve);
}
