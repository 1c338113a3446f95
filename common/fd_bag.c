#include "common/fd_bag.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel counts about 1 KB for a message: a quarter of it holds 60,000 descriptors, beyond what
 * net.core.wmem_default allows. It cuts this to net.core.wmem_max. */
enum { ROOM_BYTES = 1 << 20 };

union control {
    char bytes[CMSG_SPACE(FD_BAG_AT_ONCE * sizeof(int))];
    struct cmsghdr align;
};

bool fd_bag_make(int ret_ends[static 2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_ends) != 0) return false;
    setsockopt(ret_ends[1], SOL_SOCKET, SO_SNDBUF, &(int){ROOM_BYTES}, sizeof(int));
    return true;
}

/* A message needs a byte of its own to carry descriptors, and to be passed over when the bag is read. */
static bool put_message(int end, const int *fds, unsigned count)
{
    union control control;
    char byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(count * sizeof(int)),
    };
    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    ssize_t sent;
    do sent = sendmsg(end, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 1;
}

bool fd_bag_put(int filling_end, const int *fds, unsigned count)
{
    for (unsigned at = 0; at < count; at += FD_BAG_AT_ONCE) {
        unsigned rest = count - at;
        if (!put_message(filling_end, fds + at, rest < FD_BAG_AT_ONCE ? rest : FD_BAG_AT_ONCE)) return false;
    }
    return true;
}

bool fd_bag_is_kept(int filling_end)
{
    struct pollfd other = {.fd = filling_end};
    return poll(&other, 1, 0) == 0;
}

bool fd_bag_begin(struct fd_bag_reader *reader, int bag)
{
    int type = 0;
    socklen_t size = sizeof type;
    reader->bag = bag;
    reader->count = reader->next = 0;
    reader->is_cut = false;
    if (getsockopt(bag, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) return false;
    return setsockopt(bag, SOL_SOCKET, SO_PEEK_OFF, &(int){0}, sizeof(int)) == 0;
}

/* Copies the next message's descriptors; each look goes on behind the one before (SO_PEEK_OFF). False: none is left. */
static bool look_further(struct fd_bag_reader *reader)
{
    union control control;
    char byte;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do got = recvmsg(reader->bag, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    reader->count = reader->next = 0;
    if (got <= 0) return false;
    if (message.msg_flags & MSG_CTRUNC) reader->is_cut = true;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t bytes = header->cmsg_len - CMSG_LEN(0);
        reader->count = (unsigned)(bytes / sizeof(int));
        memcpy(reader->fds, CMSG_DATA(header), reader->count * sizeof(int));
    }
    return true;
}

int fd_bag_next(struct fd_bag_reader *reader)
{
    while (reader->next == reader->count)
        if (reader->is_cut || !look_further(reader)) return -1;
    return reader->fds[reader->next++];
}

void fd_bag_end(struct fd_bag_reader *reader)
{
    while (reader->next < reader->count) close(reader->fds[reader->next++]);
}

void fd_bag_empty(int bag)
{
    char byte;
    ssize_t got;
    setsockopt(bag, SOL_SOCKET, SO_PEEK_OFF, &(int){-1}, sizeof(int));
    do got = recv(bag, &byte, 1, MSG_DONTWAIT); /* which closes the descriptors that come with it */
    while (got > 0 || (got < 0 && errno == EINTR));
}
