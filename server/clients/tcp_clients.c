#include "clients/tcp_clients.h"

#include <stdlib.h>
#include <string.h>

#include "clients/tcp_client.h"
#include "clients/tcp_move.h"
#include "clients/tcp_output.h"
#include "common/check.h"
#include "common/clock.h"
#include "dns/message.h"
#include "metrics/dnstap.h"

enum {
    CLIENT_SLOTS_MAX = 1 << 20, /* the largest max_connections; the table of connections holds the real bound */
    CROWDED_DIVISOR = 4,        /* of the idle time-out, near the limit of connections */
    SHED_SHARE = 16,            /* one in so many clients is closed at once to make room, and one at least */
};

/* A message that is not there as a whole after this time comes slowly on purpose, or over a bad network: its client is
 * closed before one that is idle, if room is needed. */
#define MESSAGE_NS (500 * NS_PER_MS)

/* ---- replies ---- */

/* The client of a batched requester is there, since its messages are being handed over. */
static struct tcp_client *find(const struct requester *requester)
{
    struct tcp_clients *clients = container_of(requester->transport, struct tcp_clients, transport);
    if (requester->batched) {
        CHECK(clients->batching && clients->batching->slot->slot.index == requester->client.index &&
              clients->batching->slot->slot.generation == requester->client.generation);
        return clients->batching;
    }
    struct client_slot *slot = slots_find(&clients->slots, requester->client);
    return slot ? slot->client : NULL;
}

/* Where a reply to the client is written: a batched one to the outbox, any other to the client's own buffer. NULL
 * without memory. */
static struct buffer *reply_buffer(struct tcp_client *client, bool batched)
{
    struct tcp_clients *clients = client->clients;
    if (batched) return &clients->outbox;
    if (!client->unsent) client->unsent = buffers_borrow(clients->buffers);
    return client->unsent;
}

/* Many replies may be made for a client in one turn, before it can have taken any: how much waits for it says nothing
 * of how fast it reads. But one client does not take more than half of what there is for all. */
static bool has_room(struct tcp_client *client)
{
    uint64_t most = client->clients->options.max_buffered_bytes / 2;
    if (client->aborted) return false;
    if (!client->unsent || buffer_size(client->unsent) <= most) return true;
    tcp_output_flush(client);
    if (!client->unsent || buffer_size(client->unsent) <= most) return true;
    tcp_client_fail(client, LABEL_CLOSED_SLOW);
    tcp_client_mark_dirty(client);
    return false;
}

static uint8_t *begin_reply(const struct requester *requester, size_t capacity)
{
    if (!requester->batched) tcp_client_limit_memory(container_of(requester->transport, struct tcp_clients, transport));
    struct tcp_client *client = find(requester);
    if (!client || (!requester->batched && !has_room(client))) return NULL;
    struct buffer *buffer = reply_buffer(client, requester->batched);
    uint8_t *room = buffer ? buffer_room(buffer, FRAME_LENGTH_BYTES + capacity) : NULL;
    return room ? room + FRAME_LENGTH_BYTES : NULL;
}

static void end_reply(const struct requester *requester, size_t size)
{
    struct tcp_client *client = find(requester);
    if (!client) return;
    CHECK(client->in_flight > 0 && client->clients->in_flight > 0);
    client->in_flight--;
    client->clients->in_flight--;
    if (!requester->batched) tcp_client_mark_dirty(client);
    if (size == 0) return;
    struct buffer *buffer = reply_buffer(client, requester->batched);
    uint8_t *frame = buffer->bytes + buffer->end;
    struct dnstap_tap *tap = client->clients->tap;
    if (tap)
        dnstap_client_message(tap, DNSTAP_CLIENT_RESPONSE, DNSTAP_TCP, &client->address, frame + FRAME_LENGTH_BYTES,
                              size);
    frame_put_length(frame, size);
    buffer_use_room(buffer, FRAME_LENGTH_BYTES + size);
    if (requester->batched) client->clients->made += FRAME_LENGTH_BYTES + size;
}

