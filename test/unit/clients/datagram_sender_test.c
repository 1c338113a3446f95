/* Replies over sockets on loopback. */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/datagram_sender.h"

enum { CLIENTS = 5, BYTES_MAX = 70000, APART_BATCHES = 1000 };

static struct story {
    struct datagram_sender *sender;
    int server;
    int clients[CLIENTS];
    struct datagram_path paths[CLIENTS]; /* to them */
} story;

static int open_socket(sa_family_t family, struct datagram_path *ret_at)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    *ret_at = (struct datagram_path){.remote.family = family};
    socklen_t size = sizeof ret_at->remote;
    if (family == AF_INET) {
        ret_at->remote.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof ret_at->remote.ipv4;
    } else {
        ret_at->remote.ipv6.sin6_addr = in6addr_loopback;
    }
    assert_int_equal(bind(fd, (struct sockaddr *)&ret_at->remote, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ret_at->remote, &size), 0);
    return fd;
}

static void open_all(sa_family_t family)
{
    struct datagram_path own;
    story.sender = datagram_sender_new();
    story.server = open_socket(family, &own);
    for (unsigned i = 0; i < CLIENTS; i++) story.clients[i] = open_socket(family, &story.paths[i]);
}

static int begin(void **state)
{
    (void)state;
    open_all(AF_INET);
    return 0;
}

static int begin_ipv6(void **state)
{
    (void)state;
    open_all(AF_INET6);
    return 0;
}

static int end(void **state)
{
    (void)state;
    datagram_sender_free(story.sender);
    close(story.server);
    for (unsigned i = 0; i < CLIENTS; i++) close(story.clients[i]);
    return 0;
}

/* A reply of that size, with the number at both ends; at least two bytes. */
static void add(unsigned client, size_t size, uint8_t number)
{
    uint8_t *room = datagram_sender_room(story.sender, DATAGRAM_REPLY_MAX);
    memset(room, 0, size);
    room[0] = room[size - 1] = number;
    datagram_sender_add(story.sender, &story.paths[client], size);
}

static void send_all(unsigned expected)
{
    const struct datagrams_sent sent = datagrams_send(story.sender, story.server);
    assert_int_equal(sent.sent, expected);
    assert_int_equal(sent.lost + sent.truncated, 0);
    assert_int_equal(datagram_sender_count(story.sender), 0);
}

static uint8_t bytes[BYTES_MAX];

/* The size of the next reply to the client, or -1; its number is in `bytes`. */
static ssize_t next_to(unsigned client)
{
    ssize_t size = recv(story.clients[client], bytes, sizeof bytes, 0);
    if (size > 0) assert_int_equal(bytes[0], bytes[size - 1]);
    return size;
}

/* From now on the client gets what was sent as one message undivided. */
static void show_messages(unsigned client)
{
    assert_int_equal(setsockopt(story.clients[client], SOL_UDP, UDP_GRO, &(int){1}, sizeof(int)), 0);
}

/* The size of the next message to the client, and of each reply in it; 0: there is one. */
static ssize_t next_message_to(unsigned client, int *ret_reply_bytes)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {bytes, sizeof bytes};
    struct msghdr header = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(story.clients[client], &header, 0);
    const struct cmsghdr *c = size < 0 ? NULL : CMSG_FIRSTHDR(&header);
    *ret_reply_bytes = 0;
    if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) memcpy(ret_reply_bytes, CMSG_DATA(c), sizeof(int));
    return size;
}

static void assert_message(unsigned client, ssize_t size, int reply_bytes)
{
    int found_bytes;
    assert_int_equal(next_message_to(client, &found_bytes), size);
    assert_int_equal(found_bytes, reply_bytes);
}

static void assert_no_message(unsigned client)
{
    assert_int_equal(next_to(client), -1);
}

/* ---- what arrives ---- */

static void replies_arrive_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) add(0, DATAGRAM_REPLY_MAX - i, (uint8_t)i);
    assert_int_equal(datagram_sender_count(story.sender), DATAGRAMS_MAX);
    send_all(DATAGRAMS_MAX);
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        assert_int_equal(next_to(0), DATAGRAM_REPLY_MAX - i);
        assert_int_equal(bytes[0], i);
    }
    assert_no_message(0);
}

