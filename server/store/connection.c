#include "store/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/list.h"
#include "upstream/stream.h"

/* The kernel finds out within some 90 s that a peer has gone that nobody asks anything. */
enum { KEEPALIVE_IDLE_S = 60, KEEPALIVE_INTERVAL_S = 10, KEEPALIVE_PROBES = 3 };

enum state { CONNECTING, HANDSHAKING, OPEN };

struct connection {
    struct loop_source source;
    struct connection_deps deps;
    const struct connection_events *events;
    void *owner;
    struct stream stream;
    enum state state;
    bool to_end;            /* the peer ended the stream: no further event will say that there is more to read */
    bool more;              /* the turn's share was used up */
    bool is_full;           /* the socket takes nothing more; the loop says when it does */
    struct buffer *unsent;  /* NULL if none */
    struct buffer *partial; /* the front of a reply; NULL if none */
};

static void on_event(struct loop_source *source, uint32_t events);

/* ---- opening and closing ---- */

static int begin_connect(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){KEEPALIVE_IDLE_S}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){KEEPALIVE_INTERVAL_S}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){KEEPALIVE_PROBES}, sizeof(int));
    if (connect(fd, (struct sockaddr *)&storage, size) == 0 || errno == EINPROGRESS) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct connection *connection_open(const struct connection_deps *deps, const struct connection_target *target,
                                   const struct connection_events *events, void *owner)
{
    int error;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->source = (struct loop_source){.fd = begin_connect(&target->address), .on_event = on_event};
    connection->deps = *deps;
    connection->events = events;
    connection->owner = owner;
    if (connection->source.fd < 0) goto fail;
    errno = ENOMEM; /* the library does not say */
    if (!stream_open(&connection->stream, target->tls, connection->source.fd, target->tls_name, NULL, NULL)) goto fail;
    if (!loop_add(deps->loop, &connection->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP)) goto fail;
    return connection;
fail:
    error = errno;
    connection_free(connection);
    errno = error;
    return NULL;
}

void connection_free(struct connection *connection)
{
    if (!connection) return;
    stream_close(&connection->stream, connection->state == OPEN);
    if (connection->source.fd >= 0) {
        loop_forget(connection->deps.loop, &connection->source);
        close(connection->source.fd);
    }
    buffers_give(connection->deps.buffers, connection->unsent);
    buffers_give(connection->deps.buffers, connection->partial);
    free(connection);
}

static enum connection_end end_of(enum tls_status status)
{
    if (status == TLS_CLOSED) return CONNECTION_CLOSED;
    if (status == TLS_UNTRUSTED) return CONNECTION_CERTIFICATE;
    return status == TLS_RESET ? CONNECTION_RESET : CONNECTION_TLS;
}

/* The stream has ended in that way. */
static void end(struct connection *connection, enum tls_status status)
{
    connection->events->on_end(connection->owner, end_of(status), stream_error(&connection->stream));
}

/* ---- writing ---- */

bool connection_send(struct connection *connection, const struct resp_part *parts, unsigned count)
{
    struct buffers *buffers = connection->deps.buffers;
    size_t size = resp_command_size(parts, count);
    if (!connection->unsent) connection->unsent = buffers_borrow(buffers);
    uint8_t *room = connection->unsent ? buffer_room(connection->unsent, size) : NULL;
    if (!room) return false;
    buffer_use_room(connection->unsent, resp_write_command(parts, count, room));
    return true;
}

size_t connection_unsent(const struct connection *connection)
{
    return connection->unsent ? buffer_size(connection->unsent) : 0;
}

void connection_flush(struct connection *connection)
{
    if (connection->state != OPEN || !connection->unsent || connection->is_full) return;
    while (buffer_size(connection->unsent) > 0) {
        size_t taken;
        enum tls_status status =
            stream_write(&connection->stream, buffer_data(connection->unsent), buffer_size(connection->unsent), &taken);
        if (status == TLS_AGAIN) {
            connection->is_full = true;
            return;
        }
        if (status != TLS_DONE) {
            end(connection, status);
            return;
        }
        buffer_drop(connection->unsent, taken);
    }
    buffers_give(connection->deps.buffers, connection->unsent);
    connection->unsent = NULL;
}

/* ---- reading ---- */

/* Hands on every whole reply of the `size` octets in the scratch, and moves the rest to the front. False: something is
 * no reply. */
