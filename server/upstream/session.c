#include "upstream/session.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/message.h"
#include "dns/question.h"
#include "metrics/counters.h"

static void on_event(struct loop_source *source, uint32_t events);

static unsigned connect_failure(int error)
{
    if (error == ECONNREFUSED) return LABEL_FAILURE_REFUSED;
    return error == ETIMEDOUT ? LABEL_FAILURE_CONNECT_TIMEOUT : LABEL_FAILURE_CONNECT;
}

/* A socket on its way to the upstream, or -1 with errno. */
static int begin_connect(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, (struct sockaddr *)&storage, size) == 0 || errno == EINPROGRESS) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct session *session_open(struct session_host *host, struct upstream *upstream, struct tls_context *tls, bool resume,
                             unsigned *ret_failure)
{
    int error;
    *ret_failure = LABEL_FAILURE_CONNECT;
    struct session *session = calloc(1, sizeof *session);
    if (!session) return NULL;
    session->source = (struct loop_source){.fd = -1, .on_event = on_event};
    session->host = host;
    session->upstream = upstream;
    session->full = !(resume && upstream->ticket);
    session->opened_ns = session->used_ns = host->loop->now_ns;
    list_init(&session->of_upstream);
    list_init(&session->dirty);
    list_init(&session->attempts);
    list_init(&session->overdue);
    if (!ids_init(&session->ids, host->max_in_flight)) goto fail;
    session->source.fd = begin_connect(&upstream->options.address);
    if (session->source.fd < 0) {
        *ret_failure = connect_failure(errno);
        goto fail;
    }
    session->tls = tls_new(tls, session->source.fd, upstream->options.name, session->full ? NULL : upstream->ticket);
    if (!session->tls) errno = ENOMEM; /* the library does not say */
    if (!session->tls || !loop_add(host->loop, &session->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP)) goto fail;
    list_push(&upstream->sessions, &session->of_upstream);
    return session;
fail:
    error = errno;
    session_free(session);
    errno = error;
    return NULL;
}

void session_free(struct session *session)
{
    if (!session) return;
    list_remove(&session->of_upstream);
    list_remove(&session->dirty);
    if (session->tls && (session->state == SESSION_READY || session->state == SESSION_DRAINING))
        tls_close(session->tls);
    tls_free(session->tls);
    if (session->source.fd >= 0) {
        loop_forget(session->host->loop, &session->source);
        close(session->source.fd);
    }
    ids_done(&session->ids);
    buffers_give(session->host->buffers, session->unsent);
    buffers_give(session->host->buffers, session->partial);
    free(session);
}

/* ---- asking ---- */

bool session_start_attempt(struct session *session, struct attempt *attempt, const struct question_key *key,
                           uint64_t now_ns)
{
    struct session_host *host = session->host;
    if (!session->unsent) session->unsent = buffers_borrow(host->buffers);
    if (!session->unsent) return false;
    uint8_t *room = buffer_room(session->unsent, FRAME_LENGTH_BYTES + QUESTION_QUERY_MAX);
    if (!room || !ids_take(&session->ids, attempt, &attempt->id)) return false;
    size_t size = question_write_query(key, attempt->id, host->padding, room + FRAME_LENGTH_BYTES);
    frame_put_length(room, size);
    buffer_use_room(session->unsent, FRAME_LENGTH_BYTES + size);
    attempt->session = session;
    attempt->sent_ns = now_ns;
    session->used_ns = now_ns;
    if (session->asked_in_silence++ == 0) session->silent_from_ns = now_ns;
    session->in_flight++;
    session->counted++;
    attempt->counted = true;
    list_push(&session->attempts, &attempt->by_age);
    if (list_is_empty(&session->dirty)) list_push(&host->dirty, &session->dirty);
    return true;
}

static void uncount(struct attempt *attempt)
{
    if (!attempt->counted) return;
    attempt->counted = false;
    attempt->session->counted--;
    if (attempt->session->counted == 0) attempt->session->suspicion = 0;
}

void session_mark_overdue(struct attempt *attempt)
{
    list_remove(&attempt->by_age);
    list_push(&attempt->session->overdue, &attempt->by_age);
    uncount(attempt);
}

void session_forget(struct attempt *attempt)
{
    struct session *session = attempt->session;
    if (!session) return;
    ids_give(&session->ids, attempt->id);
    list_remove(&attempt->by_age);
    uncount(attempt);
    attempt->session = NULL;
    session->in_flight--;
}

void session_drain(struct session *session, unsigned label)
{
    session->state = SESSION_DRAINING;
    session->drain_label = label;
}

/* ---- writing ---- */

static unsigned failure_of(enum tls_status status)
{
    if (status == TLS_CLOSED) return LABEL_FAILURE_CLOSED;
    return status == TLS_RESET ? LABEL_FAILURE_RESET : LABEL_FAILURE_TLS;
}

