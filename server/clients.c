#include "clients.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "common/clock.h"
#include "dns/frame.h"

enum {
    PLACES_MAX = 1 << 20, /* the largest max_connections; the table of connections holds the real bound */
    CROWDED_DIVISOR = 4,  /* of the idle time-out, near the limit of connections */
    SHED_SHARE = 16,      /* one in so many clients is closed at once to make room, and one at least */
};

/* ---- replies ---- */

static struct client *find(struct transport *transport, struct slot_handle handle)
{
    struct clients *clients = container_of(transport, struct clients, transport);
    struct client_place *place = slots_find(&clients->places, handle);
    return place ? place->client : NULL;
}

/* Where a reply to the client is written: to the outbox while its own messages are being handled, else to its buffer.
 */
static struct buffer *reply_buffer(struct client *client)
{
    struct clients *clients = client->clients;
    if (client == clients->current) return &clients->outbox;
    if (!client->unsent) client->unsent = buffers_borrow(clients->buffers);
    return client->unsent;
}

/* More replies are made for a client only while it takes them: what waits stays below max_unsent and one reply. */
static bool has_room(struct client *client)
{
    uint32_t max = client->clients->options.max_unsent_bytes;
    if (client->aborted) return false;
    if (!client->unsent || buffer_size(client->unsent) <= max) return true;
    client_flush(client);
    if (!client->unsent || buffer_size(client->unsent) <= max) return true;
    client_fail(client, LABEL_CLOSED_SLOW);
    client_mark_dirty(client);
    return false;
}

static uint8_t *begin_reply(struct transport *transport, struct slot_handle handle, size_t capacity)
{
    struct client *client = find(transport, handle);
    if (!client || (client != client->clients->current && !has_room(client))) return NULL;
    struct buffer *buffer = reply_buffer(client);
    uint8_t *room = buffer ? buffer_room(buffer, FRAME_LENGTH_BYTES + capacity) : NULL;
    return room ? room + FRAME_LENGTH_BYTES : NULL;
}

static void end_reply(struct transport *transport, struct slot_handle handle, size_t size)
{
    struct client *client = find(transport, handle);
    if (!client) return;
    client->in_flight--;
    if (client != client->clients->current) client_mark_dirty(client);
    if (size == 0) return;
    struct buffer *buffer = reply_buffer(client);
    frame_put_length(buffer->bytes + buffer->end, size);
    buffer_use_room(buffer, FRAME_LENGTH_BYTES + size);
    if (client == client->clients->current) client->clients->made += FRAME_LENGTH_BYTES + size;
}

static void abort_client(struct transport *transport, struct slot_handle handle)
{
    struct client *client = find(transport, handle);
    if (!client) return;
    client_fail(client, LABEL_CLOSED_PROTOCOL);
    client_mark_dirty(client);
}

/* ---- life ---- */

bool clients_init(struct clients *clients, const struct client_options *options, const struct clients_place *place)
{
    *clients = (struct clients){
        .transport = {.begin_reply = begin_reply, .end_reply = end_reply, .abort = abort_client},
        .loop = place->loop,
        .buffers = place->buffers,
        .counters = place->counters,
        .connections = place->connections,
        .busiest = place->busiest,
        .load = place->load,
        .scratch = place->scratch,
    };
    list_init(&clients->all);
    list_init(&clients->dirty);
    timeouts_init(&clients->first, 0);
    timeouts_init(&clients->read, 0);
    timeouts_init(&clients->idle, 0);
    timeouts_init(&clients->write, 0);
    timeouts_init(&clients->rates, RATE_NS);
    clients_set_options(clients, options);
    return slots_init(&clients->places, sizeof(struct client_place), PLACES_MAX);
}

