/* One misbehaviour at a time, in virtual time, with its bound: what RULES.md promises. */
#include "model.h"
#include "pool_options.h"

static void begin(unsigned upstreams, struct script first, struct script second)
{
    const struct pool_options options = options_for(upstreams);
    const struct script scripts[] = {first, second};
    model_begin(&options, scripts, 7);
    model.slow_ns = 2 * NS_PER_S;
}

/* A round trip of a millisecond. */
static const struct script healthy = {.way_ns = NS_PER_MS / 2};

static uint64_t worst_ms(unsigned from, enum kind kind)
{
    uint64_t worst_ns = 0;
    for (unsigned i = from; i < model.asked; i++) {
        const struct question_story *question = &model.questions[i];
        if (question->kind != kind) continue;
        assert_int_equal(question->done, 1);
        assert_int_equal(question->result, EXCHANGE_ANSWERED);
        if (question->took_ns > worst_ns) worst_ns = question->took_ns;
    }
    return worst_ns / NS_PER_MS;
}

static void ask_many(unsigned count, uint64_t pause_ms)
{
    for (unsigned i = 0; i < count; i++) {
        model_ask(KIND_GOOD);
        if (pause_ms) model_run_ms(pause_ms);
    }
}

static void a_silent_first_upstream_delays_nobody_after_three_seconds(void **state)
{
    (void)state;
    for (uint64_t pause_ms = 10; pause_ms <= 1000; pause_ms *= 10) {
        begin(2, (struct script){.way_ns = NS_PER_MS / 2, .silent = true}, healthy);
        model_run_ms(3000);
        ask_many(100, pause_ms);
        model_run_ms(200);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 50);
        model_end();
    }
}

static void one_answer_and_then_silence_is_over_within_half_a_second(void **state)
{
    (void)state;
    for (unsigned count = 2; count <= 50; count += 8) {
        begin(2, (struct script){.way_ns = NS_PER_MS / 2, .answers_max = 1, .end = END_SILENT}, healthy);
        model_run_ms(500);
        ask_many(count, 0);
        model_run_ms(4600);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 500);
        model_end();
    }
}

/* Also where the session answered some before, and where the next session to the upstream answers most of the rest. */
static void some_answers_and_then_silence_are_over_within_half_a_second(void **state)
{
    (void)state;
    for (uint64_t way_ns = NS_PER_MS / 10; way_ns <= 20 * NS_PER_MS; way_ns *= 5)
        for (uint32_t answers = 1; answers <= 20; answers++)
            for (unsigned before = 0; before <= 3; before++)
                for (unsigned count = 2; count <= 50; count += 4) {
                    begin(2, (struct script){.way_ns = way_ns, .answers_max = answers, .end = END_SILENT},
                          (struct script){.way_ns = way_ns});
                    ask_many(before, 3);
                    model_run_ms(20);
                    ask_many(count, 0);
                    model_run_ms(4600);
                    assert_in_range(worst_ms(0, KIND_GOOD), 0, 500);
                    model_end();
                }
}

static void a_slow_name_in_an_orderly_server_delays_few_and_little(void **state)
{
    (void)state;
    begin(1, (struct script){.way_ns = NS_PER_MS / 2, .serial = true}, healthy);
    model_ask(KIND_SLOW);
    model_run_ms(40);
    ask_many(50, 40);
    model_run_ms(4600);
    assert_in_range(worst_ms(0, KIND_GOOD), 0, 60);
    assert_int_equal(model.questions[0].result, EXCHANGE_ANSWERED);
    assert_in_range(model.questions[0].attempts, 1, 3);
    model_end();
}

/* What keeps sessions silent is the name, not the number of answers that they gave before. */
static void a_slow_name_is_asked_thrice_also_where_sessions_end(void **state)
{
    (void)state;
    for (uint32_t answers = 2; answers <= 20; answers++) {
        begin(1, (struct script){.way_ns = NS_PER_MS / 2, .serial = true, .answers_max = answers}, healthy);
        ask_many(10, 10);
        unsigned slow = model.asked;
        model_ask(KIND_SLOW);
        model_run_ms(40);
        ask_many(100, 40);
        model_run_ms(4600);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 400);
        assert_in_range(model.questions[slow].attempts, 1, 3);
        model_end();
    }
}

