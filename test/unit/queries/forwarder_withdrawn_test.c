/* What upstream says has changed or ceased never comes back as a stale answer, whatever may be kept of the news. */
#include "forwarder_story.h"

/* What upstream says; each is definitive. */
enum news {
    ADDRESS,
    ADDRESS_TTL_0,
    NXDOMAIN_KEPT,
    NXDOMAIN_MINIMUM_0,
    NXDOMAIN_TTL_0,
    NXDOMAIN_BARE,
    NO_DATA_MINIMUM_0,
    NO_DATA_BARE,
    NEWS
};

static bool is_kept(enum news news)
{
    return news == ADDRESS || news == NXDOMAIN_KEPT;
}

static void say(unsigned n, enum news news, uint8_t number)
{
    switch (news) {
    case ADDRESS: fake_answer(n, 300, number); break;
    case ADDRESS_TTL_0: fake_answer(n, 0, number); break;
    case NXDOMAIN_KEPT: fake_answer_soa(n, DNS_RCODE_NXDOMAIN, 300, 300); break;
    case NXDOMAIN_MINIMUM_0: fake_answer_soa(n, DNS_RCODE_NXDOMAIN, 300, 0); break;
    case NXDOMAIN_TTL_0: fake_answer_soa(n, DNS_RCODE_NXDOMAIN, 0, 300); break;
    case NXDOMAIN_BARE: fake_answer_rcode(n, DNS_RCODE_NXDOMAIN); break;
    case NO_DATA_MINIMUM_0: fake_answer_soa(n, DNS_RCODE_NOERROR, 300, 0); break;
    case NO_DATA_BARE: fake_answer_rcode(n, DNS_RCODE_NOERROR); break;
    case NEWS: break;
    }
}

/* How upstream fails afterwards: it does not answer, or answers with an error. */
static void fail_upstream(unsigned n, bool silent)
{
    if (silent)
        fake_fail(n, EXCHANGE_TIMED_OUT);
    else
        fake_answer_rcode(n, DNS_RCODE_SERVFAIL);
}

static void what_was_withdrawn_never_comes_back(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 2u * 2 * NEWS; way++) {
        enum news old = way / NEWS % 2 ? NXDOMAIN_KEPT : ADDRESS;
        enum news new = way % NEWS;
        bool silent = way / NEWS / 2;
        begin();
        ask_edns(0, "a.test");
        say(0, old, 1);
        pass_ns(300 * NS_PER_S);
        ask_edns(1, "a.test");
        say(1, new, 2);
        pass_ns(300 * NS_PER_S);
        ask_edns(2, "a.test");
        fail_upstream(2, silent);
        if (is_kept(new)) { /* the new one is stale */
            assert_int_equal(reply_rcode(2), new == ADDRESS ? DNS_RCODE_NOERROR : DNS_RCODE_NXDOMAIN);
            assert_int_equal(reply_error_code(2), new == ADDRESS ? DNS_EDE_STALE : DNS_EDE_STALE_NXDOMAIN);
            if (new == ADDRESS) assert_int_equal(reply_number(2), 2);
        } else {
            assert_int_equal(reply_rcode(2), DNS_RCODE_SERVFAIL);
        }
        end();
    }
}

static void what_is_withdrawn_while_it_is_refreshed_is_gone_at_once(void **state)
{
    (void)state;
    begin();
    attempt(0, "a.test");
    say(0, ADDRESS, 1);
    pass_ns(299 * NS_PER_S);
    attempt(1, "a.test"); /* near its end: fetched anew */
    assert_int_equal(reply_number(1), 1);
    assert_int_equal(fake_pool.count, 2);
    say(1, NXDOMAIN_BARE, 0);
    attempt(2, "a.test");
    assert_int_equal(fake_pool.count, 3);
    fail_upstream(2, true);
    assert_int_equal(reply_rcode(2), DNS_RCODE_SERVFAIL);
    end();
}

static void a_failure_withdraws_nothing(void **state)
{
    (void)state;
    begin();
    ask_edns(0, "a.test");
    say(0, ADDRESS, 1);
    pass_ns(300 * NS_PER_S);
    for (uint32_t client = 1; client <= 2; client++) {
        ask_edns(client, "a.test");
        fail_upstream(client, client == 1);
        assert_int_equal(reply_number(client), 1);
        assert_int_equal(reply_error_code(client), DNS_EDE_STALE);
        pass_ns(NS_PER_S);
    }
    end();
}

/* ---- verdicts ---- */

static void a_verdict_is_passed_on_and_no_stale_answer_given(void **state)
{
    (void)state;
    static const struct {
        unsigned rcode;
        uint8_t code;
    } cases[] = {{DNS_RCODE_SERVFAIL, 6}, {DNS_RCODE_SERVFAIL, 9}, {DNS_RCODE_REFUSED, 15},
                 {DNS_RCODE_REFUSED, 16}, {DNS_RCODE_REFUSED, 17}, {DNS_RCODE_SERVFAIL, 35}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        ask_edns(0, "a.test");
        say(0, ADDRESS, 1);
        pass_ns(300 * NS_PER_S);
        ask_edns(1, "a.test");
        fake_answer_verdict(1, cases[i].rcode, cases[i].code);
        ask_edns(2, "a.test"); /* and remembered */
        assert_int_equal(fake_pool.count, 2);
        for (uint32_t client = 1; client <= 2; client++) {
            assert_int_equal(reply_rcode(client), cases[i].rcode);
            assert_int_equal(reply_error_code(client), cases[i].code);
        }
        pass_ns(6 * NS_PER_S);
        ask_edns(3, "a.test");
        assert_int_equal(fake_pool.count, 3);
        fail_upstream(2, true);
        assert_int_equal(reply_rcode(3), DNS_RCODE_SERVFAIL); /* what the verdict was about is gone */
        end();
    }
}

static void a_forged_address_is_an_answer_like_any_other(void **state)
{
    (void)state;
    begin();
    ask_edns(0, "a.test");
    struct packet *packet = fake_packet(0, 0);
    packet_a(packet, DNS_ANSWER, 300);
    packet_opt(packet, 0, "\0\17\0\2\0\4", 6);
    fake_answer_packet(0);
    ask_edns(1, "a.test");
    assert_int_equal(fake_pool.count, 1);
    assert_int_equal(reply_error_code(1), 4);
    assert_int_equal(reply_rcode(1), DNS_RCODE_NOERROR);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_withdrawn_never_comes_back),
        cmocka_unit_test(what_is_withdrawn_while_it_is_refreshed_is_gone_at_once),
        cmocka_unit_test(a_failure_withdraws_nothing),
        cmocka_unit_test(a_verdict_is_passed_on_and_no_stale_answer_given),
        cmocka_unit_test(a_forged_address_is_an_answer_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