void clients_set_options(struct clients *clients, const struct client_options *options)
{
    uint64_t keepalive = options->idle_timeout_ns / (100 * NS_PER_MS);
    clients->options = *options;
    clients->first.duration_ns = options->first_timeout_ns;
    clients->read.duration_ns = options->read_timeout_ns;
    clients->write.duration_ns = options->read_timeout_ns;
    clients->idle.duration_ns = options->idle_timeout_ns;
    clients->transport.keepalive_100ms = keepalive > UINT16_MAX ? UINT16_MAX : (uint16_t)keepalive;
}

void clients_set_access(struct clients *clients, struct access_list *access)
{
    struct access_list *former = clients->access;
    clients->access = access_share(access);
    access_free(former);
    list_for_each (node, &clients->all) client_judge(container_of(node, struct client, all));
}

void clients_done(struct clients *clients)
{
    struct list *node;
    if (!clients->places.chunks) return;
    while ((node = list_first(&clients->all))) client_close(container_of(node, struct client, all), LABEL_CLOSED_DRAIN);
    slots_done(&clients->places);
    access_free(clients->access);
    free(clients->outbox.bytes);
    clients->outbox = (struct buffer){0};
}

static void expire_input(struct timeouts *timeouts, unsigned cause, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(timeouts, now_ns)))
        client_close(container_of(timeout, struct client, input), cause);
}

static void expire_output(struct clients *clients, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&clients->write, now_ns)))
        client_close(container_of(timeout, struct client, output), LABEL_CLOSED_SLOW);
}

static void report_rates(struct clients *clients, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&clients->rates, now_ns)))
        client_report_rate(container_of(timeout, struct client, rate), now_ns);
}

void clients_tick(struct clients *clients, uint64_t now_ns)
{
    struct list turn;
    struct list *node;
    list_init(&turn);
    list_append(&turn, &clients->dirty); /* who gets dirty meanwhile has its turn next time */
    while ((node = list_take(&turn))) client_turn(container_of(node, struct client, dirty));
    bool crowded = connections_count(clients->connections) > clients->options.crowded_above;
    clients->idle.duration_ns = clients->options.idle_timeout_ns / (crowded ? CROWDED_DIVISOR : 1);
    expire_input(&clients->first, LABEL_CLOSED_IDLE, now_ns);
    expire_input(&clients->read, LABEL_CLOSED_READ, now_ns);
    expire_input(&clients->idle, LABEL_CLOSED_IDLE, now_ns);
    expire_output(clients, now_ns);
    report_rates(clients, now_ns);
}

uint64_t clients_deadline_ns(const struct clients *clients)
{
    if (!list_is_empty(&clients->dirty)) return 0;
    uint64_t rates_ns = timeouts_deadline_ns(&clients->rates);
    uint64_t input_ns = clock_earlier(timeouts_deadline_ns(&clients->first), timeouts_deadline_ns(&clients->read));
    return clock_earlier(clock_earlier(rates_ns, input_ns),
                         clock_earlier(timeouts_deadline_ns(&clients->idle), timeouts_deadline_ns(&clients->write)));
}

/* Closes up to `max` of those whose time of that kind has run longest; returns how many that were. */
static unsigned shed(struct clients *clients, struct timeouts *timeouts, unsigned max)
{
    unsigned closed = 0;
    struct list *node;
    while (closed < max && (node = list_first(&timeouts->members))) {
        struct timeout *timeout = container_of(node, struct timeout, node);
        bool is_output = timeouts == &clients->write;
        struct client *client =
            is_output ? container_of(timeout, struct client, output) : container_of(timeout, struct client, input);
        client_close(client, LABEL_CLOSED_PRESSURE);
        closed++;
    }
    return closed;
}

void clients_shed(struct clients *clients)
{
    unsigned left = 1 + clients->places.taken / SHED_SHARE;
    left -= shed(clients, &clients->first, left);
    left -= shed(clients, &clients->idle, left);
    shed(clients, &clients->write, left);
}

void clients_drain(struct clients *clients)
{
    clients->draining = true;
    list_for_each (node, &clients->all) client_mark_dirty(container_of(node, struct client, all));
}
