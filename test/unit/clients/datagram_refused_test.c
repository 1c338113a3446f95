/* Replies that the kernel does not take, or does not divide. */
#include "datagram_sender_story.h"

enum { APART_BATCHES = 1000 };

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

/* Raw sockets know no division, as kernels before Linux 4.18 do not. */
static void a_kernel_that_cannot_divide_gets_one_by_one(void **state)
{
    (void)state;
    enum { PROTOCOL = 253, IP_HEADER_BYTES = 20 }; /* for experiments (RFC 3692) */
    int raw = socket(AF_INET, SOCK_RAW, PROTOCOL);
    if (raw < 0) skip(); /* it needs root */
    close(story.server);
    story.server = raw;
    for (uint8_t i = 0; i < 10; i++) add(0, 100, i);
    send_all(10);
    for (uint8_t i = 0; i < 10; i++) { /* it hears itself */
        assert_int_equal(recv(raw, bytes, sizeof bytes, MSG_DONTWAIT), IP_HEADER_BYTES + 100);
        assert_int_equal(bytes[IP_HEADER_BYTES], i);
    }
    assert_int_equal(recv(raw, bytes, sizeof bytes, MSG_DONTWAIT), -1);
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
        TEST(one_that_cannot_be_sent_does_not_stop_the_others), TEST(what_is_not_divided_is_sent_one_by_one),
        TEST_IPV6(what_is_not_divided_is_sent_one_by_one),      TEST(a_kernel_that_cannot_divide_gets_one_by_one),
        TEST(then_none_is_to_be_divided_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