static void a_name_that_ends_sessions_ends_six_and_others_wait_little(void **state)
{
    (void)state;
    begin(1, (struct script){.way_ns = NS_PER_MS / 2}, healthy);
    ask_many(20, 10);
    struct question_story *poison = model_ask(KIND_CLOSE);
    ask_many(100, 5);
    model_run_ms(4600);
    assert_int_equal(poison->result, EXCHANGE_FAULTY);
    assert_in_range(poison->lost, 1, EXCHANGE_SESSIONS_MAX);
    assert_in_range(worst_ms(0, KIND_GOOD), 0, 50);
    model_end();
}

/* The first upstream works, the second was not needed so far, and its handshakes take long. */
static void a_name_that_ends_the_firsts_sessions_waits_for_the_second(void **state)
{
    (void)state;
    for (uint64_t handshake_ms = 0; handshake_ms <= 1900; handshake_ms += 100)
        for (unsigned count = 1; count <= 7; count += 3)
            for (unsigned before = 0; before <= 20; before += 10) {
                begin(2, (struct script){.way_ns = NS_PER_MS / 2},
                      (struct script){
                          .way_ns = NS_PER_MS / 2, .plain_names = true, .handshake_ns = handshake_ms * NS_PER_MS});
                ask_many(before, 10);
                unsigned first = model.asked;
                for (unsigned i = 0; i < count; i++) model_ask(KIND_CLOSE);
                ask_many(100, 5);
                model_run_ms(4600);
                assert_in_range(worst_ms(0, KIND_CLOSE), 0, handshake_ms + (before > 0 ? 100 : 500));
                if (before > 0) assert_in_range(worst_ms(0, KIND_GOOD), 0, 100); /* else the first never answered yet */
                for (unsigned i = first; i < first + count; i++)
                    assert_in_range(model.questions[i].lost, 0, EXCHANGE_SESSIONS_MAX);
                assert_in_range(model.channels, 2, 4 * count + 20);
                model_end();
            }
}

/* It is not waited for where it does not come, and who waited for it may still be answered elsewhere. */
static void what_the_first_lost_does_not_wait_for_a_second_that_drops_syn(void **state)
{
    (void)state;
    for (uint32_t answers = 1; answers <= 5; answers++) {
        begin(2, (struct script){.way_ns = NS_PER_MS / 2, .answers_max = answers},
              (struct script){.way_ns = NS_PER_MS / 2, .drops_syn = true});
        ask_many(300, 10);
        model_run_ms(4600);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 100);
        model_end();
    }
}

static void sessions_that_end_after_few_answers_fail_nobody(void **state)
{
    (void)state;
    static const uint32_t bounds[] = {1, 2, 3, 20, 100};
    for (unsigned i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int end = END_CLOSE; end <= END_RESET; end++) {
            begin(1, (struct script){.way_ns = NS_PER_MS / 2, .answers_max = bounds[i], .end = (enum model_end)end},
                  healthy);
            ask_many(500, 4);
            model_run_ms(4600);
            assert_in_range(worst_ms(0, KIND_GOOD), 0, 200);
            model_end();
        }
}

/* Those that were in flight when a session ended are asked again on several at once. */
static void many_questions_that_a_session_did_not_answer_wait_little(void **state)
{
    (void)state;
    for (unsigned upstreams = 1; upstreams <= 2; upstreams++)
        for (uint32_t answers = 2; answers <= 20; answers++) {
            begin(upstreams, (struct script){.way_ns = 8 * NS_PER_MS, .answers_max = answers}, healthy);
            ask_many(190, 0);
            model_run_ms(4600);
            assert_in_range(worst_ms(0, KIND_GOOD), 0, 100 + 35 * 190 / answers / 2);
            model_end();
        }
}

/* Whom nobody answers makes both upstreams seem silent; the one that answers others is worth more than the one that
 * never did. */
static void dropped_names_at_the_second_send_nobody_to_a_silent_first(void **state)
{
    (void)state;
    for (unsigned every = 5; every <= 25; every += 5)
        for (uint64_t pause_ms = 1; pause_ms <= 16; pause_ms *= 2) {
            begin(2, (struct script){.way_ns = NS_PER_MS, .silent = true}, (struct script){.way_ns = 8 * NS_PER_MS});
            for (unsigned i = 0; i < 200; i++) {
                model_ask(i % every == 0 ? KIND_DROP : KIND_GOOD);
                model_run_ms(pause_ms);
            }
            model_run_ms(4600);
            assert_in_range(worst_ms(0, KIND_GOOD), 0, 3000);
            model_end();
        }
}

