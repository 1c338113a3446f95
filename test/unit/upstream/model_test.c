/* Thousands of seeded runs of the pool over scripted upstreams, in virtual time. Whatever the combination: each
 * question ends once and in time, its attempts and the sessions it ends are bounded, and where an upstream can answer
 * it does. */
#include "model.h"
#include "pool_options.h"

#ifdef MODEL_RUNS
enum { RUNS = MODEL_RUNS };
#elif defined __SANITIZE_ADDRESS__
enum { RUNS = 300 };
#elif defined __SANITIZE_THREAD__
enum { RUNS = 100 };
#else
enum { RUNS = 1500 };
#endif

static unsigned draw(unsigned below)
{
    return (unsigned)(random_next(&model.random) % below);
}

static struct script draw_script(struct random *random)
{
    static const uint32_t bounds[] = {1, 2, 3, 5, 20, 100};
    struct script script = {.way_ns = (1 + random_next(random) % 20) * NS_PER_MS / 2};
    switch (random_next(random) % 12) {
    case 0: script.silent = true; break;
    case 1: script.drops_syn = true; break;
    case 2: script.refuses = true; break;
    case 3: script.serial = true; break;
    case 4: script.first_of_record = true; break;
    case 5: script.floods = true; break;
    case 6:
    case 7:
        script.answers_max = bounds[random_next(random) % 6];
        script.end = (enum model_end)(random_next(random) % 3);
        break;
    case 8:
        script.fault_every_ns = (200 + random_next(random) % 2000) * NS_PER_MS;
        script.fault = (enum model_end)(random_next(random) % 3);
        break;
    case 9:
        script.serial = true;
        script.answers_max = 20;
        break;
    default: break; /* healthy */
    }
    return script;
}

static bool is_healthy(const struct script *script)
{
    return !script->silent && !script->drops_syn && !script->refuses && !script->first_of_record && !script->floods &&
           !script->answers_max && !script->fault_every_ns && !script->serial;
}

static enum kind draw_kind(unsigned mix)
{
    static const enum kind bad[] = {KIND_SLOW, KIND_DROP, KIND_CLOSE, KIND_GARBAGE};
    if (mix == 0 || draw(25) != 0) return KIND_GOOD;
    return mix <= 4 ? bad[mix - 1] : bad[draw(4)];
}

static struct delays draw_delays(struct random *random)
{
    struct delays delays = {0};
    if (random_next(random) % 4 != 0) return delays;
    delays.every_ns = (300 + random_next(random) % 2000) * NS_PER_MS;
    delays.most_ns = (10 + random_next(random) % 300) * NS_PER_MS;
    delays.in_turns = random_next(random) % 2;
    delays.of_machine = random_next(random) % 2;
    return delays;
}

static void check_question(const struct question_story *question, uint64_t seed, bool healthy, bool poisoned)
{
    if (question->done != 1) fail_msg("seed %ju: a question ended %u times", (uintmax_t)seed, question->done);
    if (question->took_ns > 4501 * NS_PER_MS + 2 * model.delays.most_ns)
        fail_msg("seed %ju: a question took too long", (uintmax_t)seed);
    assert_in_range(question->attempts, 0, EXCHANGE_ATTEMPTS_TOTAL);
    assert_in_range(question->lost, 0, EXCHANGE_SESSIONS_MAX);
    bool can_be_answered = question->kind == KIND_GOOD || question->kind == KIND_SLOW;
    if (healthy && can_be_answered && question->result != EXCHANGE_ANSWERED)
        fail_msg("seed %ju: a '%c' name was not answered though an upstream is healthy: %s, %u attempts, %u lost",
                 (uintmax_t)seed, question->kind, exchange_result_text(question->result), question->attempts,
                 question->lost);
    if (healthy && !poisoned && model.delays.every_ns == 0 && question->kind == KIND_GOOD &&
        question->took_ns > 3000 * NS_PER_MS)
        fail_msg("seed %ju: a question took %ju ms though an upstream is healthy", (uintmax_t)seed,
                 (uintmax_t)(question->took_ns / NS_PER_MS));
}

static void run(uint64_t seed)
{
    struct random random = {.state = seed};
    struct script scripts[3];
    unsigned upstreams = 1 + (unsigned)(random_next(&random) % 3);
    bool healthy = false;
    const struct pool_options options = options_for(upstreams);
    for (unsigned i = 0; i < upstreams; i++) {
        scripts[i] = draw_script(&random);
        healthy |= is_healthy(&scripts[i]);
    }
    model_begin(&options, scripts, seed);
    model.slow_ns = 300 * NS_PER_MS;
    model.delays = draw_delays(&random);
    unsigned mix = draw(7);
    unsigned burst = 1 + draw(30);
    unsigned pause_ms = 1 + draw(60);
    while (model.asked + burst <= 200) {
        for (unsigned i = 0; i < burst; i++) model_ask(draw_kind(mix));
        model_run_ms(1 + draw(pause_ms));
    }
    model_run_ms(4600);
    for (unsigned i = 0; i < model.asked; i++) check_question(&model.questions[i], seed, healthy, mix > 0);
    assert_int_equal(model.finished, model.asked);
    if (model.channels > 6 * model.asked + 100) fail_msg("seed %ju: %u sessions", (uintmax_t)seed, model.channels);
    model_end();
}

static void whatever_upstreams_do_each_question_ends_once_and_in_time(void **state)
{
    (void)state;
    const char *only = getenv("MODEL_SEED");
    if (only) {
        run(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= RUNS; seed++) run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_upstreams_do_each_question_ends_once_and_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