/* Batches of any number of replies, of sizes that are often equal, to any client: each gets its own, once. */
static void each_client_gets_its_own_once(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned batch = 0; batch < 3000; batch++) {
        size_t sizes[DATAGRAMS_MAX];
        unsigned clients[DATAGRAMS_MAX];
        unsigned count = 1 + (unsigned)random() % DATAGRAMS_MAX;
        unsigned kinds = 1 + (unsigned)random() % 4;
        for (unsigned i = 0; i < count; i++) {
            sizes[i] = 12 + (size_t)random() % kinds * 97;
            clients[i] = (unsigned)random() % CLIENTS;
            add(clients[i], sizes[i], (uint8_t)i);
        }
        send_all(count);
        for (unsigned client = 0; client < CLIENTS; client++) {
            for (ssize_t size; (size = next_to(client)) >= 0;) {
                assert_true(bytes[0] < count);
                assert_int_equal(clients[bytes[0]], client);
                assert_int_equal(sizes[bytes[0]], size);
                sizes[bytes[0]] = 0; /* not a second time */
            }
        }
        for (unsigned i = 0; i < count; i++) assert_int_equal(sizes[i], 0);
    }
}

/* ---- in how many messages ---- */

static void replies_of_one_size_to_one_client_are_one_message(void **state)
{
    (void)state;
    show_messages(0);
    show_messages(1);
    for (unsigned i = 0; i < 10; i++) add(i % 2, 100, (uint8_t)i);
    send_all(10);
    assert_message(0, 500, 100);
    assert_no_message(0);
    assert_message(1, 500, 100);
    assert_no_message(1);
}

/* A port that is so much higher, or lower, than another client's. */
static void move_client(unsigned client, unsigned other, unsigned distance)
{
    struct sockaddr_in *own = &story.paths[client].remote.ipv4;
    unsigned port = ntohs(story.paths[other].remote.ipv4.sin_port);
    int result = -1;
    close(story.clients[client]);
    story.clients[client] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    for (unsigned i = 1; result != 0 && i < 100; i++) {
        unsigned change = i * distance;
        own->sin_port = htons((uint16_t)(port > 32768 ? port - change : port + change));
        result = bind(story.clients[client], (const struct sockaddr *)own, sizeof *own);
    }
    assert_int_equal(result, 0);
}

/* Clients are told apart by their ports first; here their ports differ by a power of two. */
static void clients_in_turn_do_not_divide_each_others_messages(void **state)
{
    (void)state;
    for (unsigned i = 1; i < CLIENTS; i++) move_client(i, i - 1, 1024);
    for (unsigned i = 0; i < CLIENTS; i++) show_messages(i);
    for (unsigned i = 0; i < 10 * CLIENTS; i++) add(i % CLIENTS, 100, (uint8_t)i);
    send_all(10 * CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_message(i, 1000, 100);
        assert_no_message(i);
    }
}

static void the_last_one_may_be_shorter(void **state)
{
    (void)state;
    show_messages(0);
    add(0, 100, 0);
    add(0, 100, 1);
    add(0, 60, 2);
    add(0, 60, 3); /* behind a shorter one there is none */
    add(0, 60, 4);
    send_all(5);
    assert_message(0, 260, 100);
    assert_message(0, 120, 60);
    assert_no_message(0);
}

/* The answers for A and AAAA. */
static void of_two_the_longer_one_becomes_the_first(void **state)
{
    (void)state;
    show_messages(0);
    add(0, 60, 0);
    add(0, 72, 1);
    add(0, 50, 2);
    add(0, 90, 3);
    send_all(4);
    assert_message(0, 132, 72);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[72], 0);
    assert_message(0, 140, 90);
    assert_no_message(0);
}

static void a_longer_one_ends_a_message_of_several(void **state)
{
    (void)state;
    show_messages(0);
    add(0, 60, 0);
    add(0, 60, 1);
    add(0, 72, 2);
    send_all(3);
    assert_message(0, 120, 60);
    assert_message(0, 72, 0);
    assert_no_message(0);
}

static void a_message_is_no_larger_than_a_datagram_may_be(void **state)
{
    (void)state;
    show_messages(0);
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) add(0, DATAGRAM_REPLY_MAX, (uint8_t)i);
    send_all(DATAGRAMS_MAX);
    assert_message(0, 46 * DATAGRAM_REPLY_MAX, DATAGRAM_REPLY_MAX);
    assert_message(0, 18 * DATAGRAM_REPLY_MAX, DATAGRAM_REPLY_MAX);
    assert_no_message(0);
}

