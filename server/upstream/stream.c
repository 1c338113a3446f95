#include "upstream/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool stream_open(struct stream *stream, struct tls_context *tls, int fd, const char *name, const char *alpn,
                 const struct tls_ticket *ticket)
{
    *stream = (struct stream){.fd = fd};
    if (!tls) return true;
    stream->tls = tls_new(tls, fd, name, alpn, ticket);
    return stream->tls;
}

void stream_close(struct stream *stream, bool says_goodbye)
{
    if (stream->tls && says_goodbye) tls_close(stream->tls);
    tls_free(stream->tls);
    stream->tls = NULL;
}

enum tls_status stream_handshake(struct stream *stream)
{
    return stream->tls ? tls_handshake(stream->tls) : TLS_DONE;
}

/* ---- plain text ---- */

static enum tls_status failed(struct stream *stream)
{
    if (errno == EAGAIN || errno == EINTR) return TLS_AGAIN;
    stream->error = errno;
    return TLS_RESET;
}

static enum tls_status read_plain(struct stream *stream, void *out, size_t capacity, size_t *ret_size)
{
    if (stream->drained) {
        stream->drained = false;
        return TLS_AGAIN;
    }
    if (stream->share == 0) {
        stream->more = true;
        return TLS_AGAIN;
    }
    size_t room = stream->share < capacity ? stream->share : capacity;
    ssize_t got = recv(stream->fd, out, room, 0);
    if (got < 0) return failed(stream);
    if (got == 0) return TLS_CLOSED;
    stream->share -= (size_t)got;
    stream->received += (uint64_t)got;
    stream->drained = (size_t)got < room;
    *ret_size = (size_t)got;
    return TLS_DONE;
}

static enum tls_status write_plain(struct stream *stream, const void *bytes, size_t size, size_t *ret_size)
{
    ssize_t sent = send(stream->fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0) return failed(stream);
    *ret_size = (size_t)sent;
    return TLS_DONE;
}

/* ---- either ---- */

enum tls_status stream_read(struct stream *stream, void *out, size_t capacity, size_t *ret_size)
{
    if (stream->tls) return tls_read(stream->tls, out, capacity, ret_size);
    return read_plain(stream, out, capacity, ret_size);
}

enum tls_status stream_write(struct stream *stream, const void *bytes, size_t size, size_t *ret_size)
{
    if (stream->tls) return tls_write(stream->tls, bytes, size, ret_size);
    return write_plain(stream, bytes, size, ret_size);
}

void stream_on_readable(struct stream *stream)
{
    stream->drained = false;
    if (stream->tls) tls_on_readable(stream->tls);
}

void stream_begin_turn(struct stream *stream, size_t share)
{
    stream->share = share;
    stream->more = false;
    if (stream->tls) tls_begin_turn(stream->tls, share);
}

bool stream_has_more(const struct stream *stream)
{
    return stream->tls ? tls_has_more(stream->tls) : stream->more;
}

uint64_t stream_received(const struct stream *stream)
{
    return stream->tls ? tls_received(stream->tls) : stream->received;
}

bool stream_is_resumed(const struct stream *stream)
{
    return stream->tls && tls_is_resumed(stream->tls);
}

int64_t stream_certificate_expiry_s(struct stream *stream)
{
    return stream->tls ? tls_certificate_expiry_s(stream->tls) : 0;
}

struct tls_ticket *stream_take_ticket(struct stream *stream)
{
    return stream->tls ? tls_take_ticket(stream->tls) : NULL;
}

const char *stream_error(const struct stream *stream)
{
    if (stream->tls) return tls_error(stream->tls);
    return stream->error ? strerrordesc_np(stream->error) : NULL;
}
