#include "metrics/dnstap_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

struct dnstap_socket {
    int fd; /* -1: not open */
    unsigned patience_s;
    struct sockaddr_un address;
    _Atomic uint64_t *written;
};

static fstrm_res on_close(void *context)
{
    struct dnstap_socket *stream = context;
    if (stream->fd < 0) return fstrm_res_failure;
    close(stream->fd);
    stream->fd = -1;
    return fstrm_res_success;
}

static fstrm_res on_open(void *context)
{
    struct dnstap_socket *stream = context;
    const struct timeval patience = {.tv_sec = (time_t)stream->patience_s};
    if (stream->fd >= 0) on_close(stream);
    stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0) return fstrm_res_failure;
    setsockopt(stream->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(stream->fd, (const struct sockaddr *)&stream->address, sizeof stream->address) == 0)
        return fstrm_res_success;
    on_close(stream);
    return fstrm_res_failure;
}

static fstrm_res on_read(void *context, void *data, size_t count)
{
    const struct dnstap_socket *stream = context;
    uint8_t *at = data;
    while (count > 0) {
        ssize_t got = recv(stream->fd, at, count, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return fstrm_res_failure;
        at += got;
        count -= (size_t)got;
    }
    return fstrm_res_success;
}

/* Moves the front of `pieces` behind `size` bytes; returns how many are done. */
static int advance(struct iovec *pieces, int count, size_t size)
{
    int done = 0;
    while (done < count && size >= pieces[done].iov_len) size -= pieces[done++].iov_len;
    if (done < count) {
        pieces[done].iov_base = (uint8_t *)pieces[done].iov_base + size;
        pieces[done].iov_len -= size;
    }
    return done;
}

static bool write_all(const struct dnstap_socket *stream, struct iovec *pieces, int count)
{
    int at = 0;
    while (at < count) {
        struct msghdr message = {.msg_iov = pieces + at, .msg_iovlen = (size_t)(count - at)};
        ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false; /* EAGAIN: the reader took nothing for patience_s */
        at += advance(pieces + at, count - at, (size_t)sent);
    }
    return true;
}

/* A frame comes as two pieces, its length and its bytes; a control frame as one. */
static fstrm_res on_write(void *context, const struct iovec *iov, int count)
{
    enum { PIECES = 64 }; /* an even number: no frame is divided */
    const struct dnstap_socket *stream = context;
    struct iovec pieces[PIECES];
    bool are_frames = count % 2 == 0;
    while (count > 0) {
        int some = count < PIECES ? count : PIECES;
        memcpy(pieces, iov, (size_t)some * sizeof *pieces);
        if (!write_all(stream, pieces, some)) return fstrm_res_failure;
        if (are_frames) atomic_fetch_add_explicit(stream->written, (uint64_t)some / 2, memory_order_release);
        iov += some;
        count -= some;
    }
    return fstrm_res_success;
}

static fstrm_res on_destroy(void *context)
{
    struct dnstap_socket *stream = context;
    if (stream->fd >= 0) on_close(stream);
    free(stream);
    return fstrm_res_success;
}

struct fstrm_rdwr *dnstap_socket_new(const char *path, unsigned patience_s, _Atomic uint64_t *written)
{
    struct dnstap_socket *stream = calloc(1, sizeof *stream);
    struct fstrm_rdwr *functions = stream ? fstrm_rdwr_init(stream) : NULL;
    if (!functions) {
        free(stream);
        return NULL;
    }
    stream->fd = -1;
    stream->patience_s = patience_s;
    stream->written = written;
    stream->address.sun_family = AF_UNIX;
    snprintf(stream->address.sun_path, sizeof stream->address.sun_path, "%s", path);
    fstrm_rdwr_set_open(functions, on_open);
    fstrm_rdwr_set_close(functions, on_close);
    fstrm_rdwr_set_read(functions, on_read);
    fstrm_rdwr_set_write(functions, on_write);
    fstrm_rdwr_set_destroy(functions, on_destroy);
    return functions;
}
