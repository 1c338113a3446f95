/* Replies over sockets on loopback: what arrives, and in how many messages the kernel has it. */
#include "datagram_sender_story.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
