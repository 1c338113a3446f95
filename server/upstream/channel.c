#include "upstream/channel.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "dns/message.h"
#include "upstream/stream.h"

/* DNS over TLS (RFC 7858). */
#define ALPN "dot"

/* What is read is handed on when so much of it has come together: it is still in the processor's cache then. */
enum { HAND_ON_BYTES = 32 * 1024, RECORD_BYTES = 16 * 1024 };

struct channel {
    struct loop_source source;
    struct list unwritten; /* in host->unwritten */
    struct list unread;    /* in host->unread */
    struct channel_host *host;
    const struct channel_events *events;
    void *owner;
    struct stream stream;
    enum channel_state state;
    bool one_message_per_record;
    bool split;             /* the same, once what waits is written */
    bool to_end;            /* the peer ended the stream: no further event will say that there is more to read */
    int connect_error;      /* errno of the connection that could not be made */
    uint32_t records;       /* written */
    size_t record_left;     /* bytes of the message in front that were not taken yet, with one message per record */
    uint64_t read_ns;       /* the turn it was read in, last */
    uint64_t useful_octets; /* received in all when the last message was accepted */
    struct buffer *unsent;  /* framed messages; NULL if none */
    struct buffer *partial; /* the front of a message; NULL if none */
};

static void on_event(struct loop_source *source, uint32_t events);

/* ---- opening and closing ---- */

static enum cause connect_cause(int error)
{
    if (error == ECONNREFUSED) return CAUSE_CONNECT_REFUSED;
    return error == ETIMEDOUT ? CAUSE_CONNECT_TIMEOUT : CAUSE_CONNECT_ERROR;
}

/* A socket that connects to the upstream, or -1 with errno. */
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

struct channel *channel_open(struct channel_host *host, const struct channel_target *target,
                             const struct channel_events *events, void *owner, enum cause *ret_cause)
{
    int error;
    bool is_open;
    *ret_cause = CAUSE_CONNECT_ERROR;
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) return NULL;
    channel->source = (struct loop_source){.fd = -1, .on_event = on_event};
    channel->host = host;
    channel->events = events;
    channel->owner = owner;
    channel->one_message_per_record = target->one_message_per_record;
    list_init(&channel->unwritten);
    list_init(&channel->unread);
    channel->source.fd = begin_connect(&target->address);
    if (channel->source.fd < 0) {
        *ret_cause = connect_cause(errno);
        goto fail;
    }
    is_open = stream_open(&channel->stream, target->tls, channel->source.fd, target->name, ALPN, target->ticket);
    if (!is_open) errno = ENOMEM; /* the library does not say */
    if (!is_open || !loop_add(host->loop, &channel->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP)) goto fail;
    return channel;
fail:
    error = errno;
    channel_free(channel);
    errno = error;
    return NULL;
}

void channel_free(struct channel *channel)
{
    if (!channel) return;
    list_remove(&channel->unwritten);
    list_remove(&channel->unread);
    stream_close(&channel->stream, channel->state == CHANNEL_READY);
    if (channel->source.fd >= 0) {
        loop_forget(channel->host->loop, &channel->source);
        close(channel->source.fd);
    }
    buffers_give(channel->host->buffers, channel->unsent);
    buffers_give(channel->host->buffers, channel->partial);
    free(channel);
}

static enum cause cause_of(enum tls_status status)
{
    if (status == TLS_CLOSED) return CAUSE_CLOSED;
    if (status == TLS_UNTRUSTED) return CAUSE_CERTIFICATE;
    return status == TLS_RESET ? CAUSE_RESET : CAUSE_TLS;
}

/* ---- writing ---- */

uint8_t *channel_room(struct channel *channel, size_t size)
{
    if (!channel->unsent) channel->unsent = buffers_borrow(channel->host->buffers);
    if (!channel->unsent) return NULL;
    uint8_t *room = buffer_room(channel->unsent, FRAME_LENGTH_BYTES + size);
    return room ? room + FRAME_LENGTH_BYTES : NULL;
}

void channel_send(struct channel *channel, size_t size)
{
    struct buffer *unsent = channel->unsent;
    CHECK(unsent && size > 0 && size <= UINT16_MAX);
    CHECK(unsent->end + FRAME_LENGTH_BYTES + size <= unsent->capacity);
    frame_put_length(unsent->bytes + unsent->end, size);
    buffer_use_room(unsent, FRAME_LENGTH_BYTES + size);
    if (list_is_empty(&channel->unwritten)) list_push(&channel->host->unwritten, &channel->unwritten);
}

