/* tls_swap: the least a relay from DNS over TCP to DNS over TLS can do with wolfSSL, and so the limit for answers from
 * upstream: ids are swapped, what one turn read goes as one TLS record, answers go back as they come. No message is
 * parsed, nothing is kept, judged or asked again; one thread, one session.
 *
 *   tls_swap PORT UPSTREAM_PORT CA_FILE      127.0.0.1 both */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "tool.h"

enum {
    EVENTS = 256,
    BACKLOG = 4096,
    FDS_MAX = 65536,
    IDS = 65536,
    QUERY_BYTES = 4096,
    ANSWER_BYTES = 65536,
    UPSTREAM_BYTES = 1 << 20
};

struct client {
    uint32_t number; /* no other has or had it: an answer that comes late is not given to a later one on the same fd */
    size_t query_bytes;
    size_t answer_bytes;
    bool dirty;
    uint8_t query[QUERY_BYTES];
    uint8_t answer[ANSWER_BYTES];
};

struct asked {
    int fd;
    uint32_t number; /* of the client */
    uint8_t id[2];   /* the client's */
};

struct relay {
    int epoll_fd;
    int listener;
    int upstream;
    WOLFSSL *tls;
    struct client *clients[FDS_MAX]; /* by fd */
    struct asked asked[IDS];         /* by our id */
    uint16_t next_id;
    uint32_t next_number;
    int dirty[FDS_MAX]; /* fds with answers to write */
    int dirty_count;
    size_t out_bytes;
    size_t in_bytes;
    uint8_t out[UPSTREAM_BYTES];
    uint8_t in[UPSTREAM_BYTES];
};

static void watch(struct relay *relay, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

/* The bytes of the whole message at the front, its length included; 0 where it is not whole. */
static size_t message_bytes(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    size_t message = 2 + ((size_t)bytes[0] << 8 | bytes[1]);
    return size >= message ? message : 0;
}

/* ---- from clients ---- */

static void accept_all(struct relay *relay)
{
    int fd;
    while ((fd = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        relay->clients[fd] = calloc(1, sizeof(struct client));
        if (!relay->clients[fd]) die("tls_swap");
        relay->clients[fd]->number = relay->next_number++;
        watch(relay, fd);
    }
}

static void forward(struct relay *relay, int fd, const uint8_t *message, size_t size)
{
    if (relay->out_bytes + size > sizeof relay->out) return;
    uint16_t id = relay->next_id++;
    relay->asked[id] = (struct asked){fd, relay->clients[fd]->number, {message[2], message[3]}};
    uint8_t *out = relay->out + relay->out_bytes;
    memcpy(out, message, size);
    out[2] = (uint8_t)(id >> 8);
    out[3] = (uint8_t)id;
    relay->out_bytes += size;
}

static void on_client(struct relay *relay, int fd)
{
    struct client *client = relay->clients[fd];
    ssize_t got = read(fd, client->query + client->query_bytes, sizeof client->query - client->query_bytes);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) return;
        close(fd);
        free(client);
        relay->clients[fd] = NULL;
        return;
    }
    size_t size = client->query_bytes + (size_t)got;
    size_t at = 0;
    for (size_t message; (message = message_bytes(client->query + at, size - at)) > 0; at += message)
        forward(relay, fd, client->query + at, message);
    memmove(client->query, client->query + at, size - at);
    client->query_bytes = size - at;
}

/* ---- from upstream ---- */

static void give_back(struct relay *relay, const uint8_t *message, size_t size)
{
    const struct asked *asked = &relay->asked[(size_t)message[2] << 8 | message[3]];
    struct client *client = relay->clients[asked->fd];
    if (!client || client->number != asked->number || client->answer_bytes + size > sizeof client->answer) return;
    uint8_t *answer = client->answer + client->answer_bytes;
    memcpy(answer, message, size);
    memcpy(answer + 2, asked->id, sizeof asked->id);
    client->answer_bytes += size;
    if (client->dirty) return;
    client->dirty = true;
    relay->dirty[relay->dirty_count++] = asked->fd;
}

