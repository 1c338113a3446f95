#include "clients/datagram_sender.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "dns/answer.h"
#include "dns/message.h"

enum {
    CAPACITY_MAX = ANSWER_BYTES_MAX + EDNS_REPLY_MAX,
    ARENA_BYTES = DATAGRAMS_MAX * (DATAGRAM_REPLY_MAX + 8) + CAPACITY_MAX,
    BUNDLE_BYTES_MAX = 65000,   /* a little less than a datagram may have */
    APART_BATCHES = 1000,       /* without bundles, after one that an interface does not divide */
    PLACES = 2 * DATAGRAMS_MAX, /* by port, to find the bundle of a path */
    NONE = UINT8_MAX,
    CONTROL_BYTES = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)),
};

_Static_assert(DATAGRAMS_MAX <= 64, "the kernel divides a message into 64 at most");

/* Replies that take the same path. All are of one size, but the last may be shorter. */
struct bundle {
    uint16_t segment; /* bytes of the first */
    uint8_t first;
    uint8_t last;
    uint8_t count;
    bool is_complete; /* the last is shorter */
};

struct datagram_sender {
    unsigned count; /* replies that wait */
    size_t used;    /* bytes of the arena, of replies that wait */
    unsigned apart; /* batches that are sent without bundles */
    enum { UNKNOWN, DIVIDES, DIVIDES_NOT } kernel;
    unsigned bundle_count;
    struct iovec replies[DATAGRAMS_MAX];
    struct datagram_path paths[DATAGRAMS_MAX];
    uint8_t next[DATAGRAMS_MAX]; /* reply of the same bundle */
    struct bundle bundles[DATAGRAMS_MAX];
    uint8_t latest[PLACES]; /* the last bundle of a path with such a port, or NONE */

    /* As the kernel is given them: the replies of a bundle are next to each other. */
    struct iovec vectors[DATAGRAMS_MAX];
    uint8_t order[DATAGRAMS_MAX]; /* which reply a vector is */
    struct mmsghdr headers[DATAGRAMS_MAX];
    _Alignas(struct cmsghdr) uint8_t control[DATAGRAMS_MAX][CONTROL_BYTES];
    uint8_t arena[ARENA_BYTES];
};

struct datagram_sender *datagram_sender_new(void)
{
    return calloc(1, sizeof(struct datagram_sender));
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

void datagram_sender_add(struct datagram_sender *sender, const struct datagram_path *path, size_t size)
{
    unsigned index = sender->count;
    CHECK(index < DATAGRAMS_MAX && size <= DATAGRAM_REPLY_MAX);
    sender->paths[index] = *path;
    sender->replies[index] = (struct iovec){sender->arena + sender->used, size};
    sender->used += (size + 7) / 8 * 8;
    sender->count++;
}

unsigned datagram_sender_count(const struct datagram_sender *sender)
{
    return sender->count;
}

/* ---- bundles ---- */

static bool is_same_remote(const struct datagram_path *a, const struct datagram_path *b)
{
    if (a->remote.family != b->remote.family) return false;
    if (a->remote.family == AF_INET)
        return a->remote.ipv4.sin_port == b->remote.ipv4.sin_port &&
               a->remote.ipv4.sin_addr.s_addr == b->remote.ipv4.sin_addr.s_addr;
    return a->remote.ipv6.sin6_port == b->remote.ipv6.sin6_port &&
           a->remote.ipv6.sin6_scope_id == b->remote.ipv6.sin6_scope_id &&
           IN6_ARE_ADDR_EQUAL(&a->remote.ipv6.sin6_addr, &b->remote.ipv6.sin6_addr);
}

static bool is_same_local(const struct datagram_path *a, const struct datagram_path *b)
{
    if (a->local_family != b->local_family) return false;
    if (a->local_family == AF_INET) return a->local.ipv4.ipi_addr.s_addr == b->local.ipv4.ipi_addr.s_addr;
    return a->local_family == AF_UNSPEC || (a->local.ipv6.ipi6_ifindex == b->local.ipv6.ipi6_ifindex &&
                                            IN6_ARE_ADDR_EQUAL(&a->local.ipv6.ipi6_addr, &b->local.ipv6.ipi6_addr));
}

/* Adds the reply, of the bundle's path, if its size allows that. Of two the shorter may be the first: often a client
 * asks for A and AAAA, and the answer of the latter is longer. */
static bool bundle_take(struct datagram_sender *sender, struct bundle *bundle, uint8_t reply)
{
    size_t size = sender->replies[reply].iov_len;
    bool is_longer = size > bundle->segment;
    size_t segment = is_longer ? size : bundle->segment;
    if (bundle->is_complete || segment * (bundle->count + 1U) > BUNDLE_BYTES_MAX) return false;
    if (is_longer && bundle->count > 1) return false;
    if (is_longer) {
        sender->next[reply] = bundle->first;
        bundle->first = reply;
    } else {
        sender->next[bundle->last] = reply;
        bundle->last = reply;
    }
    bundle->is_complete = size != bundle->segment;
    bundle->segment = (uint16_t)segment;
    bundle->count++;
    return true;
}

/* Where the last bundle of the path is, or is to be. Ports of IPv4 and IPv6 are at the same place. */
static uint8_t *place_of(struct datagram_sender *sender, const struct datagram_path *path)
{
    unsigned place = ntohs(path->remote.ipv4.sin_port);
    for (;; place++) {
        uint8_t *latest = &sender->latest[place % PLACES];
        if (*latest == NONE) return latest;
        const struct datagram_path *its = &sender->paths[sender->bundles[*latest].first];
        if (is_same_remote(its, path) && is_same_local(its, path)) return latest;
    }
}

static void begin_bundle(struct datagram_sender *sender, uint8_t reply)
{
    sender->bundles[sender->bundle_count++] =
        (struct bundle){.segment = (uint16_t)sender->replies[reply].iov_len, .first = reply, .last = reply, .count = 1};
}

static void gather(struct datagram_sender *sender)
{
    memset(sender->latest, NONE, sizeof sender->latest);
    for (uint8_t reply = 0; reply < sender->count; reply++) {
        uint8_t *latest = place_of(sender, &sender->paths[reply]);
        if (*latest != NONE && bundle_take(sender, &sender->bundles[*latest], reply)) continue;
        *latest = (uint8_t)sender->bundle_count;
        begin_bundle(sender, reply);
    }
}

/* ---- messages for the kernel ---- */

static void put_control(struct msghdr *header, int level, int type, const void *value, size_t size)
{
    void *at = (uint8_t *)header->msg_control + header->msg_controllen; /* aligned, as CMSG_SPACE is */
    struct cmsghdr *c = at;
    header->msg_controllen += CMSG_SPACE(size);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), value, size);
}

