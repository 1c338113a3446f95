#include "clients/tcp_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "dns/message.h"

enum {
    READ_BYTES = 64 * 1024,   /* one read of a client a turn: others wait no longer than it takes to handle that */
    OUTBOX_BYTES = 64 * 1024, /* replies that are written before more queries are handled */
    MADE_BYTES = 256 * 1024,  /* of replies a turn: a read can hold 4,000 queries for large answers of the cache */
};

struct slot_handle tcp_client_handle(const struct tcp_client *client)
{
    return slot_handle(client->slot);
}

void tcp_client_mark_dirty(struct tcp_client *client)
{
    if (list_is_empty(&client->dirty)) list_push(&client->clients->dirty, &client->dirty);
}

/* ---- how much it asks ---- */

void tcp_client_report_rate(struct tcp_client *client, uint64_t now_ns)
{
    uint64_t time_ns = now_ns - client->rate.started_ns;
    if (time_ns < RATE_NS) time_ns = RATE_NS; /* it goes before its second is over */
    double per_s = (double)client->asked * (double)NS_PER_S / (double)time_ns;
    busiest_report(client->clients->busiest, &client->address, per_s, now_ns);
    timeout_stop(&client->rate);
    client->asked = 0;
}

static void count_query(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    if (!timeout_is_running(&client->rate)) timeouts_start(&clients->rates, &client->rate, clients->loop->now_ns);
    client->asked++;
}

/* ---- coming and going ---- */

static void count_open(struct tcp_clients *clients)
{
    set_gauge(clients->counters, client_connections, clients->slots.taken);
}

static void release(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    close(client->source.fd);
    connections_release(clients->connections, &client->address);
    atomic_fetch_sub_explicit(clients->load, 1, memory_order_relaxed);
    free(client);
}

void tcp_client_close(struct tcp_client *client, enum label_closed cause)
{
    struct tcp_clients *clients = client->clients;
    if (client->asked > 0) tcp_client_report_rate(client, clients->loop->now_ns);
    loop_forget(clients->loop, &client->source);
    list_remove(&client->all);
    list_remove(&client->dirty);
    timeout_stop(&client->input);
    timeout_stop(&client->output);
    buffers_give(clients->buffers, client->partial);
    buffers_give(clients->buffers, client->unsent);
    slots_give(&clients->slots, client->slot);
    count_event_by(clients->counters, client_closed, cause);
    count_open(clients);
    release(client);
}

/* The worker sees the client for the first time. False: there is no room for it, and it is gone. */
static bool adopt(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    client->slot = slots_take(&clients->slots);
    if (!client->slot) {
        loop_forget(clients->loop, &client->source);
        count_event_by(clients->counters, client_rejected, LABEL_REJECTED_FULL);
        release(client);
        return false;
    }
    client->slot->client = client;
    list_push(&clients->all, &client->all);
    timeouts_start(&clients->first, &client->input, clients->loop->now_ns);
    count_event(clients->counters, client_accepted);
    count_open(clients);
    tcp_client_judge(client);
    return true;
}

void tcp_client_judge(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    if (client->refused && client->ended) return; /* it has its REFUSED */
    bool refused = !access_is_allowed(clients->access, &client->address);
    if (refused && !client->refused) count_event(clients->counters, access_denied);
    client->refused = refused;
}

/* ---- writing ---- */

