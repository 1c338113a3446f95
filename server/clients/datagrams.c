#include "clients/datagrams.h"

#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/check.h"
#include "common/clock.h"

enum {
    /* A multiple of 4096 would map the beginnings of all datagrams to the same lines of the processor's first cache. */
    QUERY_STRIDE = DATAGRAM_QUERY_MAX + 64,
    CONTROL_BYTES = 128, /* time, dropped datagrams, our address */
};

struct datagram_receiver {
    struct mmsghdr headers[DATAGRAMS_MAX];
    struct iovec vectors[DATAGRAMS_MAX];
    struct datagram_path paths[DATAGRAMS_MAX];
    bool old[DATAGRAMS_MAX];
    unsigned changed;  /* so many headers bear the sizes of what was received, not those of their memory */
    bool with_control; /* all headers have memory for ancillary data, not only the first */
    bool have_old;
    bool knows_drops;
    uint32_t drops;
    _Alignas(struct cmsghdr) uint8_t control[DATAGRAMS_MAX][CONTROL_BYTES];
    uint8_t bytes[DATAGRAMS_MAX][QUERY_STRIDE];
};

struct datagram_receiver *datagram_receiver_new(void)
{
    struct datagram_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver) return NULL;
    receiver->changed = DATAGRAMS_MAX;
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        receiver->vectors[i] = (struct iovec){receiver->bytes[i], DATAGRAM_QUERY_MAX};
        receiver->headers[i].msg_hdr.msg_name = &receiver->paths[i].remote;
        receiver->headers[i].msg_hdr.msg_iov = &receiver->vectors[i];
        receiver->headers[i].msg_hdr.msg_iovlen = 1;
        receiver->headers[i].msg_hdr.msg_control = receiver->control[i];
    }
    return receiver;
}

void datagram_receiver_free(struct datagram_receiver *receiver)
{
    free(receiver);
}

/* What ancillary data says of one datagram; returns whether it is older than may be. */
static bool read_control(struct datagram_receiver *receiver, unsigned index, uint64_t oldest_ns)
{
    struct msghdr *header = &receiver->headers[index].msg_hdr;
    struct datagram_path *path = &receiver->paths[index];
    bool is_old = false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(c), sizeof at);
            uint64_t at_ns = (uint64_t)at.tv_sec * NS_PER_S + (uint64_t)at.tv_nsec;
            is_old = at_ns < oldest_ns;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&receiver->drops, CMSG_DATA(c), sizeof receiver->drops);
            receiver->knows_drops = true;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            path->local_family = AF_INET;
            memcpy(&path->local.ipv4, CMSG_DATA(c), sizeof path->local.ipv4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            path->local_family = AF_INET6;
            memcpy(&path->local.ipv6, CMSG_DATA(c), sizeof path->local.ipv6);
        }
    }
    return is_old;
}

/* Says how much memory there is for each datagram. Mostly few come in a turn, and only their headers are written. */
static void prepare(struct datagram_receiver *receiver, bool with_control)
{
    unsigned count = with_control == receiver->with_control ? receiver->changed : DATAGRAMS_MAX;
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *header = &receiver->headers[i].msg_hdr;
        header->msg_namelen = sizeof receiver->paths[i].remote;
        /* The first says what the kernel has dropped. */
        header->msg_controllen = with_control || i == 0 ? CONTROL_BYTES : 0;
    }
    receiver->with_control = with_control;
}

unsigned datagrams_receive(struct datagram_receiver *receiver, int fd, bool is_wildcard, uint64_t oldest_ns)
{
    prepare(receiver, is_wildcard || oldest_ns > 0);
    int count = recvmmsg(fd, receiver->headers, DATAGRAMS_MAX, MSG_DONTWAIT, NULL);
    receiver->changed = count > 0 ? (unsigned)count : 0;
    receiver->knows_drops = receiver->have_old = false;
    for (int i = 0; i < count; i++) {
        bool has_control = receiver->headers[i].msg_hdr.msg_controllen > 0;
        receiver->paths[i].local_family = AF_UNSPEC;
        receiver->old[i] = has_control && read_control(receiver, (unsigned)i, oldest_ns);
        receiver->have_old |= receiver->old[i];
    }
    return receiver->changed;
}

struct datagram datagrams_at(struct datagram_receiver *receiver, unsigned index)
{
    CHECK(index < DATAGRAMS_MAX);
    const struct mmsghdr *header = &receiver->headers[index];
    return (struct datagram){
        .bytes = receiver->bytes[index],
        .size = header->msg_len,
        .is_cut = header->msg_hdr.msg_flags & MSG_TRUNC,
        .is_old = receiver->old[index],
        .path = &receiver->paths[index],
    };
}

bool datagrams_dropped(const struct datagram_receiver *receiver, uint32_t *ret_drops)
{
    if (receiver->knows_drops) *ret_drops = receiver->drops;
    return receiver->knows_drops;
}

bool datagrams_dropped_by(int fd, uint32_t *ret_drops)
{
    uint32_t figures[SK_MEMINFO_VARS];
    socklen_t size = sizeof figures;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &size) != 0) return false;
    if (size <= SK_MEMINFO_DROPS * sizeof *figures) return false;
    *ret_drops = figures[SK_MEMINFO_DROPS];
    return true;
}

bool datagrams_have_old(const struct datagram_receiver *receiver)
{
    return receiver->have_old;
}
