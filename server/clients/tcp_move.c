#include "clients/tcp_move.h"

#include "clients/tcp_entry.h"
#include "clients/worker_demand.h"
#include "common/check.h"

enum { THOUSANDTHS = 1000 };

void tcp_move_set(struct tcp_clients *clients, struct tcp_clients *to, uint64_t queries, bool all)
{
    CHECK(to != clients);
    clients->moves.to = clients->moves_stopped ? to : NULL;
    clients->moves.queries = queries;
    clients->moves.all = all;
}

static bool is_idle(const struct tcp_client *client)
{
    return client->in_flight == 0 && !client->partial && !client->unsent && client->discard == 0 && !client->held_back;
}

/* Queries of the client in a window, in thousandths, by those of the second in which it asks. */
static uint64_t weight_of(const struct tcp_client *client)
{
    uint64_t time_ns = client->clients->loop->now_ns - client->rate.started_ns;
    if (client->asked == 0) return 1;
    if (time_ns < DEMAND_WINDOW_NS) time_ns = DEMAND_WINDOW_NS;
    return client->asked * THOUSANDTHS * DEMAND_WINDOW_NS / time_ns + 1;
}

/* What it owned of this worker it owns no more; the rate goes with it. */
static void detach(struct tcp_client *client)
{
    struct tcp_clients *from = client->clients;
    CHECK(is_idle(client) && from->batching != client && !timeout_is_running(&client->output));
    loop_remove(from->loop, &client->source);
    list_remove(&client->all);
    list_remove(&client->dirty);
    timeout_stop(&client->input);
    timeout_stop(&client->rate);
    slots_give(&from->slots, client->slot);
    client->slot = NULL;
    client->readable = client->ending = client->leaving = false; /* the other loop says so again */
    client->moved = true;
}

/* The other worker's `load` is counted up before the flag is read for good: where that worker is about to end, either
 * it sees the client coming, or the flag is seen here. False: no client moves any more. */
static bool hand_over(struct tcp_client *client, struct tcp_clients *to)
{
    struct tcp_clients *from = client->clients;
    if (atomic_load(from->moves_stopped)) return false; /* `to` may be freed already */
    atomic_fetch_add(to->load, 1);
    if (atomic_load(from->moves_stopped)) {
        atomic_fetch_sub(to->load, 1);
        return false;
    }
    detach(client);
    atomic_fetch_sub_explicit(from->load, 1, memory_order_relaxed);
    set_gauge(from->counters, client_connections, from->slots.taken);
    count_event(from->counters, client_moved);
    if (!tcp_entry_enter(client, to)) count_event_by(from->counters, client_closed, LABEL_CLOSED_ERROR);
    return true;
}

/* A client whose weight is more than what is left of `queries` would only make the other worker the busy one. */
static bool is_wanted(const struct tcp_clients *clients, uint64_t weight)
{
    return clients->moves.all || weight <= clients->moves.queries + clients->moves.queries / 2;
}

static void stop_leaving(struct tcp_client *client)
{
    client->leaving = false;
    timeout_stop(&client->input);
}

/* It is not read from until it is idle. Not at an inactive worker: there it costs little. */
static bool begin_leaving(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    bool is_inside = client->partial || client->discard > 0 || client->held_back;
    if (clients->moves.all || is_inside || client->stays > 0) return false;
    client->leaving = true;
    clients->moves.later = clients->moves.to;
    timeouts_start(&clients->leaving, &client->input, clients->loop->now_ns);
    return true;
}

bool tcp_move_take(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    const struct tcp_moves *moves = &clients->moves;
    bool may_go = client->slot && !client->ended && !client->aborted && !clients->draining;
    if (client->leaving) {
        if (may_go && !is_idle(client)) return false;
        if (may_go && hand_over(client, moves->later)) return true;
        stop_leaving(client);
        return false;
    }
    if (!moves->to || !may_go) return false;
    uint64_t weight = weight_of(client);
    bool goes_now = is_idle(client);
    if (!is_wanted(clients, weight)) return false;
    if (goes_now ? !hand_over(client, moves->to) : !begin_leaving(client)) return false;
    clients->moves.queries -= weight < moves->queries ? weight : moves->queries;
    return goes_now;
}

void tcp_move_give_up(struct tcp_clients *clients, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&clients->leaving, now_ns))) {
        struct tcp_client *client = container_of(timeout, struct tcp_client, input);
        client->leaving = false;
        client->stays = TCP_STAYS_S;
        tcp_client_mark_dirty(client);
    }
}
