/* The worker's own delays (long turns, a processor it did not get, a machine that stood still) are held against no
 * upstream: sessions that answer as fast as ever are not called silent, nothing is asked twice, and an upstream that
 * really is silent is found out all the same. */
#include "model.h"
#include "pool_options.h"

enum { RUNS = 60, QUESTIONS = 600 };

static unsigned draw(unsigned below)
{
    return (unsigned)(random_next(&model.random) % below);
}

static void begin(uint64_t seed, const struct script *script, struct delays delays)
{
    const struct pool_options options = options_for(1);
    model_begin(&options, script, seed);
    model.delays = delays;
    model.delay_at_ns = model.loop.now_ns + model_draw_ns(delays.every_ns);
}

/* Asked in small bursts, by clients that know nothing of the delays. */
static void ask_for_a_while(void)
{
    while (model.asked + 10 <= QUESTIONS) {
        for (unsigned burst = 1 + draw(10); burst > 0; burst--) model_ask(KIND_GOOD);
        model_run_ms(1 + draw(20));
    }
    model.delays.every_ns = 0;
    model_run_ms(4600);
}

static void check_nobody_was_blamed(uint64_t seed)
{
    for (unsigned i = 0; i < model.asked; i++) {
        const struct question_story *question = &model.questions[i];
        if (question->done != 1 || question->result != EXCHANGE_ANSWERED || question->attempts != 1)
            fail_msg("seed %ju: question %u: %s, %u attempts", (uintmax_t)seed, i,
                     exchange_result_text(question->result), question->attempts);
    }
    uint64_t hung = value_upstream_failures(model.counters, 0, LABEL_FAILURE_HUNG);
    if (hung > 0) fail_msg("seed %ju: %ju sessions were called silent", (uintmax_t)seed, (uintmax_t)hung);
    if (model.channels > 2) fail_msg("seed %ju: %u sessions", (uintmax_t)seed, model.channels);
}

static void try_delays(struct delays delays)
{
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        const struct script scripts[] = {
            {.way_ns = NS_PER_MS / 2}, {.way_ns = 2 * NS_PER_MS}, {.way_ns = NS_PER_MS / 2, .serial = true}};
        begin(seed, &scripts[seed % 3], delays);
        ask_for_a_while();
        check_nobody_was_blamed(seed);
        model_end();
    }
}

static void long_turns_are_held_against_nobody(void **state)
{
    (void)state;
    try_delays((struct delays){.every_ns = 30 * NS_PER_MS, .most_ns = 200 * NS_PER_MS, .in_turns = true});
}

static void waits_that_end_late_are_held_against_nobody(void **state)
{
    (void)state;
    try_delays((struct delays){.every_ns = 200 * NS_PER_MS, .most_ns = 1000 * NS_PER_MS});
}

static void a_machine_that_stands_still_is_held_against_nobody(void **state)
{
    (void)state;
    try_delays((struct delays){.every_ns = 200 * NS_PER_MS, .most_ns = 1000 * NS_PER_MS, .of_machine = true});
    try_delays((struct delays){
        .every_ns = 200 * NS_PER_MS, .most_ns = 1000 * NS_PER_MS, .in_turns = true, .of_machine = true});
}

/* Where every turn takes long, silence is found out later, but is found out. */
static void a_silent_upstream_is_found_out_by_a_slow_worker(void **state)
{
    (void)state;
    const struct pool_options options = options_for(2);
    const struct script scripts[] = {{.way_ns = NS_PER_MS / 2, .silent = true}, {.way_ns = NS_PER_MS / 2}};
    model_begin(&options, scripts, 7);
    model.delays = (struct delays){.every_ns = 1, .most_ns = 50 * NS_PER_MS, .in_turns = true};
    for (unsigned i = 0; i < 100; i++) {
        model_ask(KIND_GOOD);
        model_run_ms(20);
    }
    model_run_ms(4600);
    for (unsigned i = 0; i < model.asked; i++) {
        assert_int_equal(model.questions[i].result, EXCHANGE_ANSWERED);
        assert_in_range(model.questions[i].took_ns, 0, 3500 * NS_PER_MS);
    }
    model_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_turns_are_held_against_nobody),
        cmocka_unit_test(waits_that_end_late_are_held_against_nobody),
        cmocka_unit_test(a_machine_that_stands_still_is_held_against_nobody),
        cmocka_unit_test(a_silent_upstream_is_found_out_by_a_slow_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