bool channel_split_records(struct channel *channel)
{
    if (channel->split || channel->one_message_per_record) return false;
    channel->split = true;
    if (!channel->unsent) channel->one_message_per_record = true;
    return true;
}

/* How many of the waiting bytes go into the next TLS write. */
static size_t next_write(struct channel *channel)
{
    size_t size = buffer_size(channel->unsent);
    if (!channel->one_message_per_record) return size;
    if (channel->record_left == 0) {
        const uint8_t *front = buffer_data(channel->unsent);
        channel->record_left = FRAME_LENGTH_BYTES + (size_t)front[0] * 256 + front[1];
    }
    CHECK(channel->record_left <= size);
    return channel->record_left;
}

static void flush(struct channel *channel)
{
    while (channel->unsent && buffer_size(channel->unsent) > 0) {
        size_t taken;
        size_t size = next_write(channel);
        enum tls_status status = stream_write(&channel->stream, buffer_data(channel->unsent), size, &taken);
        if (status == TLS_AGAIN) return; /* the loop says when the socket has room */
        if (status != TLS_DONE) {
            channel->events->on_end(channel->owner, cause_of(status));
            return;
        }
        CHECK(taken <= size);
        channel->records += (uint32_t)((taken + RECORD_BYTES - 1) / RECORD_BYTES);
        if (channel->one_message_per_record) channel->record_left -= taken;
        buffer_drop(channel->unsent, taken);
    }
    buffers_give(channel->host->buffers, channel->unsent);
    channel->unsent = NULL;
    channel->one_message_per_record |= channel->split;
}

void channels_flush(struct channel_host *host)
{
    struct list *node;
    while ((node = list_take(&host->unwritten))) {
        struct channel *channel = container_of(node, struct channel, unwritten);
        if (channel->state == CHANNEL_READY) flush(channel);
    }
}

/* ---- reading ---- */

/* The bytes of this turn, in the host's scratch. */
struct intake {
    size_t size;
    unsigned messages; /* handed on in this turn */
    enum cause cause;  /* set if the channel has to end */
    bool bad;
};

/* Hands on every whole message, as many as the turn allows, and moves the rest to the front. */
static void hand_on(struct channel *channel, struct intake *intake)
{
    uint8_t *scratch = channel->host->scratch;
    size_t done = 0;
    struct frame frame;
    while (intake->messages < CHANNEL_TURN_MESSAGES &&
           frame_next(scratch + done, intake->size - done, &frame) == FRAME_WHOLE) {
        intake->messages++;
        if (!channel->events->on_message(channel->owner, frame.message, frame.size, &intake->cause)) {
            intake->bad = true;
            return;
        }
        channel->useful_octets = stream_received(&channel->stream);
        done += FRAME_LENGTH_BYTES + frame.size;
    }
    if (done > 0) memmove(scratch, scratch + done, intake->size - done);
    intake->size -= done;
}

/* Keeps what is left of a turn for the next one. */
static bool keep_partial(struct channel *channel, const struct intake *intake)
{
    struct buffers *buffers = channel->host->buffers;
    if (channel->partial) buffer_drop(channel->partial, buffer_size(channel->partial));
    if (intake->size > 0) {
        if (!channel->partial) channel->partial = buffers_borrow(buffers);
        return channel->partial && buffer_add(channel->partial, channel->host->scratch, intake->size);
    }
    buffers_give(buffers, channel->partial);
    channel->partial = NULL;
    return true;
}

/* Reads until nothing is left or the turn's share is used. A short read says "that was all" without asking the kernel;
 * if the peer is known to have ended the stream the kernel is asked all the same. */
static enum tls_status take_in(struct channel *channel, struct intake *intake)
{
    enum tls_status status = TLS_DONE;
    hand_on(channel, intake); /* whole messages that were one too many in the last turn */
    while (!intake->bad && intake->messages < CHANNEL_TURN_MESSAGES) {
        size_t got;
        status = stream_read(&channel->stream, channel->host->scratch + intake->size,
                             CHANNEL_SCRATCH_BYTES - intake->size, &got);
        if (status == TLS_AGAIN && channel->to_end && !stream_has_more(&channel->stream)) {
            channel->to_end = false;
            continue;
        }
        if (status != TLS_DONE) break;
        intake->size += got;
        if (intake->size >= HAND_ON_BYTES) hand_on(channel, intake);
    }
    if (!intake->bad && intake->size > 0) hand_on(channel, intake);
    return status;
}

