/* What a forwarder believes of an entry of the shared cache, and what it writes there. */
#include "shared_story.h"

/* ---- entries that may not be used ---- */

static void an_entry_that_is_over_or_of_the_future_is_not_used(void **state)
{
    (void)state;
    static const struct {
        uint32_t ttl;
        int64_t age_ms;
        enum label_shared_rejected reason;
    } cases[] = {
        {300, 300000, LABEL_SHARED_REJECTED_EXPIRED},
        {300, 400000, LABEL_SHARED_REJECTED_EXPIRED},
        {300, -3000, LABEL_SHARED_REJECTED_FUTURE},
        {2 * 86400, 0, LABEL_SHARED_REJECTED_FUTURE},
        {10 * 86400, 9 * 86400000, LABEL_SHARED_REJECTED_EXPIRED},
        {0, 0, LABEL_SHARED_REJECTED_EXPIRED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_shared();
        attempt(0, "a.test");
        assert_int_equal(say_entry(0, cases[i].ttl, 7, cases[i].age_ms), STORE_REJECTED);
        assert_int_equal(rejected(cases[i].reason), 1);
        assert_int_equal(replies(0), 0);
        assert_int_equal(fake_pool.count, 1);
        end_shared();
    }
}

static void a_clock_that_is_a_little_ahead_does_no_harm(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    assert_int_equal(say_entry(0, 300, 7, -1500), STORE_USED);
    assert_int_equal(reply_ttl(0), 300);
    pass_ns(300 * NS_PER_S); /* and it lives no longer for it */
    attempt(1, "a.test");
    assert_int_equal(replies(1), 0);
    end_shared();
}

static void an_entry_lives_no_longer_than_its_records(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    struct entry entry = entry_for(0, 60, 7, 10000);
    entry.expires_ms += 3600000;
    assert_int_equal(fake_store_entry(0, &entry), STORE_USED);
    assert_int_equal(reply_ttl(0), 50);
    pass_ns(50 * NS_PER_S);
    attempt(1, "a.test");
    assert_int_equal(replies(1), 0);
    end_shared();
}

static void what_is_no_answer_to_the_question_is_not_used(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        uint8_t bytes[512];
        begin_shared();
        attempt(0, "a.test");
        struct entry entry = entry_for(0, 300, 7, 0);
        memcpy(bytes, entry.message, entry.message_size);
        entry.message = bytes;
        if (way == 0) bytes[DNS_HEADER_BYTES + 1] ^= 1;                             /* of another name */
        if (way == 1) entry.message_size -= 1;                                      /* cut */
        if (way == 2) dns_put_u16(bytes + 2, DNS_QR | DNS_RD | DNS_RCODE_SERVFAIL); /* a failure */
        if (way == 3) dns_put_u16(bytes + 2, DNS_RD);                               /* no response */
        assert_int_equal(fake_store_entry(0, &entry), STORE_REJECTED);
        assert_int_equal(rejected(LABEL_SHARED_REJECTED_ANSWER), 1);
        assert_int_equal(fake_pool.count, 1);
        end_shared();
    }
}

static void what_was_purged_since_is_not_used(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1a\4test";
    for (unsigned all = 0; all < 2; all++) {
        begin_shared();
        attempt(0, "a.test");
        attempt(1, "b.test");
        purges_note(&story.purges, all ? NULL : name, sizeof name, wall_ms() - 10000);
        assert_int_equal(say_entry(0, 300, 7, 10001), STORE_REJECTED);
        assert_int_equal(rejected(LABEL_SHARED_REJECTED_PURGED), 1);
        assert_int_equal(fake_pool.count, 1);
        assert_int_equal(say_entry(1, 300, 7, 10001), all ? STORE_REJECTED : STORE_USED);
        attempt(2, "a.test"); /* joins: nothing was kept */
        assert_int_equal(replies(2), 0);
        fake_answer(0, 300, 8);
        assert_int_equal(reply_number(0), 8);
        cache_clear(story.shared.cache);
        attempt(3, "a.test");
        assert_int_equal(say_entry(2, 300, 9, 7000), STORE_USED); /* stored after the purge */
        end_shared();
    }
}

