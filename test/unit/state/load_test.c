/* What is saved is loaded, by the real code of both: answers with their ages, names with their counts. */
#include "state_story.h"

#include "state/snapshot_writer.h"

enum { ANSWERS = 3000, NAMES = 100 };

struct world {
    struct tables before;
    struct tables after;
    struct purged purged;
    struct counters *counters;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->before = tables_new(16 << 20);
    world->after = tables_new(16 << 20);
    purged_init(&world->purged);
    world->counters = counters_new();
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    tables_free(&world->before);
    tables_free(&world->after);
    purged_done(&world->purged);
    counters_free(world->counters);
    free(world);
    return 0;
}

static struct loaded load(struct world *world, struct memory memory)
{
    return story_load(&world->after, memory.bytes, memory.size, &world->purged, world->counters);
}

static void count_name(struct world *world, unsigned number, unsigned times)
{
    struct question_key key = story_key(number);
    const struct hashed_key hashed = story_hashed(&world->before, &key);
    while (times-- > 0) topnames_count(world->before.shared.topnames, &hashed, 0, clock_now_ns());
}

static void answers_come_back_with_their_age(void **state)
{
    struct world *world = *state;
    uint64_t entries;
    uint64_t age_ns = 0;
    for (unsigned i = 0; i < ANSWERS; i++) story_put(&world->before, i, i % 2 ? 100 * NS_PER_S : 400 * NS_PER_S);
    struct memory memory = story_save(&world->before, &entries);
    assert_int_equal(entries, ANSWERS);
    struct loaded loaded = load(world, memory);
    assert_int_equal(loaded.verdict, LOAD_DONE);
    assert_int_equal(loaded.result.answers, ANSWERS);
    assert_int_equal(loaded.result.rejected, 0);
    assert_true(loaded.result.is_complete);
    assert_int_equal(value_state_loaded(world->counters), ANSWERS);
    for (unsigned i = 0; i < ANSWERS; i++) {
        assert_int_equal(story_see(&world->after, i, &age_ns), i % 2 ? CACHE_FRESH : CACHE_STALE);
        assert_true(age_ns >= (i % 2 ? 100 : 400) * NS_PER_S);
    }
    free(memory.bytes);
}

static void names_come_back_and_those_without_an_answer_are_to_be_asked_most_asked_first(void **state)
{
    struct world *world = *state;
    uint64_t entries;
    struct topname names[STORY_TOP];
    for (unsigned i = 0; i < NAMES; i++) {
        count_name(world, i, 3 + i);
        if (i % 3 == 0) story_put(&world->before, i, 0);
        if (i % 3 == 1) story_put(&world->before, i, 400 * NS_PER_S); /* it is over */
    }
    struct memory memory = story_save(&world->before, &entries);
    struct loaded loaded = load(world, memory);
    assert_int_equal(loaded.result.names, NAMES);
    assert_int_equal(topnames_list(world->after.shared.topnames, names, STORY_TOP), NAMES);
    for (unsigned i = 0; i < NAMES; i++) assert_int_equal(names[i].queries, 3 + NAMES - 1 - i);
    for (unsigned i = NAMES; i-- > 0;) {
        uint8_t bytes[WARMUP_KEY_MAX];
        const struct question_key key = story_key(i);
        if (i % 3 == 0) continue;
        assert_int_equal(warmup_take(world->after.shared.warmup, bytes), key.size);
        assert_memory_equal(bytes, key.bytes, key.size);
    }
    free(memory.bytes);
}

static void a_live_answer_is_not_replaced(void **state)
{
    struct world *world = *state;
    uint64_t entries;
    uint64_t age_ns = 0;
    story_put(&world->before, 1, 200 * NS_PER_S);
    struct memory memory = story_save(&world->before, &entries);
    story_put(&world->after, 1, 0);
    assert_int_equal(load(world, memory).result.answers, 0);
    assert_int_equal(story_see(&world->after, 1, &age_ns), CACHE_FRESH);
    assert_true(age_ns < 100 * NS_PER_S);
    free(memory.bytes);
}