void session_flush(struct session *session)
{
    list_remove(&session->dirty);
    while (session->unsent && buffer_size(session->unsent) > 0) {
        size_t taken;
        enum tls_status status =
            tls_write(session->tls, buffer_data(session->unsent), buffer_size(session->unsent), &taken);
        if (status == TLS_AGAIN) return; /* the loop says when the socket has room */
        if (status != TLS_DONE) {
            session->host->on_end(session, failure_of(status));
            return;
        }
        buffer_drop(session->unsent, taken);
    }
    buffers_give(session->host->buffers, session->unsent);
    session->unsent = NULL;
}

/* ---- reading ---- */

/* Keeps what is left of a read for the next one. */
static bool keep_partial(struct session *session, const uint8_t *rest, size_t size)
{
    struct buffers *buffers = session->host->buffers;
    if (session->partial) buffer_drop(session->partial, buffer_size(session->partial));
    if (size > 0 && !session->partial) session->partial = buffers_borrow(buffers);
    if (size > 0) return session->partial && buffer_add(session->partial, rest, size);
    buffers_give(buffers, session->partial);
    session->partial = NULL;
    return true;
}

/* A message that is no response at all: the stream cannot be trusted any more. */
static bool is_response(const uint8_t *message, size_t size)
{
    return size >= DNS_HEADER_BYTES && (message_flags(message) & DNS_QR);
}

/* Handles every whole message; the rest is kept. False: the stream is broken. */
static bool take_messages(struct session *session, const uint8_t *bytes, size_t size)
{
    struct frame frame;
    while (frame_next(bytes, size, &frame) == FRAME_WHOLE) {
        if (!is_response(frame.message, frame.size)) return false;
        struct attempt *attempt = ids_find(&session->ids, message_id(frame.message));
        if (attempt)
            session->host->on_response(session, attempt, frame.message, frame.size);
        else
            session->host->on_stray(session);
        bytes += FRAME_LENGTH_BYTES + frame.size;
        size -= FRAME_LENGTH_BYTES + frame.size;
    }
    return keep_partial(session, bytes, size);
}

/* One read. TLS_DONE: there may be more; TLS_AGAIN: that was all; else it ended, and `ret_failure` says why. */
static enum tls_status read_once(struct session *session, unsigned *ret_failure)
{
    struct session_host *host = session->host;
    size_t have = session->partial ? buffer_size(session->partial) : 0;
    size_t got;
    if (have > 0) memcpy(host->scratch, buffer_data(session->partial), have);
    enum tls_status status = tls_read(session->tls, host->scratch + have, host->scratch_bytes - have, &got);
    if (status == TLS_AGAIN) return status;
    *ret_failure = failure_of(status);
    if (status != TLS_DONE) return status;
    session->used_ns = session->heard_ns = host->loop->now_ns;
    session->asked_in_silence = 0;
    if (take_messages(session, host->scratch, have + got)) return TLS_DONE;
    *ret_failure = LABEL_FAILURE_FRAME;
    return TLS_FAILED;
}

/* Reads until nothing is left. A short read says "that was all" without asking the kernel; where the peer is known to
 * have ended the stream (`to_end`) the kernel is asked all the same, since no further event will come. */
static void read_all(struct session *session, bool to_end)
{
    unsigned failure = LABEL_FAILURE_TLS;
    enum tls_status status;
    do {
        status = read_once(session, &failure);
        if (status == TLS_AGAIN && to_end) {
            to_end = false;
            status = TLS_DONE;
        }
    } while (status == TLS_DONE);
    if (status != TLS_AGAIN) session->host->on_end(session, failure);
}

/* ---- connecting ---- */

/* True when the session is ready now. */
static bool handshake(struct session *session)
{
    enum tls_status status = tls_handshake(session->tls);
    if (status == TLS_AGAIN) return false;
    if (status == TLS_DONE) {
        session->state = SESSION_READY;
        session->host->on_ready(session);
        return true;
    }
    unsigned failure = status == TLS_UNTRUSTED ? LABEL_FAILURE_CERTIFICATE : failure_of(status);
    session->host->on_end(session, failure);
    return false;
}

static bool connected(struct session *session)
{
    int error = 0;
    getsockopt(session->source.fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    if (error != 0) {
        session->connect_error = error;
        session->host->on_end(session, connect_failure(error));
        return false;
    }
    session->state = SESSION_HANDSHAKING;
    return handshake(session);
}

static void on_event(struct loop_source *source, uint32_t events)
{
    struct session *session = container_of(source, struct session, source);
    bool was_ready = session->state >= SESSION_READY;
    bool readable = events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (readable) tls_on_readable(session->tls);
    if (session->state == SESSION_CONNECTING && !connected(session)) return;
    if (session->state == SESSION_HANDSHAKING && !handshake(session)) return;
    /* Queries that wait for room go with the turn's flush, so that whatever was asked meanwhile goes with them. */
    if ((events & EPOLLOUT) && session->unsent && list_is_empty(&session->dirty))
        list_push(&session->host->dirty, &session->dirty);
    /* A handshake may have read more than its own, and no edge comes for that again. */
    if (readable || !was_ready) read_all(session, !was_ready || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)));
}
