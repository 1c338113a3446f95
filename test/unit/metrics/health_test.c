/* health: who lives and who is ready, told by the clock the test holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/health.h"

#define S NS_PER_S

/* A program that started 1,000 s after boot, at 2023-11-14T22:13:20Z, with two workers. */
enum { START_WALL_S = 1700000000 };
#define START_NS (1000 * S)

struct world {
    struct health *health;
    struct counters *blocks[2];
    char *text;
};

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->health = aligned_alloc(_Alignof(struct health), sizeof *world->health);
    for (int i = 0; i < 2; i++) world->blocks[i] = counters_new();
    health_init(world->health, world->blocks, 2, START_NS);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) counters_free(world->blocks[i]);
    free(world->health);
    free(world->text);
    test_free(world);
    return 0;
}

static struct heartbeat *add(struct world *world, const char *name)
{
    struct heartbeat *heartbeat = health_add(world->health, name, START_NS);
    assert_non_null(heartbeat);
    return heartbeat;
}

static void answered(struct world *world, unsigned worker, uint64_t now_ns)
{
    gauge_set(&world->blocks[worker]->upstream_answered_ns, now_ns);
}

static const char *live_body(struct world *world, uint64_t now_ns, bool expected)
{
    size_t size;
    free(world->text);
    FILE *out = open_memstream(&world->text, &size);
    assert_int_equal(health_write_live(world->health, now_ns, START_WALL_S + (int64_t)((now_ns - START_NS) / S), out),
                     expected);
    fclose(out);
    return world->text;
}

static const char *ready_body(struct world *world, uint64_t now_ns, bool expected)
{
    size_t size;
    free(world->text);
    FILE *out = open_memstream(&world->text, &size);
    assert_int_equal(
        health_write_ready(world->health, "", now_ns, START_WALL_S + (int64_t)((now_ns - START_NS) / S), out),
        expected);
    fclose(out);
    return world->text;
}

static void a_program_without_parts_lives(void **state)
{
    struct world *world = *state;
    assert_true(health_is_live(world->health, START_NS + 3600 * S));
}

static void it_lives_while_every_part_beats(void **state)
{
    struct world *world = *state;
    struct heartbeat *one = add(world, "worker 0");
    struct heartbeat *two = add(world, "worker 1");
    for (uint64_t now_ns = START_NS; now_ns < START_NS + 60 * S; now_ns += HEARTBEAT_EVERY_NS) {
        heartbeat_beat(one, now_ns);
        heartbeat_beat(two, now_ns);
        assert_true(health_is_live(world->health, now_ns));
    }
}

static void one_silent_part_is_enough_not_to_live(void **state)
{
    struct world *world = *state;
    struct heartbeat *one = add(world, "worker 0");
    add(world, "worker 1");
    heartbeat_beat(one, START_NS + HEARTBEAT_STALE_NS);
    assert_true(health_is_live(world->health, START_NS + HEARTBEAT_STALE_NS));
    assert_false(health_is_live(world->health, START_NS + HEARTBEAT_STALE_NS + 1));
}

static void a_part_that_beats_again_lives_again(void **state)
{
    struct world *world = *state;
    struct heartbeat *part = add(world, "worker 0");
    assert_false(health_is_live(world->health, START_NS + 30 * S));
    heartbeat_beat(part, START_NS + 30 * S);
    assert_true(health_is_live(world->health, START_NS + 30 * S));
}

static void a_part_stopped_on_purpose_is_not_missed(void **state)
{
    struct world *world = *state;
    heartbeat_stop(add(world, "acceptor"));
    assert_true(health_is_live(world->health, START_NS + 3600 * S));
    assert_non_null(
        strstr(live_body(world, START_NS + 3600 * S, true), "{\"name\":\"acceptor\",\"state\":\"stopped\"}"));
}

