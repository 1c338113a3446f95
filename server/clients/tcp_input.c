#include "clients/tcp_input.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "clients/tcp_output.h"
#include "common/check.h"
#include "common/clock.h"
#include "dns/message.h"

enum {
    READ_BYTES = 64 * 1024,   /* one read of a client a turn: others wait no longer than it takes to handle that */
    OUTBOX_BYTES = 64 * 1024, /* replies that are written before more queries are handled */
    MADE_BYTES = 256 * 1024,  /* of replies a turn: a read can hold 4,000 queries for large answers of the cache */
};

bool tcp_input_is_cut_off(const struct tcp_client *client)
{
    return client->ended && client->end_cause != LABEL_CLOSED_CLIENT;
}

void tcp_input_end(struct tcp_client *client, enum label_closed cause)
{
    if (tcp_input_is_cut_off(client)) return; /* the first cause stays */
    client->ended = true;
    client->end_cause = (uint8_t)cause;
    client->held_back = false;
    client->discard = 0;
    buffers_give(client->clients->buffers, client->partial);
    client->partial = NULL;
    timeout_stop(&client->input);
}

static void count_query(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    if (!timeout_is_running(&client->rate)) timeouts_start(&clients->rates, &client->rate, clients->loop->now_ns);
    client->asked++;
    clients->asked++;
}

/* What a client sent before it closed its half is still handled; behind a broken frame nothing is. */
static bool may_handle(const struct tcp_client *client)
{
    const struct tcp_clients *clients = client->clients;
    bool is_behind = client->unsent && buffer_size(client->unsent) > clients->options.max_unsent_bytes;
    return !tcp_input_is_cut_off(client) && !client->aborted && !clients->draining && !is_behind &&
           client->in_flight < clients->options.max_in_flight;
}

/* Counts a query as begun and hands it over. Of a message that is too long, `bytes` is the beginning. */
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
    client->in_flight++;
    clients->in_flight++;
    client->handled++;
    count_query(client);
    clients->on_message(clients, &requester, &message);
    if (buffer_size(&clients->outbox) >= OUTBOX_BYTES) tcp_output_send_batch(client);
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

/* Reads once behind the `have` bytes of the scratch, and no more than the messages that may be in flight can be long:
 * what is read and may not be handled has to be kept. Returns how many bytes there are now. */
static size_t read_more(struct tcp_client *client, size_t have)
{
    uint8_t *scratch = client->clients->scratch;
    const struct tcp_client_options *options = &client->clients->options;
    size_t room = have < READ_BYTES ? READ_BYTES : CLIENT_SCRATCH_BYTES - have;
    size_t most =
        (options->max_in_flight - client->in_flight) * (FRAME_LENGTH_BYTES + (size_t)options->max_query_bytes);
    if (client->discard == 0 && most > have && most - have < room) room = most - have;
    ssize_t got = recv(client->source.fd, scratch + have, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        client->readable = errno == EINTR;
        return have;
    }
    if (got <= 0) {
        client->readable = false;
        client->ended = true;
        client->end_cause = LABEL_CLOSED_CLIENT;
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

/* In the middle of a message, whose rest is waited for. */
static bool is_inside(const struct tcp_client *client)
{
    return (client->partial || client->discard > 0) && !client->held_back;
}

void tcp_input_set_timeout(struct tcp_client *client, bool progress)
{
    struct tcp_clients *clients = client->clients;
    uint64_t now_ns = clients->loop->now_ns;
    bool inside = is_inside(client);
    bool begins = progress || !timeout_is_running(&client->input);
    if (!client->greeted || client->leaving) return;
    if (client->ended) /* nothing is waited for but its replies, which have times of their own */
        timeout_stop(&client->input);
    else if (!inside && (client->in_flight > 0 || client->unsent))
        timeout_stop(&client->input);
    else if (begins)
        timeouts_start(inside ? &clients->read : &clients->idle, &client->input, now_ns);
}

void tcp_input_take(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    size_t size = client->partial ? buffer_size(client->partial) : 0;
    bool first = !client->greeted;
    bool was_inside = is_inside(client);
    uint32_t handled_before = client->handled;
    if (size > 0) memcpy(clients->scratch, buffer_data(client->partial), size);
    if (client->readable && !client->held_back && !client->ended) size = read_more(client, size);
    CHECK(!clients->batching);
    clients->batching = client;
    clients->made = 0;
    size_t done = handle_messages(client, clients->scratch, size);
    tcp_output_send_batch(client);
    clients->batching = NULL;
    if (tcp_input_is_cut_off(client)) done = size; /* what follows a broken frame is not looked at */
    client->held_back = size > done && (!may_handle(client) || is_spent(clients));
    keep(client, clients->scratch + done, size - done);
    tcp_input_set_timeout(client, first || client->handled != handled_before || is_inside(client) != was_inside);
}

bool tcp_input_is_due(const struct tcp_client *client)
{
    bool has_input = (client->readable && !client->ended) || client->held_back;
    return has_input && may_handle(client) && !client->leaving;
}
