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

/* Also where queries come in batches alone. */
static void a_name_that_is_asked_all_the_time_is_answered_by_a_copy(void **state)
{
    (void)state;
    struct packet packets[COUNT];
    begin();
    attempt(9, "hot.test");
    fake_answer(0, 300, 1);
    for (unsigned i = 0; i < COUNT; i++) {
        packet_header(&packets[i], i, DNS_RD);
        packet_question(&packets[i], "hot.test", DNS_TYPE_A);
    }
    for (unsigned batch = 0; batch <= HOT_ANSWERS_VOTES; batch++) send_together(packets);
    assert_int_not_equal(story.forwarder.hot.uncounted, 0);
    forwarder_end_messages(&story.forwarder);
    assert_int_equal(story.forwarder.hot.uncounted, 0);
    for (unsigned i = 0; i < COUNT; i++) assert_int_equal(replies(i), HOT_ANSWERS_VOTES + 1);
    assert_int_equal(count(&story.counters->cache_hits[0][0]), COUNT * (HOT_ANSWERS_VOTES + 1));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_what_it_would_get_alone),
        cmocka_unit_test(equal_questions_are_asked_once),
        cmocka_unit_test(a_name_that_is_asked_all_the_time_is_answered_by_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
