#include "clients/acceptor.h"

#include <sys/socket.h>
#include <unistd.h>

#include "clients/acceptor_state.h"
#include "common/clock.h"

#define LEAVE_NS (1500 * NS_PER_MS) /* TCP_DEFER_ACCEPT may hold a client of a former address back for a second */

static void on_connection(struct loop_source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct listening_socket, source)->waiting = true;
}

/* Connections that wait in its queue are accepted first. */
static void close_listener(struct acceptor *acceptor, struct listening_socket *listener)
{
    if (acceptor->parked_fd < 0)
        while (acceptor_take_one(acceptor, listener)) continue;
    loop_remove(&acceptor->loop, &listener->source);
    close(listener->source.fd);
    listener->source.fd = -1;
    listener->waiting = false;
}

static struct listening_socket *find_listener(struct acceptor *acceptor, int fd)
{
    for (unsigned i = 0; i < LISTENING_MAX; i++)
        if (acceptor->listening[i].source.fd == fd) return &acceptor->listening[i];
    return NULL;
}

/* A free element; if there is none, the former socket that would be closed next is closed now. */
static struct listening_socket *free_listener(struct acceptor *acceptor)
{
    struct listening_socket *free = find_listener(acceptor, -1);
    if (free) return free;
    struct listening_socket *first = &acceptor->listening[0];
    for (unsigned i = 1; i < LISTENING_MAX; i++)
        if (acceptor->listening[i].closes_ns < first->closes_ns) first = &acceptor->listening[i];
    close_listener(acceptor, first);
    return first;
}

static bool open_listener(struct acceptor *acceptor, int fd)
{
    struct listening_socket *listener = free_listener(acceptor);
    *listener = (struct listening_socket){
        .source = {fd, on_connection}, .acceptor = acceptor, .closes_ns = CLOCK_NEVER, .waiting = true};
    return loop_add(&acceptor->loop, &listener->source, EPOLLIN);
}

bool acceptor_open_listeners(struct acceptor *acceptor, const struct listeners *listeners)
{
    bool good = true;
    for (unsigned i = 0; i < listeners->count; i++)
        if (!find_listener(acceptor, listeners->fds[i])) good = open_listener(acceptor, listeners->fds[i]) && good;
    return good;
}

void acceptor_leave_listeners(struct acceptor *acceptor, const struct listeners *kept)
{
    for (unsigned i = 0; i < LISTENING_MAX; i++) {
        struct listening_socket *listener = &acceptor->listening[i];
        if (listening_socket_is_open(listener) && listener->closes_ns == CLOCK_NEVER &&
            !listeners_have(kept, listener->source.fd))
            listener->closes_ns = acceptor->loop.now_ns + LEAVE_NS;
    }
}

void acceptor_close_left(struct acceptor *acceptor, uint64_t now_ns)
{
    for (unsigned i = 0; i < LISTENING_MAX; i++) {
        struct listening_socket *listener = &acceptor->listening[i];
        if (listening_socket_is_open(listener) && listener->closes_ns <= now_ns) close_listener(acceptor, listener);
    }
}

void acceptor_add_former(struct acceptor *acceptor, const struct listeners *former, const struct listeners *own)
{
    acceptor_open_listeners(acceptor, former);
    acceptor_leave_listeners(acceptor, own);
}
