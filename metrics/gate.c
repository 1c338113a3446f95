#include "metrics/gate.h"

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
#include "metrics/links.h"

enum {
    BACKLOG = 1024,          /* connections the kernel holds: silent ones for a while, others until there is a place */
    DEFER_SECONDS = 1,       /* a connection is accepted when its request is there, or after that time */
    SEND_BYTES = 128 * 1024, /* the kernel would hold megabytes for a client that does not read */
    BURST = 16,              /* connections taken before those that are there have their turn */
};

#define PAUSE_NS (100 * NS_PER_MS) /* where no descriptor is left: long enough not to spin */

struct gate {
    pthread_t thread;
    struct loop loop;
    struct loop_source listener;
    struct loop_source stop; /* an eventfd */
    bool knocking;           /* connections may wait to be accepted, */
    uint64_t resume_ns;      /* and are not taken before this time */
    bool stopping;
    struct links links;
};

static void on_knock(struct loop_source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct gate, listener)->knocking = true;
}

static void on_stop(struct loop_source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct gate, stop)->stopping = true;
}

/* Without a place the connections wait with the kernel: one is free as soon as somebody has an answer. */
static void admit(struct gate *gate)
{
    if (gate->loop.now_ns < gate->resume_ns) return;
    for (int i = 0; i < BURST && gate->knocking && links_have_place(&gate->links); i++) {
        int client = accept4(gate->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            links_open(&gate->links, client);
        } else if (errno == EAGAIN) {
            gate->knocking = false;
        } else if (errno != ECONNABORTED && errno != EINTR) { /* no descriptor, no memory */
            gate->resume_ns = gate->loop.now_ns + PAUSE_NS;
            return;
        }
    }
}

static uint64_t next_deadline_ns(struct gate *gate)
{
    uint64_t deadline_ns = links_deadline_ns(&gate->links);
    if (!gate->knocking || !links_have_place(&gate->links)) return deadline_ns;
    return gate->resume_ns < deadline_ns ? gate->resume_ns : deadline_ns;
}

static void *run(void *context)
{
    struct gate *gate = context;
    pthread_setname_np(pthread_self(), "http");
    while (!gate->stopping) {
        loop_turn(&gate->loop, next_deadline_ns(gate));
        admit(gate);
        links_turn(&gate->links);
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
    /* Who comes with a request waits for its answer at once, and cannot be made to give way between the two. */
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){DEFER_SECONDS}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&storage, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void gate_free(struct gate *gate)
{
    int error = errno;
    links_done(&gate->links);
    if (gate->listener.fd >= 0) close(gate->listener.fd);
    if (gate->stop.fd >= 0) close(gate->stop.fd);
    loop_done(&gate->loop);
    free(gate);
    errno = error;
}

static bool gate_open(struct gate *gate, const struct address *listen)
{
    if (!loop_init(&gate->loop)) return false;
    gate->listener.fd = listen_at(listen);
    if (gate->listener.fd < 0) return false;
    gate->stop.fd = eventfd(0, EFD_CLOEXEC);
    return gate->stop.fd >= 0 && loop_add(&gate->loop, &gate->listener, EPOLLIN) &&
           loop_add(&gate->loop, &gate->stop, EPOLLIN);
}

struct gate *gate_start(const struct address *listen, uint16_t server_port)
{
    struct gate *gate = calloc(1, sizeof *gate);
    struct address server;
    if (!gate) return NULL;
    gate->listener = (struct loop_source){-1, on_knock};
    gate->stop = (struct loop_source){-1, on_stop};
    address_parse("127.0.0.1", server_port, &server);
    links_init(&gate->links, &gate->loop, &server);
    if (gate_open(gate, listen)) {
        errno = pthread_create(&gate->thread, NULL, run, gate);
        if (errno == 0) return gate;
    }
    gate_free(gate);
    return NULL;
}

void gate_stop(struct gate *gate)
{
    if (!gate) return;
    (void)!write(gate->stop.fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(gate->thread, NULL);
    gate_free(gate);
}

uint16_t gate_port(const struct gate *gate)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(gate->listener.fd, (struct sockaddr *)&storage, &size) != 0) return 0;
    return address_from_socket(&storage).port;
}