static void a_first_upstream_that_drops_syn_costs_little(void **state)
{
    (void)state;
    for (uint32_t answers = 5; answers <= 50; answers *= 3) {
        begin(2, (struct script){.way_ns = NS_PER_MS / 2, .drops_syn = true},
              (struct script){.way_ns = NS_PER_MS / 2, .answers_max = answers});
        ask_many(1, 1000);
        ask_many(300, 10);
        assert_in_range(worst_ms(1, KIND_GOOD), 0, 14);
        model_end();
    }
}

static void a_server_that_reads_one_message_of_a_record_is_found_out_once(void **state)
{
    (void)state;
    for (unsigned count = 2; count <= 50; count += 16) {
        begin(1, (struct script){.way_ns = NS_PER_MS / 2, .first_of_record = true}, healthy);
        model_run_ms(100);
        ask_many(count, 0);
        model_run_ms(4600);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 1000);
        unsigned later = model.asked;
        ask_many(count, 0);
        model_run_ms(4600);
        assert_in_range(worst_ms(later, KIND_GOOD), 0, 50);
        model_end();
    }
}

/* Where questions come all the time, its session is never silent, and each record with several loses some. */
static void a_server_that_reads_one_message_of_a_record_is_found_out_under_load(void **state)
{
    (void)state;
    for (unsigned together = 2; together <= 5; together++)
        for (uint64_t pause_ms = 2; pause_ms <= 20; pause_ms += 3) {
            begin(1, (struct script){.way_ns = NS_PER_MS / 2, .first_of_record = true}, healthy);
            for (unsigned i = 0; i < 200; i++) {
                ask_many(1 + i % together, 0);
                model_run_ms(pause_ms);
            }
            model_run_ms(4600);
            assert_in_range(worst_ms(0, KIND_GOOD), 0, 100);
            model_end();
        }
}

static void a_server_that_floods_is_avoided(void **state)
{
    (void)state;
    begin(2, (struct script){.way_ns = NS_PER_MS / 2, .floods = true}, healthy);
    ask_many(200, 10);
    model_run_ms(200);
    assert_in_range(worst_ms(0, KIND_GOOD), 0, 60);
    assert_in_range(model.channels, 2, 30);
    model_end();
}

static void where_no_upstream_can_be_reached_nobody_waits(void **state)
{
    (void)state;
    begin(2, (struct script){.refuses = true}, (struct script){.refuses = true});
    model_ask(KIND_GOOD);
    model_run_ms(3000);
    assert_int_equal(model.questions[0].result, EXCHANGE_UNREACHABLE);
    model_ask(KIND_GOOD);
    model_run_ms(20);
    assert_int_equal(model.questions[1].done, 1);
    model.scripts[1] = healthy;
    model_run_ms(3000); /* it is tried on */
    model_ask(KIND_GOOD);
    model_run_ms(100);
    assert_int_equal(model.questions[2].result, EXCHANGE_ANSWERED);
    model_end();
}

/* All sessions look silent, and each new one does, too; the first attempts are answered all the same. */
static void questions_that_are_all_slow_are_all_answered(void **state)
{
    (void)state;
    static const uint64_t slow_ms[] = {300, 1000, 2000, 3500};
    for (unsigned upstreams = 1; upstreams <= 2; upstreams++)
        for (unsigned i = 0; i < sizeof slow_ms / sizeof *slow_ms; i++)
            for (unsigned count = 3; count <= 100; count += 22) {
                const struct script script = {.way_ns = 4 * NS_PER_MS};
                begin(upstreams, script, script);
                model.slow_ns = slow_ms[i] * NS_PER_MS;
                ask_many(2, 100);
                for (unsigned n = 0; n < count; n++) {
                    model_ask(KIND_SLOW);
                    model_run_ms(n % 2);
                }
                model_run_ms(4600);
                assert_in_range(worst_ms(0, KIND_SLOW), slow_ms[i], slow_ms[i] + 200);
                model_end();
            }
}