/* Two paths to one client from addresses of ours: a reply comes from the one that was asked. */
static void replies_from_two_of_our_addresses_are_two_messages(void **state)
{
    (void)state;
    const struct sockaddr_in any = {.sin_family = AF_INET};
    struct sockaddr_in from;
    close(story.server);
    story.server = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(story.server, (const struct sockaddr *)&any, sizeof any), 0);
    for (uint32_t i = 0; i < 4; i++) {
        story.paths[0].local_family = AF_INET;
        story.paths[0].local.ipv4.ipi_addr.s_addr = htonl(INADDR_LOOPBACK + i % 2);
        add(0, 100, (uint8_t)i);
    }
    send_all(4);
    for (unsigned i = 0; i < 4; i++) {
        socklen_t size = sizeof from;
        assert_int_equal(recvfrom(story.clients[0], bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size), 100);
        assert_int_equal(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK + bytes[0] % 2);
    }
    assert_no_message(0);
}

/* ---- what the kernel refuses ---- */

static void one_that_cannot_be_sent_does_not_stop_the_others(void **state)
{
    (void)state;
    const struct datagram_path path = story.paths[1];
    story.paths[1].remote.ipv4.sin_port = 0;
    add(0, 20, 0);
    add(1, 21, 1);
    add(0, 22, 2);
    add(1, 21, 3);
    story.paths[1] = path;
    add(1, 23, 4);
    const struct datagrams_sent sent = datagrams_send(story.sender, story.server);
    assert_int_equal(sent.sent, 3);
    assert_int_equal(sent.lost, 2);
    assert_int_equal(next_to(0), 22);
    assert_int_equal(next_to(0), 20);
    assert_int_equal(next_to(1), 23);
    assert_no_message(1);
}

/* Without checksums the kernel does not divide messages; so it is of interfaces that cannot compute them. */
static void refuse_to_divide(bool refuses)
{
    assert_int_equal(setsockopt(story.server, SOL_SOCKET, SO_NO_CHECK, &(int){refuses}, sizeof(int)), 0);
}

static void what_is_not_divided_is_sent_one_by_one(void **state)
{
    (void)state;
    refuse_to_divide(true);
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) add(i % CLIENTS, 100, (uint8_t)i);
    send_all(DATAGRAMS_MAX);
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        assert_int_equal(next_to(i % CLIENTS), 100);
        assert_int_equal(bytes[0], i);
    }
    for (unsigned i = 0; i < CLIENTS; i++) assert_no_message(i);
}

static void send_two_to(unsigned client)
{
    add(client, 100, 0);
    add(client, 100, 1);
    send_all(2);
}

static void then_none_is_to_be_divided_for_a_while(void **state)
{
    (void)state;
    show_messages(0);
    refuse_to_divide(true);
    send_two_to(0);
    refuse_to_divide(false);
    for (unsigned batch = 0; batch < 1 + APART_BATCHES; batch++) {
        assert_message(0, 100, 0);
        assert_message(0, 100, 0);
        send_two_to(0);
    }
    assert_message(0, 200, 100);
    for (unsigned batch = 0; batch < 3; batch++) {
        send_two_to(0);
        assert_message(0, 200, 100);
    }
    assert_no_message(0);
}

int main(void)
{
#define TEST(name)      cmocka_unit_test_setup_teardown(name, begin, end)
#define TEST_IPV6(name) cmocka_unit_test_setup_teardown(name, begin_ipv6, end)
    const struct CMUnitTest tests[] = {
        TEST(replies_arrive_whole),
        TEST(each_client_gets_its_own_once),
        TEST_IPV6(each_client_gets_its_own_once),
        TEST(replies_of_one_size_to_one_client_are_one_message),
        TEST_IPV6(replies_of_one_size_to_one_client_are_one_message),
        TEST(clients_in_turn_do_not_divide_each_others_messages),
        TEST(the_last_one_may_be_shorter),
        TEST(of_two_the_longer_one_becomes_the_first),
        TEST(a_longer_one_ends_a_message_of_several),
        TEST(a_message_is_no_larger_than_a_datagram_may_be),
        TEST(replies_from_two_of_our_addresses_are_two_messages),
        TEST(one_that_cannot_be_sent_does_not_stop_the_others),
        TEST(what_is_not_divided_is_sent_one_by_one),
        TEST_IPV6(what_is_not_divided_is_sent_one_by_one),
        TEST(then_none_is_to_be_divided_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
