#include "clients/udp.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"

enum { LAST_READS = 1024 }; /* of a socket that is given up: 64 k datagrams are more than its buffer holds */

static void on_event(struct loop_source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct udp_socket, source)->is_readable = true;
}

/* ---- which sockets get questions ---- */

static void set_watched(struct udp_socket *socket, bool watched)
{
    /* Of the workers that share a socket one is woken for a datagram, not all. */
    const uint32_t events = socket->is_shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN;
    if (watched == socket->is_watched) return;
    if (!watched) loop_remove(socket->udp->loop, &socket->source);
    socket->is_watched = watched && loop_add(socket->udp->loop, &socket->source, events);
}

/* 20,000 questions a second of 200 clients cost a quarter less on one of two workers than on both. */
static void follow(struct udp_socket *socket)
{
    const struct udp *udp = socket->udp;
    const struct udp_part *part = &udp->part;
    const int fd = socket->source.fd;
    if (socket->is_shared) {
        set_watched(socket, part->workers == 0 || part->index < part->active);
    } else if (part->workers > 0 && part->index == 0) {
        udp_listener_steer(fd, udp->is_held || udp_is_any_leaving(udp) ? part->workers : part->active, part->workers);
        /* A worker that gives its socket up meanwhile counts it first and undoes this then, or counts it by now. */
        if (udp_is_any_leaving(udp)) udp_listener_steer(fd, part->workers, part->workers);
    }
}

void udp_sockets_follow(struct udp *udp)
{
    udp->must_follow = udp_is_any_leaving(udp);
    for (unsigned i = 0; i < udp->used; i++)
        if (udp_socket_is_open(&udp->sockets[i]) && !udp->sockets[i].is_leaving) follow(&udp->sockets[i]);
}

/* ---- opened and given up ---- */

void udp_socket_close(struct udp_socket *socket)
{
    struct udp *udp = socket->udp;
    if (udp->sending == socket) udp_send_waiting(udp);
    udp->sending = NULL;
    set_watched(socket, false);
    if (!socket->is_shared) {
        close(socket->source.fd);
        if (socket->is_leaving) CHECK(atomic_fetch_sub(udp->leaving, 1) > 0);
    }
    socket->source.fd = -1;
    socket->is_readable = false;
    socket->generation++;
    socket->pending = 0;
}

/* From now on the kernel gives the socket nothing more, so that other sockets get what comes to its address, also while
 * it waits for its last answers; it still sends. A connected socket receives from one peer only, and it is its own. A
 * program that chooses by numbers would still choose it, so there is none while sockets are leaving. */
static void stop_receiving(const struct udp *udp, int fd)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    atomic_fetch_add(udp->leaving, 1);
    udp_listener_steer(fd, 1, 1);
    if (getsockname(fd, (struct sockaddr *)&own, &size) == 0) (void)!connect(fd, (struct sockaddr *)&own, size);
}

/* Gives the socket up: what waits in it is read, a bounded number of times; of a shared one it is left for those who
 * go on with it. */
static void leave_socket(struct udp_socket *socket)
{
    if (!udp_socket_is_open(socket) || socket->is_leaving) return;
    set_watched(socket, false);
    if (!socket->is_shared) stop_receiving(socket->udp, socket->source.fd);
    socket->is_leaving = true;
    socket->is_readable = !socket->is_shared;
    socket->last_reads = LAST_READS;
}

/* One that is not in use; else the first that is leaving, closed. */
static struct udp_socket *free_socket(struct udp *udp)
{
    struct udp_socket *leaving = NULL;
    for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++) {
        struct udp_socket *socket = &udp->sockets[i];
        if (!udp_socket_is_open(socket)) {
            if (i >= udp->used) udp->used = i + 1;
            return socket;
        }
        if (socket->is_leaving && !leaving) leaving = socket;
    }
    CHECK(leaving); /* no more than LISTENERS_MAX are not */
    udp_socket_close(leaving);
    return leaving;
}

static void open_socket(struct udp *udp, const struct udp_sockets *sockets, unsigned index)
{
    struct udp_socket *socket = free_socket(udp);
    int fd = sockets->fds[index];
    *socket = (struct udp_socket){
        .source = {fd, on_event},
        .udp = udp,
        .is_wildcard = sockets->is_wildcard[index],
        .is_shared = sockets->shared,
        .is_readable = true, /* datagrams may be there already */
        .generation = socket->generation,
        .counts_drops = sockets->counts_drops,
    };
    datagrams_dropped_by(fd, &socket->queue.drops); /* it may be older than this process */
    set_watched(socket, true);
    if (socket->is_watched)
        follow(socket);
    else
        udp_socket_close(socket); /* memory is short */
}

static bool has_fd(const struct udp *udp, int fd)
{
    for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++)
        if (udp->sockets[i].source.fd == fd && !udp->sockets[i].is_leaving) return true;
    return false;
}

void udp_set_sockets(struct udp *udp, const struct udp_sockets *sockets)
{
    for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++)
        if (!udp_sockets_have(sockets, udp->sockets[i].source.fd)) leave_socket(&udp->sockets[i]);
    for (unsigned i = 0; i < sockets->count; i++)
        if (!has_fd(udp, sockets->fds[i])) open_socket(udp, sockets, i);
}

void udp_drain(struct udp *udp)
{
    for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++) leave_socket(&udp->sockets[i]);
}

void udp_give_up(struct udp *udp, const struct udp_sockets *former)
{
    for (unsigned i = 0; i < former->count; i++) {
        open_socket(udp, former, i);
        for (unsigned j = 0; j < UDP_SOCKETS_MAX; j++)
            if (udp->sockets[j].source.fd == former->fds[i]) leave_socket(&udp->sockets[j]);
    }
}
