/* The acceptor over real sockets of loopback: who is let in, who is reset, and who waits for room. */
#include "tcp_story.h"

#include "clients/acceptor.h"

static struct {
    struct log log;
    struct listeners listeners;
    struct acceptor *acceptor;
    struct heartbeat heartbeat;
    atomic_uint sheds;
    struct active_workers active;
} world;

static void on_shed(struct worker *worker)
{
    (void)worker;
    atomic_fetch_add(&world.sheds, 1);
}

static struct access_list *access_of(const char *prefix)
{
    struct prefix allowed;
    assert_true(prefix_parse(prefix, &allowed));
    struct access_list *access = access_new(&allowed, 1);
    assert_non_null(access);
    return access;
}

/* Listens on any port of 127.0.0.1, and on nothing else. */
static void open_listener(void)
{
    struct sockaddr_storage storage;
    struct address address;
    assert_true(address_parse("127.0.0.1:1", 0, &address));
    address.port = 0;
    socklen_t size = address_to_socket(&address, &storage);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &size), 0);
    world.listeners = (struct listeners){.fds = {fd}, .addresses = {address_from_socket(&storage)}, .count = 1};
}

static int begin_accepting(void **state)
{
    begin(state);
    memset(&world, 0, sizeof world);
    log_init(&world.log, &(struct log_options){LOG_LEVEL_ERROR, LOG_FORMAT_TEXT}, STDERR_FILENO);
    open_listener();
    active_workers_init(&world.active, 1, 1, 0);
    const struct acceptor_deps deps = {
        .log = &world.log,
        .connections = story.connections,
        .targets = {{&story.clients, &story.load, on_shed, NULL}},
        .target_count = 1,
        .active = &world.active,
        .heartbeat = &world.heartbeat,
    };
    struct access_list *access = access_of("127.0.0.1/32");
    world.acceptor = acceptor_new(&deps, &world.listeners, access);
    access_free(access);
    assert_non_null(world.acceptor);
    assert_true(acceptor_start(world.acceptor));
    return 0;
}

static int end_accepting(void **state)
{
    acceptor_stop(world.acceptor, false);
    acceptor_join(world.acceptor);
    acceptor_free(world.acceptor);
    active_workers_done(&world.active);
    turn();
    return end(state);
}

static int connect_from(const char *ip)
{
    struct sockaddr_storage storage;
    struct address address;
    assert_true(address_parse(ip, 1, &address));
    address.port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = address_to_socket(&address, &storage);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, size), 0);
    size = address_to_socket(&world.listeners.addresses[0], &storage);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, size), 0);
    return fd;
}

/* Turns the worker until it has so many clients; a test that waits in vain is ended by its time limit. */
static void wait_for_clients(uint32_t count)
{
    while (story.clients.slots.taken != count) {
        loop_turn(&story.loop, clock_now_ns() + 10 * NS_PER_MS);
        tcp_clients_tick(&story.clients, story.loop.now_ns);
    }
}

/* Waits for the end of a connection; true where it was reset. */
static bool is_reset(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    assert_true(got <= 0);
    return got < 0 && errno == ECONNRESET;
}

static void a_client_that_may_ask_is_handed_to_a_worker(void **state)
{
    (void)state;
    int fd = connect_from("127.0.0.1");
    wait_for_clients(1);
    assert_int_equal(connections_count(story.connections), 1);
    assert_int_equal(story.load, 1);
    close(fd);
    wait_for_clients(0);
    assert_int_equal(connections_count(story.connections), 0);
}

static void a_stranger_is_reset_and_is_no_connection(void **state)
{
    (void)state;
    int fd = connect_from("127.0.0.2");
    assert_true(is_reset(fd));
    close(fd);
    assert_int_equal(connections_count(story.connections), 0);
    assert_int_equal(value_client_rejected(acceptor_counters(world.acceptor), LABEL_REJECTED_ACCESS), 1);
    assert_int_equal(value_access_denied(acceptor_counters(world.acceptor)), 1);
}

static void another_list_counts_from_the_reload_on(void **state)
{
    (void)state;
    struct access_list *access = access_of("127.0.0.2/32");
    assert_true(acceptor_reload(world.acceptor, &world.listeners, access));
    tcp_clients_set_access(&story.clients, access);
    access_free(access);
    int fd = -1;
    do { /* the acceptor reads its mail when it is woken */
        if (fd >= 0) close(fd);
        fd = connect_from("127.0.0.1");
    } while (!is_reset(fd));
    int welcome = connect_from("127.0.0.2");
    wait_for_clients(1);
    close(fd);
    close(welcome);
    wait_for_clients(0);
}

/* At the bound one connection waits, and the worker is asked to close some; a stranger is not let wait for it. */
static void one_waits_for_room_and_strangers_do_not_make_others_leave(void **state)
{
    (void)state;
    struct connections_options options = {
        .max_connections = 1, .max_per_address = 64, .ipv4_prefix = 32, .ipv6_prefix = 64};
    connections_set_options(story.connections, &options);
    int first = connect_from("127.0.0.1");
    wait_for_clients(1);
    int stranger = connect_from("127.0.0.2");
    assert_true(is_reset(stranger));
    assert_int_equal(world.sheds, 0);
    int second = connect_from("127.0.0.1");
    while (world.sheds == 0) turn();
    assert_int_equal(connections_count(story.connections), 1);
    close(first);
    wait_for_clients(0); /* the first is gone, */
    wait_for_clients(1); /* and the second comes */
    close(second);
    close(stranger);
    wait_for_clients(0);
}

static void an_address_over_its_limit_is_reset_also_where_all_is_full(void **state)
{
    (void)state;
    struct connections_options options = {
        .max_connections = 1, .max_per_address = 1, .ipv4_prefix = 32, .ipv6_prefix = 64};
    connections_set_options(story.connections, &options);
    int first = connect_from("127.0.0.1");
    wait_for_clients(1);
    int second = connect_from("127.0.0.1");
    assert_true(is_reset(second));
    assert_int_equal(world.sheds, 0);
    assert_int_equal(value_client_rejected(acceptor_counters(world.acceptor), LABEL_REJECTED_ADDRESS), 1);
    close(first);
    close(second);
    wait_for_clients(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_accepting, end_accepting)
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_may_ask_is_handed_to_a_worker),
        TEST(a_stranger_is_reset_and_is_no_connection),
        TEST(another_list_counts_from_the_reload_on),
        TEST(one_waits_for_room_and_strangers_do_not_make_others_leave),
        TEST(an_address_over_its_limit_is_reset_also_where_all_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