static void abort_client(const struct requester *requester)
{
    struct tcp_client *client = find(requester);
    if (!client) return;
    tcp_client_break(client);
}

/* Over TCP a cookie is answered and never demanded (RFC 7873, 5.2.3): a client learns one here, too. */
static enum refusal admit(const struct requester *requester, const struct question *question,
                          enum question_verdict verdict, struct reply_profile *profile, bool *ret_is_verified)
{
    const struct tcp_clients *clients = container_of(requester->transport, struct tcp_clients, transport);
    *ret_is_verified = true;
    if (!question->cookie || !clients->cookies) return REFUSAL_NONE;
    enum cookie_finding cookie =
        cookie_option_answer(clients->cookies, question, requester->address, (uint32_t)clock_wall_s(), profile);
    if (cookie == COOKIE_MALFORMED) return REFUSAL_FORMERR;
    return verdict == QUESTION_COOKIE && cookie != COOKIE_ABSENT ? REFUSAL_COOKIE : REFUSAL_NONE;
}

/* ---- life ---- */

bool tcp_clients_init(struct tcp_clients *clients, const struct tcp_client_options *options,
                      const struct tcp_clients_deps *deps)
{
    *clients = (struct tcp_clients){
        .transport = {.label = LABEL_TRANSPORT_TCP,
                      .max_reply_bytes = DNS_MESSAGE_MAX,
                      .begin_reply = begin_reply,
                      .end_reply = end_reply,
                      .abort = abort_client,
                      .admit = admit},
        .loop = deps->loop,
        .buffers = deps->buffers,
        .counters = deps->counters,
        .connections = deps->connections,
        .busiest = deps->busiest,
        .load = deps->load,
        .scratch = deps->scratch,
        .tap = deps->tap,
        .moves_stopped = deps->moves_stopped,
    };
    list_init(&clients->all);
    list_init(&clients->dirty);
    timeouts_init(&clients->first, 0);
    timeouts_init(&clients->read, 0);
    timeouts_init(&clients->idle, 0);
    timeouts_init(&clients->write, 0);
    timeouts_init(&clients->rates, RATE_NS);
    timeouts_init(&clients->leaving, TCP_LEAVING_NS);
    tcp_clients_set_options(clients, options);
    return slots_init(&clients->slots, sizeof(struct client_slot), CLIENT_SLOTS_MAX);
}

void tcp_clients_set_options(struct tcp_clients *clients, const struct tcp_client_options *options)
{
    uint64_t keepalive = options->idle_timeout_ns / (100 * NS_PER_MS);
    clients->options = *options;
    clients->first.duration_ns = options->first_timeout_ns;
    clients->read.duration_ns = options->read_timeout_ns;
    clients->write.duration_ns = options->read_timeout_ns;
    clients->idle.duration_ns = options->idle_timeout_ns;
    clients->transport.keepalive_100ms = keepalive > UINT16_MAX ? UINT16_MAX : (uint16_t)keepalive;
    list_for_each (node, &clients->all) {
        struct tcp_client *client = container_of(node, struct tcp_client, all);
        connections_recount(clients->connections, &client->address, &client->counted_bits);
    }
}

void tcp_clients_set_access(struct tcp_clients *clients, struct access_list *access)
{
    struct access_list *former = clients->access;
    clients->access = access_share(access);
    access_free(former);
    list_for_each (node, &clients->all) tcp_client_check_access(container_of(node, struct tcp_client, all));
}

void tcp_clients_done(struct tcp_clients *clients)
{
    struct list *node;
    if (!clients->slots.chunks) return;
    while ((node = list_first(&clients->all)))
        tcp_client_close(container_of(node, struct tcp_client, all), LABEL_CLOSED_DRAIN);
    slots_done(&clients->slots);
    access_free(clients->access);
    free(clients->outbox.bytes);
    clients->outbox = (struct buffer){0};
}

