/* A question that the cache does not answer is asked of the cache of the fleet first, and of upstream if that has no
 * answer or is late; nobody waits twice, and nobody gets two replies. */
#include "shared_story.h"

/* ---- a miss ---- */

static void an_entry_answers_all_who_wait_and_is_kept(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    attempt(1, "a.test");
    assert_int_equal(fake_store.count, 1);
    assert_int_equal(fake_pool.count, 0);
    assert_int_equal(say_entry(0, 300, 7, 100500), STORE_USED);
    for (uint32_t client = 0; client < 2; client++) {
        assert_int_equal(replies(client), 1);
        assert_int_equal(reply_number(client), 7);
        assert_int_equal(reply_ttl(client), 200); /* as old as it is */
    }
    assert_int_equal(count_source(LABEL_SOURCE_SHARED), 2);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 7);
    assert_int_equal(reply_ttl(2), 200);
    pass_ns(199 * NS_PER_S);
    attempt(3, "a.test");
    assert_int_equal(reply_ttl(3), 1);
    assert_int_equal(fake_store.written, 0); /* what came from there is not written back */
    pass_ns(NS_PER_S);
    attempt(4, "a.test");
    assert_int_equal(replies(4), 0);
    end_shared();
}

static void without_an_entry_upstream_answers_and_the_answer_is_written(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    fake_store_done(0, STORE_MISS);
    assert_int_equal(fake_pool.count, 1);
    attempt(1, "a.test");
    assert_int_equal(fake_store.count, 1);
    fake_answer(0, 300, 1);
    assert_int_equal(replies(0) + replies(1), 2);
    assert_int_equal(count_source(LABEL_SOURCE_UPSTREAM), 2);
    assert_int_equal(fake_store.written, 1);
    assert_int_equal(fake_store.entry.stored_ms, fake_store.now_ms);
    assert_int_equal(fake_store.entry.expires_ms, fake_store.now_ms + 300000);
    assert_int_equal(fake_store.key.size, fake_store.keys[0].size);
    assert_memory_equal(fake_store.key.bytes, fake_store.keys[0].bytes, fake_store.key.size);
    end_shared();
}

static void an_answer_from_before_a_purge_is_not_written(void **state)
{
    (void)state;
    static const uint8_t name[] = "\1a\4test";
    begin_shared();
    attempt(0, "a.test");
    fake_store_done(0, STORE_MISS);
    purges_note(&story.purges, name, sizeof name, wall_ms());
    fake_answer(0, 300, 1);
    assert_int_equal(replies(0), 1);
    assert_int_equal(fake_store.written, 0);
    end_shared();
}

static void what_was_written_answers_at_another_instance(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    fake_store_done(0, STORE_MISS);
    fake_answer_soa(0, DNS_RCODE_NXDOMAIN, 300, 60);
    assert_int_equal(fake_store.written, 1);
    assert_int_equal(fake_store.entry.expires_ms, fake_store.now_ms + 60000);
    cache_clear(story.shared.cache); /* as if it were another one */
    attempt(1, "a.test");
    struct entry entry = fake_store.entry;
    entry.message = fake_store.message;
    assert_int_equal(fake_store_entry(1, &entry), STORE_USED);
    assert_int_equal(reply_rcode(1), DNS_RCODE_NXDOMAIN);
    assert_int_equal(reply_ttl(1), reply_ttl(0));
    end_shared();
}

static void a_store_that_cannot_be_asked_costs_no_time(void **state)
{
    (void)state;
    begin_shared();
    fake_store.is_down = true;
    attempt(0, "a.test");
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, 300, 1);
    assert_int_equal(replies(0), 1);
    end_shared();
}

static void a_question_ends_where_the_store_fails_and_upstream_too(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    fake_store_done(0, STORE_FAILED);
    fake_fail(0, EXCHANGE_TIMED_OUT);
    assert_int_equal(reply_rcode(0), DNS_RCODE_SERVFAIL);
    assert_int_equal(fake_store.written + fake_store.withdrawn, 0); /* failures are nobody's */
    end_shared();
}

