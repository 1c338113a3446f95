/* Which of an address's sockets the kernel gives questions to, while some workers are active, and all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/udp.h"
#include "clients/udp_listener.h"

enum { WORKERS = 4, CLIENTS = 64 };

static struct log silent;

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, 0, &address));
    return address;
}

/* One address with a socket for each worker, on a port that the kernel chose. */
static struct udp_listeners open_listeners(const char *text, struct address *ret_address)
{
    char error[LISTENER_ERROR_BYTES];
    struct udp_listeners listeners;
    struct sockaddr_storage storage;
    struct address any = address_of(text);
    int fd = socket(address_is_ipv4(&any) ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
    any.port = 0;
    socklen_t size = address_to_socket(&any, &storage);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &size), 0);
    close(fd);
    *ret_address = address_from_socket(&storage);
    assert_true(udp_listeners_open(&listeners, NULL, ret_address, 1, WORKERS, 65536, &silent, error));
    return listeners;
}

static void send_bytes(const struct address *to, const void *bytes, size_t count)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(to, &storage);
    int fd = socket(storage.ss_family, SOCK_DGRAM, 0);
    assert_int_equal(sendto(fd, bytes, count, 0, (struct sockaddr *)&storage, size), count);
    close(fd);
}

/* A datagram from each of CLIENTS ports, with ids 0 to CLIENTS-1; how many came to each socket, and whether each came
 * to the one of its id. */
static bool spread(const struct udp_listeners *listeners, const struct address *to, unsigned active,
                   unsigned ret_counts[static WORKERS])
{
    uint8_t id[2];
    bool by_id = true;
    for (unsigned i = 0; i < CLIENTS; i++) send_bytes(to, (uint8_t[]){0, (uint8_t)i}, 2);
    for (unsigned i = 0; i < WORKERS; i++) {
        ret_counts[i] = 0;
        while (recv(listeners->of_worker[i].fds[0], id, sizeof id, MSG_DONTWAIT) == 2) {
            ret_counts[i]++;
            by_id &= id[1] % active == i;
        }
    }
    return by_id;
}

static void active_workers_get_the_questions(const char *text)
{
    struct address address;
    struct udp_listeners listeners = open_listeners(text, &address);
    const struct udp_listeners none = {.workers = WORKERS};
    unsigned counts[WORKERS];
    for (unsigned active = 1; active < WORKERS; active++) {
        udp_listener_steer(listeners.of_worker[0].fds[0], active, WORKERS);
        assert_true(spread(&listeners, &address, active, counts));
        for (unsigned i = 0; i < WORKERS; i++)
            assert_in_range(counts[i], i < active ? CLIENTS / active : 0, i < active ? CLIENTS / active + 1 : 0);
    }
    udp_listeners_close_but(&listeners, &none);
}

static void active_workers_get_the_questions_of_either_family(void **state)
{
    (void)state;
    active_workers_get_the_questions("127.0.0.1:1");
    active_workers_get_the_questions("[::1]:1");
}

static void all_workers_get_the_clients(void **state)
{
    (void)state;
    struct address address;
    struct udp_listeners listeners = open_listeners("127.0.0.1:1", &address);
    const struct udp_listeners none = {.workers = WORKERS};
    unsigned counts[WORKERS];
    udp_listener_steer(listeners.of_worker[0].fds[0], 1, WORKERS);
    udp_listener_steer(listeners.of_worker[0].fds[0], WORKERS, WORKERS);
    udp_listener_steer(listeners.of_worker[0].fds[0], WORKERS, WORKERS); /* and there is nothing to undo */
    assert_false(spread(&listeners, &address, WORKERS, counts));
    assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3], CLIENTS);
    assert_true(counts[0] < CLIENTS);
    udp_listeners_close_but(&listeners, &none);
}

