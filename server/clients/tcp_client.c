#include "clients/tcp_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients/tcp_entry.h"
#include "clients/tcp_input.h"
#include "clients/tcp_move.h"
#include "clients/tcp_output.h"
#include "common/check.h"
#include "common/clock.h"

enum { DISCARD_BYTES = 64 * 1024 }; /* of input that nobody reads, at the close */

/* ---- how much it asks ---- */

void tcp_client_report_rate(struct tcp_client *client, uint64_t now_ns)
{
    uint64_t time_ns = now_ns - client->rate.started_ns;
    if (time_ns < RATE_NS) time_ns = RATE_NS; /* it goes before its second is over */
    double per_s = (double)client->asked * (double)NS_PER_S / (double)time_ns;
    busiest_report(client->clients->busiest, &client->address, per_s, now_ns);
    timeout_stop(&client->rate);
    client->asked = 0;
    if (client->stays > 0) client->stays--;
}

/* ---- coming and going ---- */

static void count_open(struct tcp_clients *clients)
{
    set_gauge(clients->counters, client_connections, clients->slots.taken);
}

void tcp_client_close(struct tcp_client *client, enum label_closed cause)
{
    struct tcp_clients *clients = client->clients;
    CHECK(clients->in_flight >= client->in_flight);
    clients->in_flight -= client->in_flight;
    if (timeout_is_running(&client->rate)) tcp_client_report_rate(client, clients->loop->now_ns);
    /* Input that nobody reads would make the kernel send a reset, before which replies could be lost. */
    if (tcp_input_is_cut_off(client)) recv(client->source.fd, NULL, DISCARD_BYTES, MSG_TRUNC);
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
    tcp_entry_free(client);
}

static bool no_room(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    loop_forget(clients->loop, &client->source);
    if (client->moved)
        count_event_by(clients->counters, client_closed, LABEL_CLOSED_ERROR);
    else
        count_event_by(clients->counters, client_rejected, LABEL_REJECTED_FULL);
    tcp_entry_free(client);
    return false;
}

/* The worker sees the client for the first time. False: there is no room for it, and it is gone. One that moved has
 * sent something, or was answered just now: so its idle time begins here. */
static bool adopt(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    client->slot = slots_take(&clients->slots);
    if (!client->slot) return no_room(client);
    client->slot->client = client;
    list_push(&clients->all, &client->all);
    timeouts_start(client->greeted ? &clients->idle : &clients->first, &client->input, clients->loop->now_ns);
    if (client->asked > 0) timeouts_resume(&clients->rates, &client->rate);
    if (client->moved) /* a reload may have come to the other worker later than here */
        connections_recount(clients->connections, &client->address, &client->counted_bits);
    else
        count_event(clients->counters, client_accepted);
    count_open(clients);
    tcp_client_check_access(client); /* the list may have changed since it was accepted */
    return true;
}

void tcp_client_check_access(struct tcp_client *client)
{
    if (access_is_allowed(client->clients->access, &client->address)) return;
    if (!client->ended || client->end_cause != LABEL_CLOSED_ACCESS)
        count_event(client->clients->counters, access_denied);
    tcp_input_end(client, LABEL_CLOSED_ACCESS);
    tcp_client_mark_dirty(client);
}

void tcp_client_break(struct tcp_client *client)
{
    tcp_input_end(client, LABEL_CLOSED_PROTOCOL);
    tcp_client_mark_dirty(client);
}

/* ---- what becomes of a client ---- */

/* Closes it if nothing more is to come of it; true if it was. */
static bool close_if_over(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    bool quiet = client->in_flight == 0 && !client->unsent;
    enum label_closed cause;
    if (client->aborted)
        cause = client->abort_cause;
    else if (quiet && client->ended && !client->held_back)
        cause = client->end_cause;
    else if (quiet && clients->draining && !clients->holding)
        cause = LABEL_CLOSED_DRAIN;
    else
        return false;
    tcp_client_close(client, cause);
    return true;
}

static void settle(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    if (!close_if_over(client) && tcp_input_is_due(client)) tcp_client_mark_dirty(client);
    tcp_client_limit_memory(clients);
}

static size_t buffered_bytes(const struct tcp_client *client)
{
    return (client->partial ? client->partial->capacity : 0) + (client->unsent ? client->unsent->capacity : 0);
}

/* The most memory that one client takes; the one whose messages are being handled is passed over. */
static size_t largest_buffered_bytes(const struct tcp_clients *clients)
{
    size_t largest = 0;
    list_for_each (node, &clients->all) {
        const struct tcp_client *client = container_of(node, struct tcp_client, all);
        size_t bytes = buffered_bytes(client);
        if (client != clients->batching && bytes > largest) largest = bytes;
    }
    return largest;
}

void tcp_client_limit_memory(struct tcp_clients *clients)
{
    const size_t *memory = &clients->buffers->memory_bytes;
    size_t enough = clients->options.max_buffered_bytes / 8 * 7; /* so that this is not due again at once */
    if (*memory <= clients->options.max_buffered_bytes) return;
    buffers_trim(clients->buffers);
    if (*memory <= clients->options.max_buffered_bytes) return;
    for (size_t largest; *memory > enough && (largest = largest_buffered_bytes(clients)) > 0;) {
        list_for_each_safe (node, &clients->all) {
            struct tcp_client *client = container_of(node, struct tcp_client, all);
            if (*memory <= enough) break;
            if (client == clients->batching || buffered_bytes(client) < largest / 2 + 1) continue;
            tcp_client_close(client, client->unsent ? LABEL_CLOSED_SLOW : LABEL_CLOSED_PRESSURE);
            buffers_trim(clients->buffers);
        }
    }
}

/* It was to go to another worker, and is not there any more. */
static bool is_gone(struct tcp_client *client)
{
    return (client->leaving || tcp_input_is_due(client)) && tcp_move_take(client);
}

void tcp_client_turn(struct tcp_client *client)
{
    tcp_output_flush(client);
    if (is_gone(client)) return;
    if (tcp_input_is_due(client))
        tcp_input_take(client);
    else
        tcp_input_set_timeout(client, false);
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
    if (is_gone(client)) return;
    if (tcp_input_is_due(client)) tcp_input_take(client);
    settle(client);
}

struct tcp_client *tcp_client_new(struct tcp_clients *clients, int fd, const struct address *address,
                                  uint8_t counted_bits)
{
    struct tcp_client *client = calloc(1, sizeof *client);
    if (!client) return NULL;
    client->source = (struct loop_source){.fd = fd, .on_event = on_event};
    client->clients = clients;
    client->address = *address;
    client->counted_bits = counted_bits;
    list_init(&client->all);
    list_init(&client->dirty);
    timeout_init(&client->input);
    timeout_init(&client->output);
    timeout_init(&client->rate);
    return client;
}

bool tcp_client_start(struct tcp_clients *clients, int fd, const struct address *address, uint8_t counted_bits)
{
    struct tcp_client *client = tcp_client_new(clients, fd, address, counted_bits);
    if (client) return tcp_entry_enter(client, clients);
    tcp_entry_close(clients, fd, address, counted_bits);
    return false;
}