static bool hand_on(struct connection *connection, size_t *size)
{
    uint8_t *scratch = connection->deps.scratch;
    size_t done = 0;
    struct resp_reply reply;
    while ((reply = resp_read(scratch + done, *size - done, ENTRY_BYTES_MAX)).used > 0) {
        if (!connection->events->on_reply(connection->owner, &reply)) return false;
        done += reply.used;
    }
    if (done > 0) memmove(scratch, scratch + done, *size - done);
    *size -= done;
    return reply.kind != RESP_BAD;
}

/* Keeps what is left of a turn for the next one. */
static bool keep_partial(struct connection *connection, size_t size)
{
    struct buffers *buffers = connection->deps.buffers;
    if (connection->partial) buffer_drop(connection->partial, buffer_size(connection->partial));
    if (size > 0) {
        if (!connection->partial) connection->partial = buffers_borrow(buffers);
        return connection->partial && buffer_add(connection->partial, connection->deps.scratch, size);
    }
    buffers_give(buffers, connection->partial);
    connection->partial = NULL;
    return true;
}

/* A short read says "that was all" without asking the kernel; if the peer is known to have ended the stream the kernel
 * is asked all the same. */
static enum tls_status read_some(struct connection *connection, size_t size, size_t *ret_got)
{
    struct stream *stream = &connection->stream;
    uint8_t *scratch = connection->deps.scratch;
    enum tls_status status = stream_read(stream, scratch + size, CONNECTION_SCRATCH_BYTES - size, ret_got);
    if (status != TLS_AGAIN || !connection->to_end || stream_has_more(stream)) return status;
    connection->to_end = false;
    return stream_read(stream, scratch + size, CONNECTION_SCRATCH_BYTES - size, ret_got);
}

static void read_turn(struct connection *connection)
{
    size_t size = 0, got = 0;
    bool is_good = true;
    enum tls_status status = TLS_DONE;
    if (connection->partial) {
        size = buffer_size(connection->partial);
        memcpy(connection->deps.scratch, buffer_data(connection->partial), size);
    }
    stream_begin_turn(&connection->stream, CONNECTION_TURN_BYTES);
    while (is_good && (status = read_some(connection, size, &got)) == TLS_DONE) {
        size += got;
        is_good = hand_on(connection, &size);
    }
    if (!is_good || !keep_partial(connection, status == TLS_AGAIN ? size : 0))
        connection->events->on_end(connection->owner, is_good ? CONNECTION_UNREACHABLE : CONNECTION_PROTOCOL, NULL);
    else if (status != TLS_AGAIN)
        end(connection, status);
    else
        connection->more = stream_has_more(&connection->stream);
}

/* ---- events ---- */

/* True when it is open now. */
static bool handshake(struct connection *connection)
{
    stream_begin_turn(&connection->stream, CONNECTION_TURN_BYTES);
    enum tls_status status = stream_handshake(&connection->stream);
    if (status == TLS_AGAIN) {
        connection->more = stream_has_more(&connection->stream);
        return false;
    }
    if (status != TLS_DONE) {
        end(connection, status);
        return false;
    }
    connection->state = OPEN;
    connection->to_end = true; /* a handshake may have read more than its own, and no edge comes for that again */
    connection->events->on_open(connection->owner);
    return true;
}

static bool connected(struct connection *connection)
{
    int error = 0;
    getsockopt(connection->source.fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    connection->state = HANDSHAKING;
    if (error == 0) return true;
    connection->events->on_end(connection->owner, CONNECTION_UNREACHABLE, strerrordesc_np(error));
    return false;
}

static void on_event(struct loop_source *source, uint32_t events)
{
    struct connection *connection = container_of(source, struct connection, source);
    bool was_open = connection->state == OPEN;
    bool ended = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    bool readable = ended || (events & EPOLLIN);
    if (readable) stream_on_readable(&connection->stream);
    if (ended) connection->to_end = true;
    if (events & EPOLLOUT) connection->is_full = false; /* it is written with the turn's flush */
    if (connection->state == CONNECTING && !connected(connection)) return;
    if (connection->state == HANDSHAKING && !handshake(connection)) return;
    if (readable || !was_open) read_turn(connection);
}

void connection_resume(struct connection *connection)
{
    connection->more = false;
    stream_on_readable(&connection->stream);
    if (connection->state == HANDSHAKING && !handshake(connection)) return;
    if (connection->state == OPEN) read_turn(connection);
}

bool connection_has_more(const struct connection *connection)
{
    return connection->more;
}