static void expire_input(struct timeouts *timeouts, enum label_closed cause, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(timeouts, now_ns)))
        tcp_client_close(container_of(timeout, struct tcp_client, input), cause);
}

static void expire_output(struct tcp_clients *clients, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&clients->write, now_ns)))
        tcp_client_close(container_of(timeout, struct tcp_client, output), LABEL_CLOSED_SLOW);
}

static void report_rates(struct tcp_clients *clients, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&clients->rates, now_ns)))
        tcp_client_report_rate(container_of(timeout, struct tcp_client, rate), now_ns);
}

void tcp_clients_tick(struct tcp_clients *clients, uint64_t now_ns)
{
    struct list turn;
    struct list *node;
    list_init(&turn);
    list_append(&turn, &clients->dirty); /* a client that gets dirty meanwhile has its turn next time */
    while ((node = list_take(&turn))) tcp_client_turn(container_of(node, struct tcp_client, dirty));
    bool crowded = connections_count(clients->connections) > clients->options.crowded_above;
    clients->idle.duration_ns = clients->options.idle_timeout_ns / (crowded ? CROWDED_DIVISOR : 1);
    if (!clients->holding) { /* else nobody reads what they send */
        expire_input(&clients->first, LABEL_CLOSED_IDLE, now_ns);
        expire_input(&clients->read, LABEL_CLOSED_READ, now_ns);
        expire_input(&clients->idle, LABEL_CLOSED_IDLE, now_ns);
    }
    expire_output(clients, now_ns);
    tcp_move_give_up(clients, now_ns);
    report_rates(clients, now_ns);
}

uint64_t tcp_clients_deadline_ns(const struct tcp_clients *clients)
{
    if (!list_is_empty(&clients->dirty)) return 0;
    uint64_t rates_ns = timeouts_deadline_ns(&clients->rates);
    uint64_t others_ns = clock_earlier(rates_ns, timeouts_deadline_ns(&clients->write));
    others_ns = clock_earlier(others_ns, timeouts_deadline_ns(&clients->leaving));
    if (clients->holding) return others_ns;
    uint64_t input_ns = clock_earlier(timeouts_deadline_ns(&clients->first), timeouts_deadline_ns(&clients->read));
    return clock_earlier(clock_earlier(others_ns, input_ns), timeouts_deadline_ns(&clients->idle));
}

/* Closes up to `max` clients whose time of that kind has run longest, and not less than `least_ns`;
 * returns how many. */
static unsigned shed(struct tcp_clients *clients, struct timeouts *timeouts, uint64_t least_ns, unsigned max)
{
    unsigned closed = 0;
    struct list *node;
    while (closed < max && (node = list_first(&timeouts->members))) {
        struct timeout *timeout = container_of(node, struct timeout, node);
        if (clients->loop->now_ns < timeout->started_ns + least_ns) break;
        bool is_output = timeouts == &clients->write;
        struct tcp_client *client = is_output ? container_of(timeout, struct tcp_client, output)
                                              : container_of(timeout, struct tcp_client, input);
        tcp_client_close(client, LABEL_CLOSED_PRESSURE);
        closed++;
    }
    return closed;
}

void tcp_clients_shed(struct tcp_clients *clients)
{
    unsigned left = 1 + clients->slots.taken / SHED_SHARE;
    left -= shed(clients, &clients->first, 0, left);
    left -= shed(clients, &clients->read, MESSAGE_NS, left);
    left -= shed(clients, &clients->idle, 0, left);
    left -= shed(clients, &clients->read, 0, left);
    shed(clients, &clients->write, 0, left);
}

void tcp_clients_drain(struct tcp_clients *clients)
{
    clients->draining = true;
    list_for_each (node, &clients->all) tcp_client_mark_dirty(container_of(node, struct tcp_client, all));
}