static void what_is_shorter_than_an_id_comes_to_the_first(void **state)
{
    (void)state;
    uint8_t byte;
    struct address address;
    struct udp_listeners listeners = open_listeners("127.0.0.1:1", &address);
    const struct udp_listeners none = {.workers = WORKERS};
    udp_listener_steer(listeners.of_worker[0].fds[0], 2, WORKERS);
    send_bytes(&address, "", 0);
    send_bytes(&address, "x", 1);
    assert_int_equal(recv(listeners.of_worker[0].fds[0], &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(recv(listeners.of_worker[0].fds[0], &byte, 1, MSG_DONTWAIT), 1);
    udp_listeners_close_but(&listeners, &none);
}

/* As after a restart with fewer workers: those that are kept were bound first, the others are closed later. */
static void sockets_that_are_closed_do_not_change_which_are_first(void **state)
{
    (void)state;
    struct address address;
    struct udp_listeners listeners = open_listeners("127.0.0.1:1", &address);
    const struct udp_listeners none = {.workers = 2};
    unsigned counts[WORKERS];
    udp_listener_steer(listeners.of_worker[0].fds[0], 1, 2);
    close(listeners.of_worker[2].fds[0]);
    close(listeners.of_worker[3].fds[0]);
    listeners.of_worker[2].fds[0] = listeners.of_worker[3].fds[0] = -1;
    assert_true(spread(&listeners, &address, 1, counts));
    assert_int_equal(counts[0], CLIENTS);
    listeners.workers = 2;
    udp_listeners_close_but(&listeners, &none);
}

/* By the first worker of a process: not while its sockets are held, nor while one of any worker is leaving. */
static void the_first_worker_follows_what_is_active_held_and_leaving(void **state)
{
    (void)state;
    struct address address;
    struct udp_listeners listeners = open_listeners("127.0.0.1:1", &address), none = {.workers = WORKERS};
    struct loop loop;
    atomic_uint leaving = 0;
    unsigned counts[WORKERS];
    static struct udp udp;
    assert_true(loop_init(&loop));
    const struct udp_deps deps = {.loop = &loop, .leaving = &leaving};
    assert_true(udp_init(&udp, &(struct udp_options){.max_size = 1232, .max_pending = 1}, &deps));
    udp_set_part(&udp, &(struct udp_part){.index = 0, .active = 1, .workers = WORKERS});
    udp_set_sockets(&udp, &listeners.of_worker[0]);
    assert_true(spread(&listeners, &address, 1, counts));
    udp_set_held(&udp, true);
    assert_false(spread(&listeners, &address, 1, counts));
    udp_set_held(&udp, false);
    assert_true(spread(&listeners, &address, 1, counts));
    atomic_store(&leaving, 1);
    udp_set_part(&udp, &(struct udp_part){.index = 0, .active = 2, .workers = WORKERS});
    assert_false(spread(&listeners, &address, 2, counts));
    udp_tick(&udp);
    assert_false(spread(&listeners, &address, 2, counts));
    atomic_store(&leaving, 0);
    udp_tick(&udp);
    assert_true(spread(&listeners, &address, 2, counts));
    udp_done(&udp);
    listeners.of_worker[0].count = 0; /* they were its own */
    udp_listeners_close_but(&listeners, &none);
    loop_done(&loop);
}

static int setup(void **state)
{
    (void)state;
    log_init(&silent, &(struct log_options){LOG_LEVEL_ERROR, LOG_FORMAT_TEXT}, STDERR_FILENO);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_workers_get_the_questions_of_either_family),
        cmocka_unit_test(all_workers_get_the_clients),
        cmocka_unit_test(what_is_shorter_than_an_id_comes_to_the_first),
        cmocka_unit_test(sockets_that_are_closed_do_not_change_which_are_first),
        cmocka_unit_test(the_first_worker_follows_what_is_active_held_and_leaving),
    };
    return cmocka_run_group_tests_name("udp_listener", tests, setup, NULL);
}
