#include "clients/datagrams.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/check.h"
#include "common/clock.h"
#include "dns/answer.h"
#include "dns/message.h"

enum {
    /* A multiple of 4096 would map the beginnings of all datagrams to the same lines of the processor's first cache. */
    QUERY_STRIDE = DATAGRAM_QUERY_MAX + 64,
    CONTROL_BYTES = 128, /* time, dropped datagrams, our address */
    CAPACITY_MAX = ANSWER_BYTES_MAX + EDNS_REPLY_MAX,
    ARENA_BYTES = DATAGRAMS_MAX * (DATAGRAM_REPLY_MAX + 8) + CAPACITY_MAX,
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

struct datagram_sender {
    unsigned count;
    size_t used; /* bytes of the arena, of replies that wait */
    struct mmsghdr headers[DATAGRAMS_MAX];
    struct iovec vectors[DATAGRAMS_MAX];
    struct datagram_path paths[DATAGRAMS_MAX];
    _Alignas(struct cmsghdr) uint8_t control[DATAGRAMS_MAX][CMSG_SPACE(sizeof(struct in6_pktinfo))];
    uint8_t arena[ARENA_BYTES];
};

/* ---- receiving ---- */

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

/* ---- sending ---- */

struct datagram_sender *datagram_sender_new(void)
{
    struct datagram_sender *sender = calloc(1, sizeof *sender);
    if (!sender) return NULL;
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        sender->headers[i].msg_hdr.msg_name = &sender->paths[i].remote;
        sender->headers[i].msg_hdr.msg_iov = &sender->vectors[i];
        sender->headers[i].msg_hdr.msg_iovlen = 1;
    }
    return sender;
}

void datagram_sender_free(struct datagram_sender *sender)
{
    free(sender);
}

uint8_t *datagram_sender_room(struct datagram_sender *sender, size_t capacity)
{
    CHECK(sender->count < DATAGRAMS_MAX && capacity <= CAPACITY_MAX && sender->used + capacity <= ARENA_BYTES);
    return sender->arena + sender->used;
}

/* Our address, from which the reply is to leave, or not at all: one that was asked at a broadcast or multicast address
 * cannot be sent. The interface is left to the routes but for a link-local address. */
static void put_local(struct msghdr *header, uint8_t *control, const struct datagram_path *path)
{
    if (path->local_family == AF_UNSPEC) {
        header->msg_control = NULL;
        header->msg_controllen = 0;
        return;
    }
    bool is_ipv4 = path->local_family == AF_INET;
    size_t size = is_ipv4 ? sizeof path->local.ipv4 : sizeof path->local.ipv6;
    struct in_pktinfo ipv4 = path->local.ipv4;
    struct in6_pktinfo ipv6 = path->local.ipv6;
    ipv4.ipi_ifindex = 0;
    ipv4.ipi_spec_dst = ipv4.ipi_addr;
    if (!is_ipv4 && !IN6_IS_ADDR_LINKLOCAL(&ipv6.ipi6_addr)) ipv6.ipi6_ifindex = 0;
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    c->cmsg_level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is_ipv4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), is_ipv4 ? (const void *)&ipv4 : (const void *)&ipv6, size);
}

void datagram_sender_add(struct datagram_sender *sender, const struct datagram_path *path, size_t size)
{
    unsigned index = sender->count;
    CHECK(index < DATAGRAMS_MAX && size <= DATAGRAM_REPLY_MAX);
    struct msghdr *header = &sender->headers[index].msg_hdr;
    sender->paths[index] = *path;
    header->msg_namelen = path->remote.family == AF_INET ? sizeof path->remote.ipv4 : sizeof path->remote.ipv6;
    sender->vectors[index] = (struct iovec){sender->arena + sender->used, size};
    put_local(header, sender->control[index], path);
    sender->used += (size + 7) / 8 * 8;
    sender->count++;
}

unsigned datagram_sender_count(const struct datagram_sender *sender)
{
    return sender->count;
}

/* A reply that is too large for its interface: the question alone remains, with TC, so that the client asks over TCP
 * (RFC 9715, R4). False: it is that already. */
static bool cut(struct iovec *reply)
{
    uint8_t *message = reply->iov_base;
    struct reader reader = {.message = message, .size = reply->iov_len, .at = DNS_HEADER_BYTES};
    if (message_count(message, DNS_QUESTION) == 1) {
        reader_name(&reader, false);
        reader_skip(&reader, 4);
    }
    if (reader.failed || reader.at >= reply->iov_len) return false;
    dns_put_u16(message + 2, message_flags(message) | DNS_TC);
    memset(message + 6, 0, 6);
    reply->iov_len = reader.at;
    return true;
}

struct datagrams_sent datagrams_send(struct datagram_sender *sender, int fd)
{
    struct datagrams_sent result = {0};
    for (unsigned at = 0; at < sender->count;) {
        int sent = sendmmsg(fd, sender->headers + at, sender->count - at, MSG_DONTWAIT);
        if (sent > 0) {
            result.sent += (unsigned)sent;
            at += (unsigned)sent;
        } else if (errno == EMSGSIZE && cut(&sender->vectors[at])) {
            result.truncated++;
        } else if (errno != EINTR) { /* this one cannot be sent; those behind it may be */
            result.lost++;
            at++;
        }
    }
    sender->count = 0;
    sender->used = 0;
    return result;
}