/* A thread may beat between a reader's looking at the clock and its looking at the beat. */
static void a_beat_of_the_future_is_fresh(void **state)
{
    struct world *world = *state;
    heartbeat_beat(add(world, "worker 0"), START_NS + 5 * S);
    assert_true(health_is_live(world->health, START_NS));
}

static void parts_are_bounded_and_names_cut(void **state)
{
    struct world *world = *state;
    struct heartbeat *first = add(world, "a name that is much too long for a part");
    assert_int_equal(strlen(first->name), HEALTH_NAME_BYTES - 1);
    for (int i = 1; i < HEALTH_PARTS_MAX; i++) add(world, "part");
    assert_null(health_add(world->health, "one more", START_NS));
}

static void heartbeats_share_no_cache_line(void **state)
{
    struct world *world = *state;
    uintptr_t one = (uintptr_t)add(world, "worker 0");
    uintptr_t two = (uintptr_t)add(world, "worker 1");
    assert_int_equal(one % 128, 0);
    assert_true(two - one >= 128);
}

static void the_live_body_names_each_part_and_since_when(void **state)
{
    struct world *world = *state;
    heartbeat_beat(add(world, "main"), START_NS + 14 * S);
    add(world, "worker 0");
    assert_string_equal(
        live_body(world, START_NS + 15 * S, false),
        "{\"status\":\"not live\",\"uptime_seconds\":15,\"parts\":["
        "{\"name\":\"main\",\"state\":\"ok\",\"since\":\"2023-11-14T22:13:34Z\",\"for_seconds\":1},"
        "{\"name\":\"worker 0\",\"state\":\"silent\",\"since\":\"2023-11-14T22:13:20Z\",\"for_seconds\":15}]}\n");
}

static void a_part_is_ok_since_its_beats_are_unbroken(void **state)
{
    struct world *world = *state;
    struct heartbeat *part = add(world, "worker 0");
    for (unsigned s = 2; s <= 20; s += 2) heartbeat_beat(part, START_NS + s * S);
    assert_non_null(
        strstr(live_body(world, START_NS + 20 * S, true), "\"since\":\"2023-11-14T22:13:20Z\",\"for_seconds\":20"));
    heartbeat_beat(part, START_NS + 40 * S);
    heartbeat_beat(part, START_NS + 42 * S);
    assert_non_null(
        strstr(live_body(world, START_NS + 43 * S, true), "\"since\":\"2023-11-14T22:14:00Z\",\"for_seconds\":3"));
}

static void nobody_is_ready_before_an_upstream_answered(void **state)
{
    struct world *world = *state;
    struct readiness readiness = health_look(world->health, START_NS + 3 * S);
    assert_int_equal(readiness.state, READINESS_NO_ANSWER_YET);
    assert_int_equal(readiness.since_ns, START_NS);
    assert_string_equal(
        ready_body(world, START_NS + 3 * S, false),
        "{\"status\":\"not ready\",\"reason\":\"no upstream has answered yet\","
        "\"since\":\"2023-11-14T22:13:20Z\",\"for_seconds\":3,\"upstream_answered_ms_ago\":null,\"parts\":[]}\n");
}

static void one_answer_of_one_worker_is_enough(void **state)
{
    struct world *world = *state;
    answered(world, 1, START_NS + 1 * S);
    struct readiness readiness = health_look(world->health, START_NS + 2 * S);
    assert_int_equal(readiness.state, READINESS_READY);
    assert_int_equal(readiness.answered_ns, START_NS + 1 * S);
    assert_non_null(strstr(ready_body(world, START_NS + 2 * S, true), "\"status\":\"ready\""));
    assert_non_null(strstr(world->text, "\"upstream_answered_ms_ago\":1000"));
}

