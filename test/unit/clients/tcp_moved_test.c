/* What goes to another worker with a client: nothing of it is lost, counted twice or left behind. */
#include "tcp_move_story.h"

static void the_second_in_which_it_asks_goes_with_it(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    struct busiest_client busiest[BUSIEST_KEPT];
    attempt(peer, 30);
    turn();
    uint64_t began_ns = story.loop.now_ns;
    give_all();
    attempt(peer, 12);
    turn();
    turn_other();
    assert_places(0, 1);
    assert_int_equal(busiest_list(story.busiest, other.loop.now_ns, busiest, BUSIEST_KEPT), 0);
    assert_true(tcp_clients_deadline_ns(&other.clients) <= began_ns + RATE_NS);
    tcp_clients_tick(&other.clients, began_ns + RATE_NS);
    assert_int_equal(busiest_list(story.busiest, began_ns + RATE_NS, busiest, BUSIEST_KEPT), 1);
    assert_int_equal((int)(busiest[0].queries_per_s + 0.5), 42);
}

static void its_idle_time_begins_when_it_was_answered(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    give_all();
    attempt(peer, 1);
    turn();
    turn_other();
    uint64_t ends_ns = other.loop.now_ns + story_options.idle_timeout_ns;
    tcp_clients_tick(&other.clients, ends_ns - NS_PER_S);
    assert_places(0, 1);
    tcp_clients_tick(&other.clients, ends_ns);
    assert_places(0, 0);
    assert_int_equal(value_client_closed(other.counters, LABEL_CLOSED_IDLE), 1);
}

static void a_connection_is_counted_by_the_prefix_of_the_newest_reload(void **state)
{
    (void)state;
    static const struct connections_options wider = {
        .max_connections = 64, .max_per_address = 64, .ipv4_prefix = 24, .ipv6_prefix = 64};
    struct peer *peer = connect_peer(0, 0);
    connections_set_options(story.connections, &wider);
    tcp_clients_set_options(&other.clients, &story_options); /* the reload has come to the other one only */
    give_all();
    attempt(peer, 1);
    turn();
    turn_other();
    tcp_clients_set_options(&story.clients, &story_options);
    assert_places(0, 1);
    const struct tcp_client *client = container_of(list_first(&other.clients.all), struct tcp_client, all);
    assert_int_equal(client->counted_bits, 96 + 24);
}

static void the_others_access_list_counts(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    struct prefix allowed;
    assert_true(prefix_parse("203.0.113.0/24", &allowed));
    struct access_list *access = access_new(&allowed, 1);
    tcp_clients_set_access(&other.clients, access);
    access_free(access);
    give_all();
    attempt(peer, 1);
    turn();
    turn_other();
    turn_other();
    assert_false(is_open(peer));
    assert_places(0, 0);
    assert_int_equal(story.handled, 0);
}

/* ---- where there is no room ---- */

static void a_kernel_that_refuses_closes_it(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    int epoll_fd = other.loop.epoll_fd;
    give_all();
    attempt(peer, 1);
    other.loop.epoll_fd = -1;
    turn();
    other.loop.epoll_fd = epoll_fd;
    assert_false(is_open(peer));
    assert_places(0, 0);
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_ERROR), 1);
}

static void a_full_table_of_the_other_closes_it(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    give_all();
    attempt(peer, 1);
    turn();
    other.clients.slots.max = 0;
    turn_other();
    assert_false(is_open(peer));
    assert_places(0, 0);
    assert_int_equal(value_client_closed(other.counters, LABEL_CLOSED_ERROR), 1);
    assert_int_equal(value_client_rejected(other.counters, LABEL_REJECTED_FULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_in_which_it_asks_goes_with_it),
        TEST(its_idle_time_begins_when_it_was_answered),
        TEST(a_connection_is_counted_by_the_prefix_of_the_newest_reload),
        TEST(the_others_access_list_counts),
        TEST(a_kernel_that_refuses_closes_it),
        TEST(a_full_table_of_the_other_closes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