/* Our address, from which the reply is to leave, or not at all: one that was asked at a broadcast or multicast address
 * cannot be sent. The interface is left to the routes but for a link-local address. */
static void put_local(struct msghdr *header, const struct datagram_path *path)
{
    if (path->local_family == AF_INET) {
        struct in_pktinfo local = path->local.ipv4;
        local.ipi_ifindex = 0;
        local.ipi_spec_dst = local.ipi_addr;
        put_control(header, IPPROTO_IP, IP_PKTINFO, &local, sizeof local);
    } else if (path->local_family == AF_INET6) {
        struct in6_pktinfo local = path->local.ipv6;
        if (!IN6_IS_ADDR_LINKLOCAL(&local.ipi6_addr)) local.ipi6_ifindex = 0;
        put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &local, sizeof local);
    }
}

/* Message `index` is `count` replies from that vector on. */
static void put_message(struct datagram_sender *sender, unsigned index, unsigned vector, unsigned count)
{
    struct datagram_path *path = &sender->paths[sender->order[vector]];
    struct msghdr *header = &sender->headers[index].msg_hdr;
    *header = (struct msghdr){
        .msg_name = &path->remote,
        .msg_namelen = path->remote.family == AF_INET ? sizeof path->remote.ipv4 : sizeof path->remote.ipv6,
        .msg_iov = &sender->vectors[vector],
        .msg_iovlen = count,
        .msg_control = sender->control[index],
    };
    put_local(header, path);
    uint16_t segment = (uint16_t)sender->vectors[vector].iov_len;
    if (count > 1) put_control(header, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
}

/* Whether the kernel knows UDP_SEGMENT. One that does not would send a bundle as one datagram. */
static bool kernel_divides(struct datagram_sender *sender, int fd)
{
    int size;
    if (sender->kernel == UNKNOWN) {
        bool is_known = getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &(socklen_t){sizeof size}) == 0;
        sender->kernel = is_known ? DIVIDES : DIVIDES_NOT;
    }
    return sender->kernel == DIVIDES;
}

/* Returns how many messages there are. */
static unsigned lay_out(struct datagram_sender *sender, int fd)
{
    unsigned vector = 0;
    sender->bundle_count = 0;
    if (sender->count == 1 || sender->apart > 0 || !kernel_divides(sender, fd))
        for (uint8_t reply = 0; reply < sender->count; reply++) begin_bundle(sender, reply);
    else
        gather(sender);
    if (sender->apart > 0) sender->apart--;
    for (unsigned i = 0; i < sender->bundle_count; i++) {
        const struct bundle *bundle = &sender->bundles[i];
        uint8_t reply = bundle->first;
        for (unsigned j = 0; j < bundle->count; j++, reply = sender->next[reply]) {
            sender->order[vector + j] = reply;
            sender->vectors[vector + j] = sender->replies[reply];
        }
        put_message(sender, i, vector, bundle->count);
        vector += bundle->count;
    }
    CHECK(vector == sender->count);
    return sender->bundle_count;
}

/* From message `at` on, each reply is one of its own. Returns the index of the first; the last is the last reply. */
static unsigned take_apart(struct datagram_sender *sender, unsigned at)
{
    unsigned first = (unsigned)(sender->headers[at].msg_hdr.msg_iov - sender->vectors);
    for (unsigned i = first; i < sender->count; i++) put_message(sender, i, i, 1);
    return first;
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
    unsigned count = lay_out(sender, fd);
    for (unsigned at = 0; at < count;) {
        struct mmsghdr *messages = sender->headers + at;
        int sent = sendmmsg(fd, messages, count - at, MSG_DONTWAIT);
        if (sent > 0) {
            for (int i = 0; i < sent; i++) result.sent += (unsigned)messages[i].msg_hdr.msg_iovlen;
            at += (unsigned)sent;
        } else if (errno == EINTR) {
            continue;
        } else if (messages->msg_hdr.msg_iovlen > 1) {
            if (errno == EIO || errno == EINVAL) sender->apart = APART_BATCHES;
            at = take_apart(sender, at);
            count = sender->count;
        } else if (errno == EMSGSIZE && cut(messages->msg_hdr.msg_iov)) {
            result.truncated++;
        } else { /* this one cannot be sent; those behind it may be */
            result.lost++;
            at++;
        }
    }
    sender->count = 0;
    sender->used = 0;
    return result;
}