static void on_upstream(struct relay *relay)
{
    int got;
    while ((got = wolfSSL_read(relay->tls, relay->in + relay->in_bytes, (int)(sizeof relay->in - relay->in_bytes))) >
           0) {
        size_t size = relay->in_bytes + (size_t)got;
        size_t at = 0;
        for (size_t message; (message = message_bytes(relay->in + at, size - at)) > 0; at += message)
            give_back(relay, relay->in + at, message);
        memmove(relay->in, relay->in + at, size - at);
        relay->in_bytes = size - at;
    }
    if (wolfSSL_get_error(relay->tls, got) == WOLFSSL_ERROR_WANT_READ) return;
    fputs("tls_swap: upstream is gone\n", stderr);
    exit(1);
}

/* ---- the end of a turn ---- */

static void write_all(struct relay *relay)
{
    if (relay->out_bytes > 0) {
        int written = wolfSSL_write(relay->tls, relay->out, (int)relay->out_bytes);
        size_t taken = written > 0 ? (size_t)written : 0;
        memmove(relay->out, relay->out + taken, relay->out_bytes - taken);
        relay->out_bytes -= taken;
    }
    while (relay->dirty_count > 0) {
        int fd = relay->dirty[--relay->dirty_count];
        struct client *client = relay->clients[fd];
        if (!client) continue;
        ssize_t written = write(fd, client->answer, client->answer_bytes);
        size_t taken = written > 0 ? (size_t)written : 0;
        memmove(client->answer, client->answer + taken, client->answer_bytes - taken);
        client->answer_bytes -= taken;
        client->dirty = false;
    }
}

static void turn(struct relay *relay)
{
    struct epoll_event events[EVENTS];
    int taken = epoll_wait(relay->epoll_fd, events, EVENTS, -1);
    for (int i = 0; i < taken; i++) {
        int fd = events[i].data.fd;
        if (fd == relay->listener)
            accept_all(relay);
        else if (fd == relay->upstream)
            on_upstream(relay);
        else if (relay->clients[fd])
            on_client(relay, fd);
    }
    write_all(relay);
}

/* ---- start ---- */

static void connect_upstream(struct relay *relay, const char *port, const char *ca_file)
{
    struct sockaddr_in address = loopback(port);
    wolfSSL_Init();
    WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    if (!context || wolfSSL_CTX_load_verify_locations(context, ca_file, NULL) != WOLFSSL_SUCCESS) die(ca_file);
    wolfSSL_CTX_set_cipher_list(context, "TLS13-CHACHA20-POLY1305-SHA256"); /* the one ours chooses, too */
    relay->upstream = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(relay->upstream, (struct sockaddr *)&address, sizeof address)) die("connect");
    relay->tls = wolfSSL_new(context);
    wolfSSL_set_fd(relay->tls, relay->upstream);
    if (wolfSSL_connect(relay->tls) != WOLFSSL_SUCCESS) die("handshake");
    fcntl(relay->upstream, F_SETFL, O_NONBLOCK);
    wolfSSL_set_using_nonblock(relay->tls, 1);
    watch(relay, relay->upstream);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fputs("usage: tls_swap PORT UPSTREAM_PORT CA_FILE\n", stderr);
        return 2;
    }
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay) die("tls_swap");
    struct sockaddr_in address = loopback(arguments[1]);
    relay->epoll_fd = epoll_create1(0);
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(relay->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    connect_upstream(relay, arguments[2], arguments[3]);
    if (bind(relay->listener, (struct sockaddr *)&address, sizeof address)) die("bind");
    if (listen(relay->listener, BACKLOG)) die("listen");
    watch(relay, relay->listener);
    for (;;) turn(relay);
}
