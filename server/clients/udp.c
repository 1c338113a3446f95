#include "clients/udp.h"

#include <string.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/list.h"
#include "dns/message.h"
#include "metrics/dnstap.h"

static struct udp *udp_of(const struct requester *requester)
{
    return container_of(requester->transport, struct udp, transport);
}

static void drop(struct udp *udp, enum label_udp_dropped reason, const struct datagram *datagram,
                 const struct address *client)
{
    const char *why;
    enum query_kind kind = query_kind_of_dropped(reason, &why);
    const struct requester requester = {.transport = &udp->transport, .address = client};
    const struct client_message message = {.bytes = datagram->bytes, .size = datagram->size};
    count_event_by(udp->counters, udp_dropped, reason);
    if (reason == LABEL_UDP_DROPPED_ACCESS) count_event(udp->counters, access_denied);
    notices_dropped(udp->notices, &requester, kind, why, &message);
}

/* ---- sending ---- */

void udp_send_waiting(struct udp *udp)
{
    if (datagram_sender_count(udp->sender) == 0) return;
    struct datagrams_sent sent = datagrams_send(udp->sender, udp->sending->source.fd);
    if (sent.lost > 0) counter_add(cell_udp_dropped(udp->counters, LABEL_UDP_DROPPED_UNSENT), sent.lost);
    if (sent.truncated > 0) counter_add(cell_truncated(udp->counters), sent.truncated);
}

/* False: the socket that the question came on was closed meanwhile, so that there is none to reply from. */
static bool has_socket(const struct udp_pending *pending)
{
    return pending->generation == pending->socket->generation;
}

static uint8_t *begin_reply(const struct requester *requester, size_t capacity)
{
    struct udp *udp = udp_of(requester);
    const struct udp_pending *pending = slots_find(&udp->pending, requester->client);
    if (!pending || !has_socket(pending)) return NULL;
    if (datagram_sender_count(udp->sender) == DATAGRAMS_MAX || udp->sending != pending->socket) udp_send_waiting(udp);
    udp->sending = pending->socket;
    return datagram_sender_room(udp->sender, capacity);
}

static void count_reply(struct udp *udp, const struct udp_pending *pending, const uint8_t *reply, size_t size)
{
    counter_add(cell_udp_sent(udp->counters, (enum label_udp_source)pending->source), size);
    if (message_flags(reply) & DNS_TC) count_event(udp->counters, truncated);
}

static struct address address_of(const struct datagram_path *path)
{
    struct sockaddr_storage storage;
    memcpy(&storage, &path->remote, sizeof path->remote);
    return address_from_socket(&storage);
}

static void copy_reply(const struct udp *udp, const struct udp_pending *pending, const uint8_t *reply, size_t size)
{
    struct address client = address_of(&pending->path);
    dnstap_client_message(udp->tap, DNSTAP_CLIENT_RESPONSE, DNSTAP_UDP, &client, reply, size);
}

static void end_reply(const struct requester *requester, size_t size)
{
    struct udp *udp = udp_of(requester);
    struct udp_pending *pending = slots_find(&udp->pending, requester->client);
    if (!pending) return;
    if (size > 0) {
        CHECK(udp->sending == pending->socket);
        const uint8_t *reply = datagram_sender_room(udp->sender, size);
        count_reply(udp, pending, reply, size);
        if (udp->tap) copy_reply(udp, pending, reply, size);
        datagram_sender_add(udp->sender, &pending->path, size);
    }
    if (has_socket(pending)) {
        CHECK(pending->socket->pending > 0);
        pending->socket->pending--;
    }
    slots_give(&udp->pending, pending);
}

/* There is no connection to close. */
static void abort_client(const struct requester *requester)
{
    (void)requester;
}

static enum refusal admit(const struct requester *requester, const struct question *question,
                          enum question_verdict verdict, struct reply_profile *profile, bool *ret_is_verified)
{
    struct udp *udp = udp_of(requester);
    struct udp_pending *pending = slots_find(&udp->pending, requester->client);
    enum label_udp_source source;
    CHECK(pending);
    const struct udp_question asked = {
        .client = requester->address, .size = pending->size, .question = question, .verdict = verdict};
    enum refusal refusal =
        udp_admit(&udp->admission, &asked, udp->loop->now_ns, (uint32_t)(udp->wall_ns / NS_PER_S), profile, &source);
    counter_add(cell_udp_received(udp->counters, source), pending->size);
    pending->source = (uint8_t)source;
    *ret_is_verified = source == LABEL_UDP_SOURCE_VERIFIED;
    return refusal;
}