/* A session that was silent with a question is no better for it when the question has left. */
static void a_session_that_was_silent_with_a_question_is_not_given_it_again(void **state)
{
    (void)state;
    for (unsigned count = 2; count <= 3; count++) {
        begin(1, (struct script){.way_ns = NS_PER_MS / 2, .answers_max = 1, .end = END_SILENT}, healthy);
        ask_many(1, 200);
        ask_many(count, 0);
        model_run_ms(4600);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 2000);
        model_end();
    }
}

/* What was asked while an upstream hung is lost, and so are the sessions that were opened meanwhile. The last attempt
 * of a question that seems slow is kept for the time when the upstream answers again. */
static void who_asked_while_the_upstream_hung_is_answered_when_it_is_back(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++)
        for (unsigned count = 1; count <= 3; count++)
            for (uint64_t hang_ms = 200; hang_ms <= (count < 3 ? 2400 : 1500); hang_ms += 100) {
                const struct script script = {.way_ns = (how & 2 ? 10 : 1) * NS_PER_MS / 2, .serial = how & 1};
                begin(1, script, healthy);
                ask_many(10, 10);
                unsigned hung = model.asked;
                model.scripts[0].silent = true;
                for (unsigned i = 0; i < count; i++) {
                    model_ask(KIND_GOOD);
                    model_run_ms(hang_ms / count);
                }
                list_for_each (node, &model.alive) container_of(node, struct channel, alive)->ended = true;
                model.scripts[0] = script;
                model_run_ms(4600);
                assert_in_range(worst_ms(hung, KIND_GOOD), 0,
                                3300); /* when a third of its time is left, at the latest */
                if (count == 1) assert_in_range(model.questions[hung].attempts, 1, EXCHANGE_SLOW_ATTEMPTS_MAX);
                model_end();
            }
}

/* A firewall that forgot its connections: nothing comes over any of them any more, and new ones are fine. */
static void where_all_sessions_hang_new_ones_are_opened(void **state)
{
    (void)state;
    for (unsigned count = 6; count <= 400; count += 7) {
        begin(1, (struct script){.way_ns = NS_PER_MS / 2, .silent = true}, healthy);
        for (unsigned n = 0; n < count; n++) {
            model_ask(KIND_GOOD);
            model_run_ms(n % 2);
        }
        model_run_ms(500);
        list_for_each (node, &model.alive) container_of(node, struct channel, alive)->ended = true;
        model.scripts[0] = healthy;
        model_run_ms(4600);
        assert_in_range(worst_ms(0, KIND_GOOD), 0, 2500);
        model_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_first_upstream_delays_nobody_after_three_seconds),
        cmocka_unit_test(one_answer_and_then_silence_is_over_within_half_a_second),
        cmocka_unit_test(some_answers_and_then_silence_are_over_within_half_a_second),
        cmocka_unit_test(a_slow_name_in_an_orderly_server_delays_few_and_little),
        cmocka_unit_test(a_slow_name_is_asked_thrice_also_where_sessions_end),
        cmocka_unit_test(a_name_that_ends_sessions_ends_six_and_others_wait_little),
        cmocka_unit_test(a_name_that_ends_the_firsts_sessions_waits_for_the_second),
        cmocka_unit_test(what_the_first_lost_does_not_wait_for_a_second_that_drops_syn),
        cmocka_unit_test(sessions_that_end_after_few_answers_fail_nobody),
        cmocka_unit_test(many_questions_that_a_session_did_not_answer_wait_little),
        cmocka_unit_test(dropped_names_at_the_second_send_nobody_to_a_silent_first),
        cmocka_unit_test(a_first_upstream_that_drops_syn_costs_little),
        cmocka_unit_test(a_server_that_reads_one_message_of_a_record_is_found_out_once),
        cmocka_unit_test(a_server_that_reads_one_message_of_a_record_is_found_out_under_load),
        cmocka_unit_test(a_server_that_floods_is_avoided),
        cmocka_unit_test(where_no_upstream_can_be_reached_nobody_waits),
        cmocka_unit_test(questions_that_are_all_slow_are_all_answered),
        cmocka_unit_test(a_session_that_was_silent_with_a_question_is_not_given_it_again),
        cmocka_unit_test(who_asked_while_the_upstream_hung_is_answered_when_it_is_back),
        cmocka_unit_test(where_all_sessions_hang_new_ones_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
