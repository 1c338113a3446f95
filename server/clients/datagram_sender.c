#include "clients/datagram_sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "dns/answer.h"
#include "dns/message.h"

enum {
    CAPACITY_MAX = ANSWER_BYTES_MAX + EDNS_REPLY_MAX,
    ARENA_BYTES = DATAGRAMS_MAX * (DATAGRAM_REPLY_MAX + 8) + CAPACITY_MAX,
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
