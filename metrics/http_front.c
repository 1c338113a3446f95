#include "metrics/http_front.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/loop.h"
#include "metrics/http_connections.h"

enum {
    BACKLOG = 1024,          /* connections the kernel holds until a slot is free */
    DEFER_SECONDS = 1,       /* a connection is accepted when its first bytes are there, or after that time */
    SEND_BYTES = 128 * 1024, /* the kernel would hold megabytes for a client that does not read */
    BURST = 16,              /* connections accepted before existing ones are served again */
};

#define PAUSE_NS (100 * NS_PER_MS) /* if no descriptor is left: long enough not to use the processor for retries */

struct http_front {
    pthread_t thread;
    struct loop loop;
    struct loop_source listener;
    struct loop_source stop; /* an eventfd */
    bool pending;            /* connections may wait to be accepted */
    uint64_t resume_ns;      /* none is accepted before this time */
    bool stopping;
    struct http_connections connections;
};

static void on_pending(struct loop_source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct http_front, listener)->pending = true;
}

static void on_stop(struct loop_source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct http_front, stop)->stopping = true;
}

/* Without a free slot, connections wait in the kernel: a slot is free as soon as a client has its response. */
static void admit(struct http_front *front)
{
    if (front->loop.now_ns < front->resume_ns) return;
    for (int i = 0; i < BURST && front->pending && http_connections_have_slot(&front->connections); i++) {
        int client = accept4(front->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            http_connections_open(&front->connections, client);
        } else if (errno == EAGAIN) {
            front->pending = false;
        } else if (errno != ECONNABORTED && errno != EINTR) { /* no descriptor, no memory */
            front->resume_ns = front->loop.now_ns + PAUSE_NS;
            return;
        }
    }
}

static uint64_t next_deadline_ns(struct http_front *front)
{
    uint64_t deadline_ns = http_connections_deadline_ns(&front->connections);
    if (!front->pending || !http_connections_have_slot(&front->connections)) return deadline_ns;
    return front->resume_ns < deadline_ns ? front->resume_ns : deadline_ns;
}

static void *run(void *context)
{
    struct http_front *front = context;
    pthread_setname_np(pthread_self(), "http");
    while (!front->stopping) {
        loop_turn(&front->loop, next_deadline_ns(front));
        admit(front);
        http_connections_turn(&front->connections);
    }
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
    /* Accepted sockets inherit these. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BYTES}, sizeof(int));
    /* A client that comes with its request is forwarded at once and cannot be replaced before its response. */
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){DEFER_SECONDS}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&storage, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void http_front_free(struct http_front *front)
{
    int error = errno;
    http_connections_done(&front->connections);
    if (front->listener.fd >= 0) close(front->listener.fd);
    if (front->stop.fd >= 0) close(front->stop.fd);
    loop_done(&front->loop);
    free(front);
    errno = error;
}

static bool http_front_open(struct http_front *front, const struct address *listen)
{
    if (!loop_init(&front->loop)) return false;
    front->listener.fd = listen_at(listen);
    if (front->listener.fd < 0) return false;
    front->stop.fd = eventfd(0, EFD_CLOEXEC);
    return front->stop.fd >= 0 && loop_add(&front->loop, &front->listener, EPOLLIN) &&
           loop_add(&front->loop, &front->stop, EPOLLIN);
}

struct http_front *http_front_start(const struct address *listen, uint16_t server_port)
{
    struct http_front *front = calloc(1, sizeof *front);
    struct address server;
    if (!front) return NULL;
    front->listener = (struct loop_source){-1, on_pending};
    front->stop = (struct loop_source){-1, on_stop};
    address_parse("127.0.0.1", server_port, &server);
    http_connections_init(&front->connections, &front->loop, &server);
    if (http_front_open(front, listen)) {
        errno = pthread_create(&front->thread, NULL, run, front);
        if (errno == 0) return front;
    }
    http_front_free(front);
    return NULL;
}

void http_front_stop(struct http_front *front)
{
    if (!front) return;
    (void)!write(front->stop.fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(front->thread, NULL);
    http_front_free(front);
}

uint16_t http_front_port(const struct http_front *front)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(front->listener.fd, (struct sockaddr *)&storage, &size) != 0) return 0;
    return address_from_socket(&storage).port;
}