static void read_turn(struct channel *channel)
{
    struct intake intake = {.cause = CAUSE_FRAME};
    channel->read_ns = channel->host->loop->now_ns;
    if (channel->partial) {
        intake.size = buffer_size(channel->partial);
        memcpy(channel->host->scratch, buffer_data(channel->partial), intake.size);
    }
    stream_begin_turn(&channel->stream, CHANNEL_TURN_BYTES);
    enum tls_status status = take_in(channel, &intake);
    bool ended = status != TLS_DONE && status != TLS_AGAIN;
    if (!intake.bad && ended) intake.cause = cause_of(status);
    if (!intake.bad && !ended && stream_received(&channel->stream) - channel->useful_octets > CHANNEL_USELESS_BYTES) {
        intake.bad = true;
        intake.cause = CAUSE_UNSOLICITED;
    }
    bool kept = intake.bad || ended || keep_partial(channel, &intake);
    if (!kept || intake.bad || ended) {
        channel->events->on_end(channel->owner, kept ? intake.cause : CAUSE_RESET);
        return;
    }
    bool more = stream_has_more(&channel->stream) || intake.messages >= CHANNEL_TURN_MESSAGES;
    if (more && list_is_empty(&channel->unread)) list_push(&channel->host->unread, &channel->unread);
}

/* ---- events ---- */

/* True when the channel is ready now. */
static bool handshake(struct channel *channel)
{
    stream_begin_turn(&channel->stream, CHANNEL_TURN_BYTES);
    enum tls_status status = stream_handshake(&channel->stream);
    if (status == TLS_AGAIN) {
        if (stream_has_more(&channel->stream) && list_is_empty(&channel->unread))
            list_push(&channel->host->unread, &channel->unread);
        return false;
    }
    if (status != TLS_DONE) {
        channel->events->on_end(channel->owner, cause_of(status));
        return false;
    }
    channel->state = CHANNEL_READY;
    channel->useful_octets = stream_received(&channel->stream);
    channel->events->on_ready(channel->owner);
    return true;
}

static bool connected(struct channel *channel)
{
    int error = 0;
    getsockopt(channel->source.fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    if (error != 0) {
        channel->connect_error = error;
        channel->events->on_end(channel->owner, connect_cause(error));
        return false;
    }
    channel->state = CHANNEL_HANDSHAKING;
    return true;
}

static void on_event(struct loop_source *source, uint32_t events)
{
    struct channel *channel = container_of(source, struct channel, source);
    channel->host->had_event = true;
    bool was_ready = channel->state == CHANNEL_READY;
    bool ended = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    bool readable = ended || (events & EPOLLIN);
    if (readable) stream_on_readable(&channel->stream);
    if (ended) channel->to_end = true;
    if (channel->state == CHANNEL_CONNECTING && !connected(channel)) return;
    if (channel->state == CHANNEL_HANDSHAKING && !handshake(channel)) return;
    /* Queries that wait for room go with the turn's flush, so that whatever was asked meanwhile goes with them. */
    if ((events & EPOLLOUT) && channel->unsent && list_is_empty(&channel->unwritten))
        list_push(&channel->host->unwritten, &channel->unwritten);
    /* A handshake may have read more than its own, and no edge comes for that again. */
    if (!was_ready) channel->to_end = true;
    if (readable || !was_ready) read_turn(channel);
}

void channels_resume(struct channel_host *host)
{
    struct list waiting;
    struct list *node;
    list_init(&waiting);
    list_append(&waiting, &host->unread);
    while ((node = list_take(&waiting))) {
        struct channel *channel = container_of(node, struct channel, unread);
        if (channel->read_ns == host->loop->now_ns) {
            list_push(&host->unread, node); /* it has had its share of this turn */
            continue;
        }
        stream_on_readable(&channel->stream);
        if (channel->state == CHANNEL_HANDSHAKING) {
            channel->read_ns = host->loop->now_ns;
            if (!handshake(channel)) continue;
        }
        read_turn(channel);
    }
}

/* ---- looking ---- */

enum channel_state channel_state(const struct channel *channel)
{
    return channel->state;
}

uint32_t channel_records(const struct channel *channel)
{
    return channel->records;
}

bool channel_is_resumed(const struct channel *channel)
{
    return stream_is_resumed(&channel->stream);
}

int64_t channel_certificate_expiry_s(struct channel *channel)
{
    return stream_certificate_expiry_s(&channel->stream);
}

struct tls_ticket *channel_take_ticket(struct channel *channel)
{
    return stream_take_ticket(&channel->stream);
}

const char *channel_error(const struct channel *channel)
{
    if (channel->connect_error) return strerrordesc_np(channel->connect_error);
    return stream_error(&channel->stream);
}