/* prefetch.share is a share of these. */
static void what_the_store_answers_is_no_question_upstream(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "found.test");
    say_entry(0, 300, 7, 0);
    attempt(0, "waiting.test");
    assert_int_equal(story.forwarder.questions, 0);
    fake_store_done(1, STORE_MISS);
    assert_int_equal(story.forwarder.questions, 1);
    attempt(0, "late.test");
    fake_store_late(2);
    fake_store_done(2, STORE_MISS);
    assert_int_equal(story.forwarder.questions, 2);
    fake_store.is_down = true;
    attempt(0, "down.test");
    assert_int_equal(story.forwarder.questions, 3);
    const struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1\1"};
    assert_true(forwarder_refresh(&story.forwarder, &key)); /* no client's */
    assert_int_equal(fake_pool.count, 4);
    assert_int_equal(story.forwarder.questions, 3);
    end_shared();
}

/* ---- late ---- */

static void where_the_store_is_late_upstream_may_be_first(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    fake_store_late(0);
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, 300, 1);
    assert_int_equal(replies(0), 1);
    assert_int_equal(fake_store.cancelled, 1);
    assert_int_equal(fake_store.written, 1);
    end_shared();
}

static void where_the_store_is_late_it_may_be_first_all_the_same(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    fake_store_late(0);
    assert_int_equal(say_entry(0, 300, 7, 0), STORE_USED);
    assert_int_equal(reply_number(0), 7);
    assert_true(fake_pool_is_idle()); /* upstream's answer is not waited for */
    assert_int_equal(fake_store.cancelled, 0);
    end_shared();
}

static void a_late_miss_changes_nothing(void **state)
{
    (void)state;
    for (enum store_outcome outcome = STORE_MISS; outcome <= STORE_FAILED; outcome++) {
        begin_shared();
        attempt(0, "a.test");
        fake_store_late(0);
        fake_store_done(0, outcome);
        assert_int_equal(fake_pool.count, 1);
        fake_answer(0, 300, 1);
        assert_int_equal(replies(0), 1);
        end_shared();
    }
}

static void a_light_client_that_joins_is_light_upstream_later(void **state)
{
    (void)state;
    begin_shared();
    for (unsigned i = 0; i < 8; i++) { /* not light any more */
        const char name[] = {(char)('a' + i), '.', 't', 'e', 's', 't', 0};
        attempt(0, name);
    }
    attempt(1, "h.test");
    for (unsigned i = 0; i < 8; i++) fake_store_done(i, STORE_MISS);
    assert_false(fake_pool.asked[6]->light);
    assert_true(fake_pool.asked[7]->light);
    end_shared();
}

static void questions_are_forgotten_with_the_forwarder(void **state)
{
    (void)state;
    begin_shared();
    attempt(0, "a.test");
    attempt(1, "b.test");
    fake_store_late(1);
    end_shared(); /* at the store and upstream */
    assert_int_equal(fake_store.cancelled, 2);
}

/* ---- stale answers ---- */

static void an_entry_comes_before_a_stale_answer(void **state)
{
    (void)state;
    begin_shared();
    fake_store.is_down = true;
    ask_edns(0, "a.test");
    fake_answer(0, 300, 1);
    pass_ns(300 * NS_PER_S);
    fake_store.is_down = false;
    fake_pool.down = true;
    ask_edns(1, "a.test");
    assert_int_equal(replies(1), 0); /* the store is asked, though no upstream answers */
    say_entry(0, 300, 7, 0);
    assert_int_equal(reply_number(1), 7);
    assert_int_equal(reply_error_code(1), DNS_EDE_NONE);
    end_shared();
}

static void without_an_entry_and_upstream_the_stale_answer_is_given_at_once(void **state)
{
    (void)state;
    begin_shared();
    fake_store.is_down = true;
    ask_edns(0, "a.test");
    fake_answer(0, 300, 1);
    pass_ns(300 * NS_PER_S);
    fake_store.is_down = false;
    fake_pool.down = true;
    ask_edns(1, "a.test");
    fake_store_done(0, STORE_MISS);
    assert_int_equal(reply_number(1), 1);
    assert_int_equal(reply_error_code(1), DNS_EDE_STALE);
    end_shared();
}

/* ---- refreshes ---- */

/* There is an answer that ends in a second, and a client asks: it is refreshed. */
static void begin_refresh(void)
{
    begin_shared();
    fake_store.is_down = true;
    attempt(0, "a.test");
    fake_answer(0, 300, 1);
    fake_store.is_down = false;
    pass_ns(299 * NS_PER_S);
    attempt(1, "a.test");
    assert_int_equal(reply_number(1), 1);
    assert_int_equal(fake_store.count, 1);
    assert_true(fake_store.asked[0]->is_refresh);
    assert_int_equal(fake_pool.count, 1);
}

