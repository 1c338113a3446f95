#include "clients/tcp_handover.h"

#include <stdlib.h>
#include <string.h>

#include "clients/tcp_client.h"
#include "common/check.h"
#include "dns/message.h"

bool tcp_client_state_is_sound(const struct tcp_client_state *state)
{
    /* A message that is not whole is shorter than the longest; only whole ones that had to wait are more than that. */
    size_t most = state->held_back ? TCP_PARTIAL_MAX : FRAME_LENGTH_BYTES + DNS_MESSAGE_MAX - 1;
    if (state->end_cause >= LABEL_CLOSED_COUNT || state->discard > TCP_DISCARD_MAX) return false;
    if (state->rate_started_ns > 0 && state->asked == 0) return false; /* the second begins with a query */
    if (state->asked > TCP_ASKED_MAX) return false;
    if (state->partial_bytes > most || (state->held_back && state->partial_bytes == 0)) return false;
    return state->greeted || (state->partial_bytes == 0 && state->discard == 0 && state->unsent_bytes == 0);
}

/* ---- the former process ---- */

void tcp_handover_hold(struct tcp_clients *clients)
{
    clients->draining = true; /* so that nothing more is handled */
    clients->holding = true;
}

bool tcp_handover_is_quiet(const struct tcp_clients *clients)
{
    bool all_adopted = atomic_load_explicit(clients->load, memory_order_relaxed) == clients->slots.taken;
    return clients->holding && clients->in_flight == 0 && all_adopted;
}

static uint64_t started_ns(const struct timeout *timeout)
{
    return timeout_is_running(timeout) ? timeout->started_ns : 0;
}

static struct tcp_client_state describe(const struct tcp_client *client)
{
    return (struct tcp_client_state){
        .address = client->address,
        .greeted = client->greeted,
        .ended = client->ended,
        .held_back = client->held_back,
        .end_cause = client->end_cause,
        .discard = client->discard,
        .asked = client->asked,
        .input_started_ns = started_ns(&client->input),
        .output_started_ns = started_ns(&client->output),
        .rate_started_ns = started_ns(&client->rate),
        .partial = client->partial ? buffer_data(client->partial) : NULL,
        .partial_bytes = client->partial ? buffer_size(client->partial) : 0,
        .unsent = client->unsent ? buffer_data(client->unsent) : NULL,
        .unsent_bytes = client->unsent ? buffer_size(client->unsent) : 0,
    };
}

unsigned tcp_handover_give(const struct tcp_clients *clients,
                           bool (*on_client)(void *context, int fd, const struct tcp_client_state *state),
                           void *context)
{
    unsigned left = 0;
    list_for_each (node, &clients->all) {
        const struct tcp_client *client = container_of(node, struct tcp_client, all);
        const struct tcp_client_state state = describe(client);
        if (client->in_flight > 0 || client->aborted || !tcp_client_state_is_sound(&state)) {
            left++;
            continue;
        }
        if (!on_client(context, client->source.fd, &state)) break;
    }
    return left;
}

/* ---- the next process ---- */

/* False: memory is short. */
static bool refill(struct tcp_clients *clients, struct buffer **buffer, const uint8_t *bytes, size_t size)
{
    if (size == 0) return true;
    *buffer = buffers_borrow(clients->buffers);
    return *buffer && buffer_add(*buffer, bytes, size);
}

/* False: memory is short; the client is to be freed all the same. */
static bool fill(struct tcp_client *client, const struct tcp_client_state *state)
{
    struct tcp_clients *clients = client->clients;
    client->greeted = state->greeted;
    client->ended = state->ended;
    client->end_cause = state->end_cause;
    client->held_back = state->held_back;
    client->discard = state->discard;
    client->asked = state->asked;
    client->input.started_ns = state->input_started_ns;
    client->output.started_ns = state->output_started_ns;
    client->rate.started_ns = state->rate_started_ns;
    client->slot = slots_take(&clients->slots);
    return client->slot && refill(clients, &client->partial, state->partial, state->partial_bytes) &&
           refill(clients, &client->unsent, state->unsent, state->unsent_bytes);
}

