#include "metrics/relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

/* What civetweb holds is less; enough that a scraper, a probe and a few people do not meet. */
enum { LINKS_MAX = 16, FLOW_BYTES = 8192 };

/* More than civetweb itself waits for anybody, so that it is the one who decides. */
#define IDLE_NS (5 * NS_PER_S)

/* One direction of a connection. */
struct flow {
    size_t start;
    size_t end;
    bool ended;  /* nothing more will come in, */
    bool closed; /* and the other side was told so */
    uint8_t bytes[FLOW_BYTES];
};

/* A client's connection and ours to the server; flows[i] goes from fds[i] to fds[1 - i]. */
struct link {
    bool used;
    int fds[2];
    uint64_t moved_ns; /* when a byte last moved */
    struct flow flows[2];
};

struct relay {
    struct address to;
    int listener;
    int stop;   /* an eventfd: readable when the thread is to end */
    bool rests; /* no descriptor was left: the next turn does without the listener, which would wake it over and over */
    pthread_t thread;
    struct link links[LINKS_MAX];
};

static void link_close(struct link *link)
{
    close(link->fds[0]);
    close(link->fds[1]);
    link->used = false;
}

/* False: the connection is broken. */
static bool flow_read(struct flow *flow, int fd)
{
    if (flow->ended || flow->end == FLOW_BYTES) return true;
    ssize_t got = read(fd, flow->bytes + flow->end, FLOW_BYTES - flow->end);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    flow->end += (size_t)got;
    flow->ended = got == 0;
    return true;
}

static bool flow_write(struct flow *flow, int fd)
{
    if (flow->start < flow->end) {
        ssize_t sent = send(fd, flow->bytes + flow->start, flow->end - flow->start, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR;
        flow->start += (size_t)sent;
    }
    if (flow->start < flow->end) return true;
    flow->start = flow->end = 0;
    if (flow->ended && !flow->closed) {
        shutdown(fd, SHUT_WR);
        flow->closed = true;
    }
    return true;
}

/* Moves what can be moved now; a link that is done or broken is closed. */
static void link_turn(struct link *link, uint64_t now_ns)
{
    bool whole = true;
    for (int i = 0; i < 2 && whole; i++)
        whole = flow_read(&link->flows[i], link->fds[i]) && flow_write(&link->flows[i], link->fds[1 - i]);
    link->moved_ns = now_ns;
    if (!whole || (link->flows[0].closed && link->flows[1].closed)) link_close(link);
}

/* What to wait for on each side. A side nothing is wanted of is left out (-1), lest its hang-up wake us over and over.
 */
static void link_watch(const struct link *link, struct pollfd polls[static 2])
{
    for (int i = 0; i < 2; i++) {
        const struct flow *in = &link->flows[i];
        const struct flow *out = &link->flows[1 - i];
        polls[i].events =
            (short)((!in->ended && in->end < FLOW_BYTES ? POLLIN : 0) | (out->start < out->end ? POLLOUT : 0));
        polls[i].fd = link->used && polls[i].events ? link->fds[i] : -1;
        polls[i].revents = 0;
    }
}

static struct link *free_link(struct relay *relay)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (!relay->links[i].used) return &relay->links[i];
    return NULL;
}

static void accept_one(struct relay *relay, uint64_t now_ns)
{
    struct link *link = free_link(relay);
    int client = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    relay->rests = client < 0;
    if (client < 0) return;
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(&relay->to, &storage);
    int server = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server < 0 || (connect(server, (struct sockaddr *)&storage, size) != 0 && errno != EINPROGRESS)) {
        if (server >= 0) close(server);
        close(client);
        return;
    }
    memset(link, 0, sizeof *link);
    link->used = true;
    link->fds[0] = client;
    link->fds[1] = server;
    link->moved_ns = now_ns;
}

/* The last two of `polls` are the listener and the call to stop; the pairs before them are the links. */
enum { POLL_LISTENER = 2 * LINKS_MAX, POLL_STOP, POLL_COUNT };

static void watch(struct relay *relay, struct pollfd polls[static POLL_COUNT])
{
    for (unsigned i = 0; i < LINKS_MAX; i++) link_watch(&relay->links[i], &polls[2 * i]);
    polls[POLL_LISTENER] =
        (struct pollfd){.fd = free_link(relay) && !relay->rests ? relay->listener : -1, .events = POLLIN};
    relay->rests = false;
    polls[POLL_STOP] = (struct pollfd){.fd = relay->stop, .events = POLLIN};
}

static void turn(struct relay *relay, const struct pollfd polls[static POLL_COUNT], uint64_t now_ns)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        struct link *link = &relay->links[i];
        if (!link->used) continue;
        if (polls[2 * i].revents || polls[2 * i + 1].revents)
            link_turn(link, now_ns);
        else if (now_ns - link->moved_ns > IDLE_NS)
            link_close(link);
    }
    if (polls[POLL_LISTENER].revents) accept_one(relay, now_ns);
}

static void *run(void *context)
{
    struct relay *relay = context;
    struct pollfd polls[POLL_COUNT];
    do {
        watch(relay, polls);
        if (poll(polls, POLL_COUNT, 1000) < 0) continue; /* EINTR */
        turn(relay, polls, clock_now_ns());
    } while (!polls[POLL_STOP].revents);
    return NULL;
}

/* -1, with errno. */
static int listen_at(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)); /* a restart does not wait for old connections */
    /* [::] takes IPv4, too: there is one address to configure, and a cluster may have both. */
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&storage, size) == 0 && listen(fd, 4 * LINKS_MAX) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void relay_free(struct relay *relay)
{
    int error = errno;
    if (relay->listener >= 0) close(relay->listener);
    if (relay->stop >= 0) close(relay->stop);
    free(relay);
    errno = error;
}

struct relay *relay_start(const struct address *listen, uint16_t to_port)
{
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay) return NULL;
    address_parse("127.0.0.1", to_port, &relay->to);
    relay->stop = eventfd(0, EFD_CLOEXEC);
    relay->listener = listen_at(listen);
    if (relay->stop >= 0 && relay->listener >= 0) {
        errno = pthread_create(&relay->thread, NULL, run, relay);
        if (errno == 0) return relay;
    }
    relay_free(relay);
    return NULL;
}

void relay_stop(struct relay *relay)
{
    if (!relay) return;
    (void)!write(relay->stop, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(relay->thread, NULL);
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (relay->links[i].used) link_close(&relay->links[i]);
    relay_free(relay);
}

uint16_t relay_port(const struct relay *relay)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(relay->listener, (struct sockaddr *)&storage, &size) != 0) return 0;
    return address_from_socket(&storage).port;
}
