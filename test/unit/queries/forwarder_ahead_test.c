/* Messages that are read ahead of their handling are answered as any others are. */
#include "forwarder_story.h"

enum { COUNT = 4 };

/* Reads the messages of clients 0 to COUNT - 1 together, then hands them over in turn. */
static void send_together(const struct packet packets[static COUNT])
{
    struct client_message messages[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        messages[i] = (struct client_message){.bytes = packets[i].bytes, .size = packets[i].size};
    forwarder_read_ahead(&story.forwarder, messages, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        const struct requester requester = begin_asking(i);
        assert_non_null(messages[i].read_ahead);
        forwarder_handle(&story.forwarder, &requester, &messages[i]);
    }
}

static void each_gets_what_it_would_get_alone(void **state)
{
    (void)state;
    struct packet packets[COUNT];
    const char *names[COUNT] = {"cached.test", "new.test", "CACHED.test", "cut.test"};
    begin();
    attempt(9, "cached.test");
    fake_answer(0, 300, 1);
    for (unsigned i = 0; i < COUNT; i++) {
        packet_header(&packets[i], i, DNS_RD);
        packet_question(&packets[i], names[i], DNS_TYPE_A);
    }
    packets[3].size--;
    send_together(packets);
    assert_int_equal(reply_number(0), 1);
    assert_int_equal(message_id(reply_bytes(0)), 0);
    assert_int_equal(replies(1), 0);
    assert_int_equal(reply_number(2), 1);
    assert_memory_equal(reply_bytes(2) + DNS_HEADER_BYTES, "\6CACHED\4test", 13);
    assert_int_equal(reply_rcode(3), DNS_RCODE_FORMERR);
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    end();
}

/* The second does not know the first's question when it is read, but joins it when it is handled. */
static void equal_questions_are_asked_once(void **state)
{
    (void)state;
    struct packet packets[COUNT];
    begin();
    for (unsigned i = 0; i < COUNT; i++) {
        packet_header(&packets[i], i, DNS_RD);
        packet_question(&packets[i], "same.test", DNS_TYPE_A);
    }
    send_together(packets);
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, 300, 1);
    for (unsigned i = 0; i < COUNT; i++) assert_int_equal(reply_number(i), 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_what_it_would_get_alone),
        cmocka_unit_test(equal_questions_are_asked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