/* ---- receiving ---- */

static struct udp_pending *take_slot(struct udp *udp, struct udp_socket *socket, const struct datagram *datagram)
{
    struct udp_pending *pending = slots_take(&udp->pending);
    if (!pending) return NULL;
    pending->path = *datagram->path;
    pending->socket = socket;
    pending->generation = socket->generation;
    pending->size = (uint16_t)datagram->size;
    socket->pending++;
    return pending;
}

/* A datagram that is not dropped unread. */
struct arrival {
    struct datagram datagram;
    struct address client;
};

static void hand_over(struct udp_socket *socket, const struct arrival *arrival, const struct client_message *message)
{
    struct udp *udp = socket->udp;
    struct udp_pending *pending = take_slot(udp, socket, &arrival->datagram);
    if (!pending) {
        drop(udp, LABEL_UDP_DROPPED_OVERLOAD, &arrival->datagram, &arrival->client);
        return;
    }
    const struct requester requester = {.transport = &udp->transport,
                                        .client = slot_handle(pending),
                                        .address = &arrival->client,
                                        .batched = true,
                                        .must_not_wait = udp->pending.taken > udp->max_pending};
    udp->on_message(udp, &requester, message);
}

/* Hands over `count` datagrams of the batch, at most READ_AHEAD_MAX, after all of them were read. */
static void handle(struct udp_socket *socket, unsigned first, unsigned count)
{
    struct udp *udp = socket->udp;
    struct arrival arrivals[READ_AHEAD_MAX];
    struct client_message messages[READ_AHEAD_MAX];
    unsigned kept = 0;
    for (unsigned i = first; i < first + count; i++) {
        struct arrival *arrival = &arrivals[kept];
        const struct datagram *datagram = &arrival->datagram;
        arrival->datagram = datagrams_at(udp->receiver, i);
        arrival->client = address_of(datagram->path);
        unsigned dropped = udp_why_dropped(udp->access, datagram, &arrival->client);
        if (dropped != LABEL_UDP_DROPPED_COUNT)
            drop(udp, (enum label_udp_dropped)dropped, datagram, &arrival->client);
        else
            messages[kept++] = (struct client_message){.bytes = datagram->bytes,
                                                       .size = datagram->size,
                                                       .refusal = datagram->is_cut ? REFUSAL_TOO_LONG : REFUSAL_NONE};
    }
    if (udp->read_ahead) udp->read_ahead(udp, messages, kept);
    for (unsigned i = 0; i < kept; i++) hand_over(socket, &arrivals[i], &messages[i]);
}

static void note_batch(struct udp_socket *socket, unsigned count, uint64_t now_ns)
{
    struct udp *udp = socket->udp;
    struct udp_batch batch = {
        .is_full = count == DATAGRAMS_MAX, .has_old = datagrams_have_old(udp->receiver), .drops = socket->queue.drops};
    /* Behind a full batch there may be thousands, and what the kernel drops now is told by those behind these. */
    if (!batch.is_full || !datagrams_dropped_by(socket->source.fd, &batch.drops))
        datagrams_dropped(udp->receiver, &batch.drops);
    uint32_t drops = udp_queue_received(&socket->queue, &batch, now_ns);
    if (socket->counts_drops) counter_add(cell_udp_kernel_drops(udp->counters), drops);
}

static void receive(struct udp_socket *socket)
{
    struct udp *udp = socket->udp;
    uint64_t now_ns = udp->loop->now_ns;
    uint64_t oldest_ns = udp_queue_oldest_ns(&socket->queue, now_ns, udp->wall_ns);
    unsigned count = datagrams_receive(udp->receiver, socket->source.fd, socket->is_wildcard, oldest_ns);
    socket->is_readable = count == DATAGRAMS_MAX;
    note_batch(socket, count, now_ns);
    for (unsigned i = 0; i < count; i += READ_AHEAD_MAX)
        handle(socket, i, count - i < READ_AHEAD_MAX ? count - i : READ_AHEAD_MAX);
    udp_send_waiting(udp);
}