enum tcp_take_verdict tcp_handover_take(struct tcp_clients *clients, int fd, const struct tcp_client_state *state,
                                        uint8_t counted_bits)
{
    CHECK(tcp_client_state_is_sound(state));
    uint64_t bytes = (uint64_t)state->partial_bytes + state->unsent_bytes;
    if (bytes > 0 && clients->buffers->memory_bytes + bytes > clients->options.max_buffered_bytes)
        return TCP_TAKE_LIMIT;
    struct tcp_client *client = tcp_client_new(clients, fd, &state->address, counted_bits);
    if (!client) return TCP_TAKE_MEMORY;
    if (!fill(client, state)) {
        if (client->slot) slots_give(&clients->slots, client->slot);
        buffers_give(clients->buffers, client->partial);
        buffers_give(clients->buffers, client->unsent);
        free(client);
        return TCP_TAKE_MEMORY;
    }
    client->slot->client = client;
    client->is_taken = true;
    list_push(&clients->all, &client->all);
    atomic_fetch_add_explicit(clients->load, 1, memory_order_relaxed);
    set_gauge(clients->counters, client_connections, clients->slots.taken);
    return TCP_TAKEN;
}

/* A time that is to go on. */
struct resumed {
    struct timeouts *timeouts;
    struct timeout *timeout;
    uint64_t started_ns;
};

static int compare_resumed(const void *a, const void *b)
{
    uint64_t first = ((const struct resumed *)a)->started_ns, second = ((const struct resumed *)b)->started_ns;
    return (first > second) - (first < second);
}

static void add_resumed(struct resumed *resumed, size_t *count, struct timeouts *timeouts, struct timeout *timeout)
{
    if (timeout->started_ns > 0) resumed[(*count)++] = (struct resumed){timeouts, timeout, timeout->started_ns};
}

/* Which of the times of its input runs follows from what it has sent, as in tcp_input_set_timeout. */
static struct timeouts *times_of_input(struct tcp_clients *clients, const struct tcp_client *client)
{
    bool inside = (client->partial || client->discard > 0) && !client->held_back;
    if (!client->greeted) return &clients->first;
    return inside ? &clients->read : &clients->idle;
}

bool tcp_handover_resume_times(struct tcp_clients *clients)
{
    enum { TIMES = 3 }; /* of a client */
    const uint64_t now_ns = clients->loop->now_ns;
    size_t count = 0;
    if (clients->slots.taken == 0) return true;
    struct resumed *resumed = calloc((size_t)clients->slots.taken * TIMES, sizeof *resumed);
    if (!resumed) return false;
    list_for_each (node, &clients->all) {
        struct tcp_client *client = container_of(node, struct tcp_client, all);
        add_resumed(resumed, &count, times_of_input(clients, client), &client->input);
        add_resumed(resumed, &count, &clients->write, &client->output);
        add_resumed(resumed, &count, &clients->rates, &client->rate);
    }
    qsort(resumed, count, sizeof *resumed, compare_resumed); /* each list is in order of age */
    for (size_t i = 0; i < count; i++)
        timeouts_start(resumed[i].timeouts, resumed[i].timeout, clock_earlier(resumed[i].started_ns, now_ns));
    free(resumed);
    return true;
}

void tcp_handover_begin(struct tcp_clients *clients)
{
    clients->holding = false;
    list_for_each_safe (node, &clients->all) {
        struct tcp_client *client = container_of(node, struct tcp_client, all);
        if (!client->is_taken) continue; /* the acceptor's, since the start */
        client->is_taken = false;
        if (!loop_add(clients->loop, &client->source, TCP_CLIENT_EVENTS)) {
            tcp_client_close(client, LABEL_CLOSED_ERROR);
            continue;
        }
        client->readable = true;
        tcp_client_check_access(client); /* the list may have changed */
        tcp_client_mark_dirty(client);
    }
    tcp_client_limit_memory(clients);
}