static void purged_names_stay_away(void **state)
{
    struct world *world = *state;
    uint64_t entries;
    uint64_t age_ns;
    const struct question_key key = story_key(1);
    for (unsigned i = 0; i < 3; i++) story_put(&world->before, i, 0);
    struct memory memory = story_save(&world->before, &entries);
    purged_note(&world->purged, key.bytes, question_key_name_size(&key));
    assert_int_equal(load(world, memory).result.answers, 2);
    assert_int_equal(story_see(&world->after, 1, &age_ns), CACHE_ABSENT);
    assert_int_equal(value_state_rejected(world->counters, LABEL_STATE_REJECTED_PURGED), 1);
    purged_note(&world->purged, NULL, 0);
    cache_clear(world->after.shared.cache);
    assert_int_equal(load(world, memory).result.answers, 0);
    free(memory.bytes);
}

static void the_key_of_cookies_comes_back(void **state)
{
    struct world *world = *state;
    uint64_t entries;
    uint8_t key[STATE_COOKIE_KEY_BYTES];
    struct memory memory = story_save(&world->before, &entries);
    FILE *in = fmemopen(memory.bytes, memory.size, "r");
    assert_true(load_cookie_key(in, key));
    assert_memory_equal(key, "sixteen octets.", sizeof key);
    fclose(in);
    memory.bytes[memory.size / 2]++;
    in = fmemopen(memory.bytes, memory.size / 2, "r");
    assert_false(load_cookie_key(in, key));
    fclose(in);
    free(memory.bytes);
}

static void assert_ignored(struct world *world, const struct snapshot_head *head, const char *why)
{
    struct memory memory = {NULL, 0};
    struct snapshot_writer writer;
    FILE *out = open_memstream(&memory.bytes, &memory.size);
    snapshot_writer_begin(&writer, out, head);
    assert_true(snapshot_writer_end(&writer));
    fclose(out);
    struct loaded loaded = load(world, memory);
    assert_int_equal(loaded.verdict, *why ? LOAD_IGNORED : LOAD_DONE);
    if (!strstr(loaded.why, why)) fail_msg("'%s', not '%s'", loaded.why, why);
    free(memory.bytes);
}

static void a_snapshot_of_others_or_of_the_future_is_ignored(void **state)
{
    struct world *world = *state;
    const uint64_t now_ns = clock_wall_ns();
    assert_ignored(world, &(struct snapshot_head){.saved_ns = now_ns, .origin = STORY_ORIGIN}, "");
    assert_ignored(world, &(struct snapshot_head){.saved_ns = now_ns, .origin = STORY_ORIGIN + 1}, "other upstreams");
    assert_ignored(world, &(struct snapshot_head){.saved_ns = now_ns + 10 * NS_PER_S, .origin = STORY_ORIGIN},
                   "future");
    assert_ignored(world, &(struct snapshot_head){.saved_ns = UINT64_MAX, .origin = STORY_ORIGIN}, "future");
    assert_int_equal(load(world, (struct memory){NULL, 0}).verdict, LOAD_IGNORED);
}

/* Each 4 kB of a file cut off in turn, and bits flipped all over it: whatever comes back is right. */
static void a_damaged_snapshot_gives_no_wrong_answer(void **state)
{
    struct world *world = *state;
    uint64_t entries;
    uint64_t age_ns;
    for (unsigned i = 0; i < ANSWERS; i++) story_put(&world->before, i, 0);
    struct memory memory = story_save(&world->before, &entries);
    unsigned seed = 1;
    for (size_t cut = memory.size; cut > 0; cut = cut > 4096 ? cut - 4096 : 0) {
        for (unsigned i = 0; i < 5; i++) memory.bytes[(size_t)rand_r(&seed) % cut] ^= (char)(1 << rand_r(&seed) % 8);
        cache_clear(world->after.shared.cache);
        struct loaded loaded = load(world, (struct memory){memory.bytes, cut});
        unsigned found = 0;
        for (unsigned i = 0; i < ANSWERS; i++) found += story_see(&world->after, i, &age_ns) != CACHE_ABSENT;
        assert_int_equal(found, loaded.result.answers);
        assert_true(loaded.verdict == LOAD_IGNORED || loaded.result.damaged > 0);
        if (loaded.verdict == LOAD_IGNORED) break;
    }
    free(memory.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_come_back_with_their_age, setup, teardown),
        cmocka_unit_test_setup_teardown(names_come_back_and_those_without_an_answer_are_to_be_asked_most_asked_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_live_answer_is_not_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(purged_names_stay_away, setup, teardown),
        cmocka_unit_test_setup_teardown(the_key_of_cookies_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_of_others_or_of_the_future_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_snapshot_gives_no_wrong_answer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