/* The clock of who stored it may be ahead: by its own it was stored after the purge, and yet it was before. */
static void what_may_have_been_stored_before_the_purge_is_not_used(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1a\4test";
    begin_shared();
    attempt(0, "a.test");
    purges_note(&story.purges, name, sizeof name, wall_ms() - 10000);
    assert_int_equal(say_entry(0, 300, 7, 8500), STORE_REJECTED);
    assert_int_equal(rejected(LABEL_SHARED_REJECTED_PURGED), 1);
    assert_int_equal(replies(0), 0);
    fake_answer(0, 300, 8);
    end_shared();
    begin_shared(); /* when clocks began is as good as any time */
    attempt(0, "a.test");
    purges_note(&story.purges, name, sizeof name, 1);
    struct entry entry = entry_for(0, 300, 7, 0);
    entry.stored_ms = 1;
    assert_true(sharing_is_purged(&story.forwarder.sharing, &fake_store.keys[0], &entry));
    fake_store_done(0, STORE_MISS);
    fake_answer(0, 300, 8);
    end_shared();
}

/* ---- what is written ---- */

static void what_may_not_be_kept_is_withdrawn(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    fake_store_done(0, STORE_MISS);
    fake_answer(0, 0, 1);
    assert_int_equal(fake_store.withdrawn, 1);
    attempt(1, "b.test");
    fake_store_done(1, STORE_MISS);
    fake_answer_rcode(1, DNS_RCODE_NXDOMAIN); /* without SOA */
    assert_int_equal(fake_store.withdrawn, 2);
    attempt(2, "c.test");
    fake_store_done(2, STORE_MISS);
    fake_answer_rcode(2, DNS_RCODE_SERVFAIL);
    assert_int_equal(fake_store.withdrawn, 2);
    assert_int_equal(fake_store.written, 0);
    end_shared();
}

/* Or the answer from before would come back from the store, as soon as the cache has forgotten the verdict. */
static void a_verdict_withdraws_the_answer_from_before(void **state)
{
    (void)state;
    static const unsigned rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED, 16 /* BADVERS, whose low bits are 0 */};
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        begin_shared();
        attempt(0, "a.test");
        fake_store_done(0, STORE_MISS);
        fake_answer_verdict(0, rcodes[i], 6);
        assert_int_equal(replies(0), 1);
        assert_int_equal(fake_store.withdrawn, 1);
        assert_memory_equal(fake_store.key.bytes, fake_store.keys[0].bytes, fake_store.keys[0].size);
        assert_int_equal(fake_store.written, 0);
        end_shared();
    }
}

static void answers_of_routes_are_shared_where_they_are_to_be(void **state)
{
    (void)state;
    for (unsigned routes = 0; routes < 2; routes++) {
        begin_shared();
        fake_store.setup.options.routes = routes;
        assert_true(sharing_concerns(&story.forwarder.sharing, 0));
        assert_int_equal(sharing_concerns(&story.forwarder.sharing, 77), routes);
        end_shared();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_that_is_over_or_of_the_future_is_not_used),
        cmocka_unit_test(a_clock_that_is_a_little_ahead_does_no_harm),
        cmocka_unit_test(an_entry_lives_no_longer_than_its_records),
        cmocka_unit_test(what_is_no_answer_to_the_question_is_not_used),
        cmocka_unit_test(what_was_purged_since_is_not_used),
        cmocka_unit_test(what_may_have_been_stored_before_the_purge_is_not_used),
        cmocka_unit_test(what_may_not_be_kept_is_withdrawn),
        cmocka_unit_test(a_verdict_withdraws_the_answer_from_before),
        cmocka_unit_test(answers_of_routes_are_shared_where_they_are_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