/* Sends from `bytes`; what the socket took, 0 where it is full. False: the connection broke. */
static bool send_some(struct tcp_client *client, const uint8_t *bytes, size_t size, size_t *ret_sent)
{
    ssize_t sent = send(client->source.fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    *ret_sent = sent > 0 ? (size_t)sent : 0;
    return true;
}

void tcp_client_fail(struct tcp_client *client, enum label_closed cause)
{
    client->aborted = true;
    client->abort_cause = (uint8_t)cause;
}

void tcp_client_flush(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    size_t sent;
    if (!client->unsent) return;
    if (!send_some(client, buffer_data(client->unsent), buffer_size(client->unsent), &sent)) {
        tcp_client_fail(client, LABEL_CLOSED_ERROR);
        return;
    }
    buffer_drop(client->unsent, sent);
    if (buffer_size(client->unsent) == 0) {
        buffers_give(clients->buffers, client->unsent);
        client->unsent = NULL;
        timeout_stop(&client->output);
    } else if (sent > 0 || !timeout_is_running(&client->output)) {
        timeouts_start(&clients->write, &client->output, clients->loop->now_ns);
    }
}

/* Sends the replies of the outbox; what the socket does not take becomes the client's own. */
static void empty_outbox(struct tcp_client *client)
{
    struct buffer *outbox = &client->clients->outbox;
    size_t sent = 0;
    if (buffer_size(outbox) == 0) return;
    if (!client->unsent && !send_some(client, buffer_data(outbox), buffer_size(outbox), &sent))
        tcp_client_fail(client, LABEL_CLOSED_ERROR);
    buffer_drop(outbox, sent);
    size_t rest = buffer_size(outbox);
    if (rest > 0 && !client->aborted) {
        if (!client->unsent) client->unsent = buffers_borrow(client->clients->buffers);
        if (!client->unsent || !buffer_add(client->unsent, buffer_data(outbox), rest))
            tcp_client_fail(client, LABEL_CLOSED_ERROR);
        tcp_client_mark_dirty(client);
    }
    if (rest > 0) buffer_drop(outbox, rest);
}

/* ---- reading ---- */

static bool may_handle(const struct tcp_client *client)
{
    const struct tcp_clients *clients = client->clients;
    bool done = client->refused && client->ended;
    return !done && !client->aborted && !clients->draining && !client->unsent &&
           client->in_flight < clients->options.max_in_flight;
}

/* Counts a query as begun and hands it over. Of a message that is too long, `bytes` is the beginning. A client that may
 * not ask gets one reply, and nothing more is read of it. */
static void handle(struct tcp_client *client, const uint8_t *bytes, size_t size, bool too_long)
{
    struct tcp_clients *clients = client->clients;
    const struct requester requester = {
        .transport = &clients->transport,
        .client = tcp_client_handle(client),
        .address = &client->address,
        .batched = true,
    };
    struct client_message message = {.bytes = bytes, .size = size};
    if (too_long) message.refusal = REFUSAL_TOO_LONG;
    if (client->refused) {
        message.refusal = REFUSAL_PROHIBITED;
        client->ended = true;
    }
    client->in_flight++;
    client->handled++;
    count_query(client);
    clients->on_message(clients, &requester, &message);
    if (buffer_size(&clients->outbox) >= OUTBOX_BYTES) empty_outbox(client);
}

/* Whether this turn has made all the replies that it may. */
static bool is_spent(const struct tcp_clients *clients)
{
    return clients->made >= MADE_BYTES;
}

/* Handles the messages at the front of `bytes`, while the client may have more in flight and its turn lasts; returns
 * the bytes that are dealt with. */
static size_t handle_messages(struct tcp_client *client, const uint8_t *bytes, size_t size)
{
    size_t max = client->clients->options.max_query_bytes;
    size_t at = 0;
    while (may_handle(client) && !is_spent(client->clients)) {
        struct frame frame;
        size_t skip = client->discard < size - at ? client->discard : size - at;
        client->discard -= (uint32_t)skip;
        at += skip;
        enum frame_status status = frame_next(bytes + at, size - at, &frame);
        bool too_long = frame.size > max;
        if (too_long ? size - at < FRAME_LENGTH_BYTES + max : status != FRAME_WHOLE) break;
        at += FRAME_LENGTH_BYTES;
        handle(client, bytes + at, too_long ? max : frame.size, too_long);
        if (too_long) {
            client->discard = (uint32_t)(frame.size - max);
            at += max;
        } else {
            at += frame.size;
        }
    }
    return at;
}

/* Reads once behind the `have` bytes of the scratch; returns how many bytes there are now. */
static size_t read_more(struct tcp_client *client, size_t have)
{
    uint8_t *scratch = client->clients->scratch;
    size_t room = have < READ_BYTES ? READ_BYTES : CLIENT_SCRATCH_BYTES - have;
    ssize_t got = recv(client->source.fd, scratch + have, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        client->readable = errno == EINTR;
        return have;
    }
    if (got <= 0) {
        client->readable = false;
        client->ended = true;
        if (got < 0) tcp_client_fail(client, LABEL_CLOSED_ERROR);
        return have;
    }
    client->greeted = true;
    if ((size_t)got < room && !client->ending) client->readable = false;
    return have + (size_t)got;
}

static void keep(struct tcp_client *client, const uint8_t *rest, size_t size)
{
    struct buffers *buffers = client->clients->buffers;
    if (client->partial) buffer_drop(client->partial, buffer_size(client->partial));
    if (size == 0) {
        buffers_give(buffers, client->partial);
        client->partial = NULL;
        return;
    }
    if (!client->partial) client->partial = buffers_borrow(buffers);
    if (!client->partial || !buffer_add(client->partial, rest, size)) tcp_client_fail(client, LABEL_CLOSED_ERROR);
}

/* The time the client has for what it is doing now. A message's time runs from its first byte, not from its last. */
static void set_input_timeout(struct tcp_client *client, bool progress)
{
    struct tcp_clients *clients = client->clients;
    uint64_t now_ns = clients->loop->now_ns;
    bool inside = (client->partial || client->discard > 0) && !client->held_back;
    if (!client->greeted || client->ended) return;
    if (inside && (progress || !timeout_is_running(&client->input)))
        timeouts_start(&clients->read, &client->input, now_ns);
    else if (!inside && client->in_flight == 0 && !client->unsent)
        timeouts_start(&clients->idle, &client->input, now_ns);
    else if (!inside)
        timeout_stop(&client->input);
}

/* One round of input: what was kept, then what the socket has. */
static void take_input(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    size_t size = client->partial ? buffer_size(client->partial) : 0;
    bool first = !client->greeted;
    bool was_inside = (client->partial || client->discard > 0) && !client->held_back;
    uint32_t handled_before = client->handled;
    if (size > 0) memcpy(clients->scratch, buffer_data(client->partial), size);
    if (client->readable && !client->held_back && !client->ended) size = read_more(client, size);
    CHECK(!clients->batching);
    clients->batching = client;
    clients->made = 0;
    size_t done = handle_messages(client, clients->scratch, size);
    empty_outbox(client);
    clients->batching = NULL;
    if (client->refused && client->ended) done = size; /* whatever else it sent is not looked at */
    client->held_back = size > done && (!may_handle(client) || is_spent(clients));
    keep(client, clients->scratch + done, size - done);
    set_input_timeout(client, first || client->handled != handled_before || !was_inside);
}

/* ---- what becomes of a client ---- */

/* Closes it where nothing more is to come of it; true where it was. */
static bool close_if_over(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    bool quiet = client->in_flight == 0 && !client->unsent;
    enum label_closed cause;
    if (client->aborted)
        cause = client->abort_cause;
    else if (client->unsent && buffer_size(client->unsent) > clients->options.max_unsent_bytes)
        cause = LABEL_CLOSED_SLOW;
    else if (quiet && client->ended && !client->held_back)
        cause = LABEL_CLOSED_CLIENT;
    else if (quiet && clients->draining)
        cause = LABEL_CLOSED_DRAIN;
    else
        return false;
    tcp_client_close(client, cause);
    return true;
}

static bool has_input(const struct tcp_client *client)
{
    return (client->readable && !client->ended) || client->held_back;
}

static void settle(struct tcp_client *client)
{
    if (close_if_over(client)) return;
    if (has_input(client) && may_handle(client)) tcp_client_mark_dirty(client);
}

void tcp_client_turn(struct tcp_client *client)
{
    tcp_client_flush(client);
    if (has_input(client) && may_handle(client))
        take_input(client);
    else
        set_input_timeout(client, false);
    settle(client);
}

static void on_event(struct loop_source *source, uint32_t events)
{
    struct tcp_client *client = container_of(source, struct tcp_client, source);
    if (!client->slot && !adopt(client)) return;
    if (events & EPOLLERR) tcp_client_fail(client, LABEL_CLOSED_ERROR);
    if ((events & EPOLLOUT) && client->unsent) tcp_client_mark_dirty(client);
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) client->readable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP)) client->ending = true;
    if (has_input(client) && may_handle(client)) take_input(client);
    settle(client);
}

bool tcp_client_start(struct tcp_clients *clients, int fd, const struct address *address)
{
    struct tcp_client *client = calloc(1, sizeof *client);
    if (!client) {
        close(fd);
        return false;
    }
    client->source = (struct loop_source){.fd = fd, .on_event = on_event};
    client->clients = clients;
    client->address = *address;
    list_init(&client->all);
    list_init(&client->dirty);
    timeout_init(&client->input);
    timeout_init(&client->output);
    timeout_init(&client->rate);
    /* Writable at once: so the worker is told of it now, and learns of its query in the same event where that is there
     * already. */
    if (loop_add(clients->loop, &client->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP)) return true;
    close(fd);
    free(client);
    return false;
}