static void readiness_ends_nine_seconds_after_the_last_answer(void **state)
{
    struct world *world = *state;
    answered(world, 0, START_NS + 5 * S);
    answered(world, 1, START_NS + 2 * S);
    assert_int_equal(health_look(world->health, START_NS + 14 * S).state, READINESS_READY);
    struct readiness readiness = health_look(world->health, START_NS + 18 * S);
    assert_int_equal(readiness.state, READINESS_NO_ANSWER);
    assert_int_equal(readiness.since_ns, START_NS + 14 * S);
    assert_non_null(
        strstr(ready_body(world, START_NS + 18 * S, false), "\"for_seconds\":4,\"upstream_answered_ms_ago\":13000"));
}

static void an_answer_makes_ready_again_at_once(void **state)
{
    struct world *world = *state;
    answered(world, 0, START_NS);
    assert_int_equal(health_look(world->health, START_NS + 60 * S).state, READINESS_NO_ANSWER);
    answered(world, 0, START_NS + 61 * S);
    assert_int_equal(health_look(world->health, START_NS + 61 * S).state, READINESS_READY);
}

static void ready_since_is_when_it_was_first_seen(void **state)
{
    struct world *world = *state;
    answered(world, 0, START_NS + 1 * S);
    assert_int_equal(health_look(world->health, START_NS + 2 * S).since_ns, START_NS + 2 * S);
    answered(world, 0, START_NS + 8 * S);
    assert_int_equal(health_look(world->health, START_NS + 9 * S).since_ns, START_NS + 2 * S);
    health_look(world->health, START_NS + 30 * S); /* silent for too long */
    answered(world, 0, START_NS + 31 * S);
    assert_int_equal(health_look(world->health, START_NS + 32 * S).since_ns, START_NS + 32 * S);
}

static void draining_ends_readiness_finally(void **state)
{
    struct world *world = *state;
    answered(world, 0, START_NS);
    health_drain(world->health, START_NS + 1 * S);
    health_drain(world->health, START_NS + 2 * S);
    struct readiness readiness = health_look(world->health, START_NS + 3 * S);
    assert_int_equal(readiness.state, READINESS_DRAINING);
    assert_int_equal(readiness.since_ns, START_NS + 1 * S);
    assert_non_null(strstr(ready_body(world, START_NS + 3 * S, false), "\"reason\":\"draining\""));
}

/* Cut off from its upstreams a program must not be restarted for it: that would help nobody and empty the cache. */
static void not_ready_is_not_dead(void **state)
{
    struct world *world = *state;
    struct heartbeat *part = add(world, "worker 0");
    heartbeat_beat(part, START_NS + 100 * S);
    assert_int_equal(health_look(world->health, START_NS + 100 * S).state, READINESS_NO_ANSWER_YET);
    assert_true(health_is_live(world->health, START_NS + 100 * S));
}

/* Why no upstream answers, while none does. */
static void a_bundle_of_which_nothing_is_valid_is_the_reason(void **state)
{
    struct world *world = *state;
    health_set_nothing_trusted(world->health, true);
    struct readiness readiness = health_look(world->health, START_NS + 3 * S);
    assert_int_equal(readiness.state, READINESS_CLOCK);
    assert_int_equal(readiness.since_ns, START_NS);
    assert_non_null(strstr(ready_body(world, START_NS + 3 * S, false),
                           "\"reason\":\"no certificate in the CA bundle is valid at this machine's clock\""));
    answered(world, 0, START_NS + 4 * S); /* over a session that was validated before */
    assert_int_equal(health_look(world->health, START_NS + 5 * S).state, READINESS_READY);
    assert_int_equal(health_look(world->health, START_NS + 60 * S).state, READINESS_CLOCK);
    health_set_nothing_trusted(world->health, false);
    assert_int_equal(health_look(world->health, START_NS + 60 * S).state, READINESS_NO_ANSWER);
    health_set_nothing_trusted(world->health, true);
    health_drain(world->health, START_NS + 61 * S);
    assert_int_equal(health_look(world->health, START_NS + 62 * S).state, READINESS_DRAINING);
}