static void who_has_the_claim_refreshes(void **state)
{
    (void)state;
    begin_refresh();
    fake_store_done(0, STORE_CLAIMED);
    assert_int_equal(refreshes(LABEL_SHARED_REFRESH_CLAIMED), 1);
    fake_answer(1, 300, 2);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 2);
    assert_int_equal(fake_store.written, 1 + 1); /* dropped or not, both were given to it */
    end_shared();
}

static void who_has_not_leaves_it_and_clients_are_answered(void **state)
{
    (void)state;
    begin_refresh();
    fake_store_done(0, STORE_LEFT);
    assert_int_equal(refreshes(LABEL_SHARED_REFRESH_LEFT), 1);
    assert_int_equal(fake_pool.count, 1);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 1);
    assert_int_equal(count(cell_in_flight(story.counters)), 0);
    end_shared();
}

static void a_client_that_waits_for_a_refresh_does_not_wait_for_another_instance(void **state)
{
    (void)state;
    begin_refresh();
    pass_ns(NS_PER_S);
    attempt(2, "a.test"); /* its answer is over, and it joins */
    fake_store_done(0, STORE_LEFT);
    assert_int_equal(refreshes(LABEL_SHARED_REFRESH_CLAIMED), 1);
    assert_int_equal(fake_pool.count, 2);
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(2), 2);
    end_shared();
}

static void a_newer_entry_replaces_a_refresh(void **state)
{
    (void)state;
    begin_refresh();
    assert_int_equal(say_entry(0, 300, 2, 1000), STORE_USED);
    assert_int_equal(refreshes(LABEL_SHARED_REFRESH_FOUND), 1);
    assert_int_equal(fake_pool.count, 1);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 2);
    assert_int_equal(reply_ttl(2), 299);
    end_shared();
}

static void the_entry_that_is_here_already_is_not_newer(void **state)
{
    (void)state;
    begin_refresh();
    assert_int_equal(say_entry(0, 300, 1, 299000), STORE_OLD);
    fake_store_done(0, STORE_CLAIMED);
    assert_int_equal(fake_pool.count, 2);
    fake_answer(1, 300, 2);
    end_shared();
}

static void the_refresh_of_a_top_name_is_counted_once(void **state)
{
    (void)state;
    const struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1\1"};
    for (unsigned found = 0; found < 2; found++) {
        begin_shared();
        assert_true(forwarder_refresh(&story.forwarder, &key));
        assert_false(forwarder_refresh(&story.forwarder, &key));
        if (found) {
            assert_int_equal(say_entry(0, 300, 2, 1000), STORE_USED);
        } else {
            fake_store_done(0, STORE_CLAIMED);
            fake_answer(0, 300, 2);
        }
        assert_int_equal(count(cell_prefetch(story.counters, LABEL_PREFETCH_REFRESHED)), 1);
        end_shared();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_answers_all_who_wait_and_is_kept),
        cmocka_unit_test(without_an_entry_upstream_answers_and_the_answer_is_written),
        cmocka_unit_test(an_answer_from_before_a_purge_is_not_written),
        cmocka_unit_test(what_was_written_answers_at_another_instance),
        cmocka_unit_test(a_store_that_cannot_be_asked_costs_no_time),
        cmocka_unit_test(a_question_ends_where_the_store_fails_and_upstream_too),
        cmocka_unit_test(what_the_store_answers_is_no_question_upstream),
        cmocka_unit_test(where_the_store_is_late_upstream_may_be_first),
        cmocka_unit_test(where_the_store_is_late_it_may_be_first_all_the_same),
        cmocka_unit_test(a_late_miss_changes_nothing),
        cmocka_unit_test(a_light_client_that_joins_is_light_upstream_later),
        cmocka_unit_test(questions_are_forgotten_with_the_forwarder),
        cmocka_unit_test(an_entry_comes_before_a_stale_answer),
        cmocka_unit_test(without_an_entry_and_upstream_the_stale_answer_is_given_at_once),
        cmocka_unit_test(who_has_the_claim_refreshes),
        cmocka_unit_test(who_has_not_leaves_it_and_clients_are_answered),
        cmocka_unit_test(a_client_that_waits_for_a_refresh_does_not_wait_for_another_instance),
        cmocka_unit_test(a_newer_entry_replaces_a_refresh),
        cmocka_unit_test(the_entry_that_is_here_already_is_not_newer),
        cmocka_unit_test(the_refresh_of_a_top_name_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
