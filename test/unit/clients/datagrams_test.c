/* Datagrams over sockets on loopback. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/datagrams.h"
#include "common/clock.h"

static struct story {
    struct datagram_receiver *receiver;
    int server;
    int client;
    struct sockaddr_in at;
} story;

static int open_socket(struct sockaddr_in *ret_at)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    *ret_at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)ret_at, sizeof *ret_at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_at, &(socklen_t){sizeof *ret_at}), 0);
    return fd;
}

static int begin(void **state)
{
    (void)state;
    struct sockaddr_in client_at;
    story.receiver = datagram_receiver_new();
    story.server = open_socket(&story.at);
    story.client = open_socket(&client_at);
    setsockopt(story.server, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int));
    setsockopt(story.server, SOL_SOCKET, SO_RXQ_OVFL, &(int){1}, sizeof(int));
    assert_int_equal(connect(story.client, (struct sockaddr *)&story.at, sizeof story.at), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    datagram_receiver_free(story.receiver);
    close(story.server);
    close(story.client);
    return 0;
}

static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void send_bytes(size_t size, uint8_t first)
{
    static uint8_t bytes[65000];
    bytes[0] = first;
    assert_int_equal(send(story.client, bytes, size, 0), size);
}

static unsigned receive(void)
{
    return datagrams_receive(story.receiver, story.server, false, wall_ns() - NS_PER_S);
}

static void a_batch_has_64_and_the_rest_comes_next(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 100; i++) send_bytes(20, i);
    assert_int_equal(receive(), DATAGRAMS_MAX);
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) assert_int_equal(datagrams_at(story.receiver, i).bytes[0], i);
    assert_int_equal(receive(), 36);
    assert_int_equal(datagrams_at(story.receiver, 35).bytes[0], 99);
    assert_int_equal(receive(), 0);
}

static void one_that_is_too_long_is_cut(void **state)
{
    (void)state;
    send_bytes(0, 0);
    send_bytes(DATAGRAM_QUERY_MAX, 1);
    send_bytes(DATAGRAM_QUERY_MAX + 1, 2);
    send_bytes(65000, 3);
    assert_int_equal(receive(), 4);
    static const size_t sizes[] = {0, DATAGRAM_QUERY_MAX, DATAGRAM_QUERY_MAX, DATAGRAM_QUERY_MAX};
    for (unsigned i = 0; i < 4; i++) {
        const struct datagram datagram = datagrams_at(story.receiver, i);
        assert_int_equal(datagram.size, sizes[i]);
        assert_int_equal(datagram.is_cut, i >= 2);
    }
}

static void one_that_came_too_early_is_old(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 20; i++) send_bytes(20, i);
    assert_int_equal(datagrams_receive(story.receiver, story.server, false, wall_ns() + NS_PER_S), 20);
    for (unsigned i = 0; i < 20; i++) assert_true(datagrams_at(story.receiver, i).is_old);
    for (uint8_t i = 0; i < 20; i++) send_bytes(20, i); /* where the caller knows that none waited, none is old */
    assert_int_equal(datagrams_receive(story.receiver, story.server, false, 0), 20);
    for (unsigned i = 0; i < 20; i++) assert_false(datagrams_at(story.receiver, i).is_old);
    for (uint8_t i = 0; i < 20; i++) send_bytes(20, i);
    assert_int_equal(receive(), 20);
    for (unsigned i = 0; i < 20; i++) assert_false(datagrams_at(story.receiver, i).is_old);
    send_bytes(20, 0); /* the clock was set back */
    assert_int_equal(datagrams_receive(story.receiver, story.server, false, wall_ns() - 3600 * NS_PER_S), 1);
    assert_false(datagrams_at(story.receiver, 0).is_old);
}

/* How many of so many datagrams are old: all, or where the caller knows that none waited, none. */
static unsigned old_ones(unsigned count, uint64_t oldest_ns)
{
    unsigned old = 0;
    for (uint8_t i = 0; i < count; i++) send_bytes(20, i);
    assert_int_equal(datagrams_receive(story.receiver, story.server, false, oldest_ns), count);
    for (unsigned i = 0; i < count; i++) old += datagrams_at(story.receiver, i).is_old;
    return old;
}

static void ages_do_not_depend_on_the_batch_before(void **state)
{
    (void)state;
    const uint64_t later_ns = wall_ns() + 60 * NS_PER_S;
    static const unsigned counts[] = {3, 20, 0, 5, 1, DATAGRAMS_MAX, 2, 40};
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_int_equal(old_ones(counts[i], 0), 0);
        assert_int_equal(old_ones(7, later_ns), 7);
        assert_int_equal(old_ones(counts[i], later_ns), counts[i]);
        assert_int_equal(old_ones(2, 0), 0);
    }
}

static void pause_ms(unsigned ms)
{
    const struct timespec time = {.tv_nsec = (long)(ms * NS_PER_MS)};
    nanosleep(&time, NULL);
}

/* The kernel marks datagrams with their time a moment after it was first asked to. */
static void wait_for_times(void)
{
    bool is_old = false;
    for (int i = 0; i < 1000 && !is_old; i++) {
        send_bytes(20, 0);
        uint64_t now_ns = wall_ns();
        pause_ms(2);
        assert_int_equal(datagrams_receive(story.receiver, story.server, false, now_ns + NS_PER_MS), 1);
        is_old = datagrams_at(story.receiver, 0).is_old;
    }
    assert_true(is_old);
}

static void each_has_its_own_age(void **state)
{
    (void)state;
    uint64_t between_ns = 0;
    wait_for_times();
    for (uint8_t i = 0; i < 9; i++) {
        send_bytes(20, i);
        if (i != 4) continue;
        between_ns = wall_ns() + 10 * NS_PER_MS; /* a time between two of theirs */
        pause_ms(20);
    }
    assert_int_equal(datagrams_receive(story.receiver, story.server, false, between_ns), 9);
    for (unsigned i = 0; i < 9; i++) assert_int_equal(datagrams_at(story.receiver, i).is_old, i <= 4);
}

static void what_the_kernel_drops_is_said(void **state)
{
    (void)state;
    uint32_t drops = 0;
    setsockopt(story.server, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    for (int i = 0; i < 1000; i++) send_bytes(100, 0);
    unsigned received = 0;
    for (unsigned count; (count = receive()) > 0;) received += count;
    assert_true(received < 1000);
    send_bytes(100, 0);
    assert_int_equal(receive(), 1);
    assert_true(datagrams_dropped(story.receiver, &drops));
    assert_int_equal(received + drops, 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_has_64_and_the_rest_comes_next),
        TEST(one_that_is_too_long_is_cut),
        TEST(one_that_came_too_early_is_old),
        TEST(ages_do_not_depend_on_the_batch_before),
        TEST(each_has_its_own_age),
        TEST(what_the_kernel_drops_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