/* Names of upstreams without an address; where nothing is trusted either, that is said first: it would stay. */
static void names_that_are_not_resolved_are_the_reason(void **state)
{
    struct world *world = *state;
    health_set_nothing_resolved(world->health, true);
    assert_int_equal(health_look(world->health, START_NS + 3 * S).state, READINESS_NAMES);
    assert_non_null(strstr(ready_body(world, START_NS + 3 * S, false), "no server of `bootstrap` answers"));
    health_set_nothing_trusted(world->health, true);
    assert_int_equal(health_look(world->health, START_NS + 3 * S).state, READINESS_CLOCK);
    health_set_nothing_trusted(world->health, false);
    health_set_nothing_resolved(world->health, false);
    assert_int_equal(health_look(world->health, START_NS + 3 * S).state, READINESS_NO_ANSWER_YET);
    health_set_nothing_resolved(world->health, true);
    answered(world, 0, START_NS + 4 * S);
    assert_int_equal(health_look(world->health, START_NS + 5 * S).state, READINESS_READY);
}

static void every_state_has_its_reason(void **state)
{
    (void)state;
    for (int a = READINESS_READY; a <= READINESS_NAMES; a++)
        for (int b = READINESS_READY; b < a; b++)
            assert_string_not_equal(readiness_reason((enum readiness_state)a),
                                    readiness_reason((enum readiness_state)b));
}

static void addresses_that_are_not_served_are_reported(void **state)
{
    (void)state;
    struct counters *blocks[1] = {counters_new()};
    struct health *health = aligned_alloc(_Alignof(struct health), sizeof *health);
    struct address addresses[2];
    char *text = NULL;
    size_t size;
    health_init(health, blocks, 1, NS_PER_S);
    assert_true(address_parse("[2001:db8::1]:53", 0, &addresses[0]));
    assert_true(address_parse("192.0.2.1:53", 0, &addresses[1]));
    health_set_not_served(health, addresses, 2);
    FILE *out = open_memstream(&text, &size);
    health_write_ready(health, "", 2 * NS_PER_S, 1700000000, out);
    fclose(out);
    assert_non_null(strstr(text, "\"addresses_not_served\":[\"[2001:db8::1]:53\",\"192.0.2.1:53\"],"));
    free(text);
    counters_free(blocks[0]);
    free(health);
}

static void failing_routes_are_named_and_do_not_decide(void **state)
{
    struct world *world = *state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_false(health_write_ready(world->health, "corp.example, x", START_NS, START_WALL_S, out));
    fclose(out);
    assert_non_null(strstr(text, "\"failing_routes\":\"corp.example, x\""));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_are_not_served_are_reported),
        TEST(a_program_without_parts_lives),
        TEST(failing_routes_are_named_and_do_not_decide),
        TEST(it_lives_while_every_part_beats),
        TEST(one_silent_part_is_enough_not_to_live),
        TEST(a_part_that_beats_again_lives_again),
        TEST(a_part_stopped_on_purpose_is_not_missed),
        TEST(a_beat_of_the_future_is_fresh),
        TEST(parts_are_bounded_and_names_cut),
        TEST(heartbeats_share_no_cache_line),
        TEST(the_live_body_names_each_part_and_since_when),
        TEST(a_part_is_ok_since_its_beats_are_unbroken),
        TEST(nobody_is_ready_before_an_upstream_answered),
        TEST(one_answer_of_one_worker_is_enough),
        TEST(readiness_ends_nine_seconds_after_the_last_answer),
        TEST(an_answer_makes_ready_again_at_once),
        TEST(ready_since_is_when_it_was_first_seen),
        TEST(draining_ends_readiness_finally),
        TEST(not_ready_is_not_dead),
        TEST(a_bundle_of_which_nothing_is_valid_is_the_reason),
        TEST(names_that_are_not_resolved_are_the_reason),
        cmocka_unit_test(every_state_has_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