/* ---- held, and answered ---- */

void udp_set_held(struct udp *udp, bool held)
{
    udp->is_held = held;
    udp_sockets_follow(udp);
}

void udp_set_part(struct udp *udp, const struct udp_part *part)
{
    udp->part = *part;
    udp_sockets_follow(udp);
}

/* It may have datagrams, and may be read. */
static bool is_due(const struct udp *udp, const struct udp_socket *socket)
{
    return socket->is_readable && (socket->is_leaving || !udp->is_held);
}

bool udp_is_answered(const struct udp *udp)
{
    for (unsigned i = 0; i < udp->used; i++)
        if (udp->sockets[i].is_leaving && udp->sockets[i].is_readable) return false;
    return udp->pending.taken == 0;
}

/* ---- turns and life ---- */

void udp_receive(struct udp *udp)
{
    if (udp_deadline_ns(udp) == CLOCK_NEVER) return;
    udp->wall_ns = clock_wall_ns();
    for (unsigned i = 0; i < udp->used; i++) {
        struct udp_socket *socket = &udp->sockets[i];
        if (!is_due(udp, socket)) continue;
        if (socket->is_leaving && socket->last_reads-- == 0)
            socket->is_readable = false;
        else
            receive(socket);
    }
}

void udp_tick(struct udp *udp)
{
    udp_send_waiting(udp);
    for (unsigned i = 0; i < udp->used; i++) {
        struct udp_socket *socket = &udp->sockets[i];
        bool is_done = socket->is_leaving && !socket->is_readable && socket->pending == 0;
        if (udp_socket_is_open(socket) && is_done) udp_socket_close(socket);
    }
    if (udp_is_any_leaving(udp))
        udp->must_follow = true;
    else if (udp->must_follow)
        udp_sockets_follow(udp);
}

uint64_t udp_deadline_ns(const struct udp *udp)
{
    for (unsigned i = 0; i < udp->used; i++)
        if (is_due(udp, &udp->sockets[i])) return 0;
    return CLOCK_NEVER;
}

bool udp_is_drained(const struct udp *udp)
{
    for (unsigned i = 0; i < udp->used; i++)
        if (udp_socket_is_open(&udp->sockets[i])) return false;
    return true;
}

bool udp_init(struct udp *udp, const struct udp_options *options, const struct udp_deps *deps)
{
    *udp = (struct udp){
        .transport = {.label = LABEL_TRANSPORT_UDP,
                      .max_reply_bytes = DATAGRAM_REPLY_MAX,
                      .begin_reply = begin_reply,
                      .end_reply = end_reply,
                      .abort = abort_client,
                      .admit = admit},
        .admission = {.ratelimit = deps->ratelimit, .cookies = deps->cookies},
        .loop = deps->loop,
        .counters = deps->counters,
        .notices = deps->notices,
        .tap = deps->tap,
        .leaving = deps->leaving,
        .receiver = datagram_receiver_new(),
        .sender = datagram_sender_new(),
    };
    for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++) udp->sockets[i] = (struct udp_socket){.source.fd = -1, .udp = udp};
    return slots_init(&udp->pending, sizeof(struct udp_pending), 1) && udp_set_options(udp, options) && udp->receiver &&
           udp->sender;
}

void udp_done(struct udp *udp)
{
    if (!udp->loop) return;
    for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++)
        if (udp_socket_is_open(&udp->sockets[i])) udp_socket_close(&udp->sockets[i]);
    slots_done(&udp->pending);
    datagram_receiver_free(udp->receiver);
    datagram_sender_free(udp->sender);
    access_free(udp->access);
}

bool udp_set_options(struct udp *udp, const struct udp_options *options)
{
    CHECK(options->max_size <= DATAGRAM_REPLY_MAX);
    udp->admission.options = *options;
    /* One more slot than may wait, for the question that is being answered. */
    if (!slots_set_max(&udp->pending, options->max_pending + 1)) return false;
    udp->max_pending = options->max_pending;
    return true;
}

void udp_set_access(struct udp *udp, struct access_list *access)
{
    struct access_list *former = udp->access;
    udp->access = access_share(access);
    access_free(former);
}
