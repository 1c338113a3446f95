/* Purging removes one name with all its types and flags, or everything, and nothing else. */
#include "app/purge.h"

#include "app_world.h"
#include "dns/message.h"
#include "dns/question.h"

static const uint8_t example[] = "\7example\3com";
static const uint8_t other[] = "\5other\3com";

static struct question_key key_of(const uint8_t *name, size_t size, uint16_t type, uint8_t flags)
{
    struct question question = {.name = name, .name_size = (uint8_t)size, .type = type, .class = DNS_CLASS_IN};
    struct question_key key;
    question_key(&question, &key);
    key.bytes[size + 2] = flags;
    return key;
}

static struct hashed_key hashed(const struct app_world *world, const struct question_key *key)
{
    const struct hash_key *hash_key = &world->server->shared.hash_key;
    return (struct hashed_key){key->bytes, key->size, hash_bytes(hash_key, key->bytes, key->size)};
}

static void put(struct app_world *world, const uint8_t *name, size_t size, uint16_t type, uint8_t flags)
{
    struct question_key key = key_of(name, size, type, flags);
    const struct hashed_key found = hashed(world, &key);
    assert_true(cache_put(world->server->shared.cache, &found, "x", 1, NS_PER_S, 0));
}

static bool is_cached(struct app_world *world, const uint8_t *name, size_t size, uint16_t type, uint8_t flags)
{
    struct question_key key = key_of(name, size, type, flags);
    const struct hashed_key found = hashed(world, &key);
    struct cache_found ret;
    uint8_t value;
    return cache_find(world->server->shared.cache, &found, 0, &value, 1, &ret) == CACHE_FRESH;
}

static int make(void **state)
{
    struct app_world *world = calloc(1, sizeof *world);
    assert_true(app_world_make(world, free_port(), "workers: 1\n"));
    put(world, example, sizeof example, 1, 0);
    put(world, example, sizeof example, 1, 3);
    put(world, example, sizeof example, 257, 1);
    put(world, other, sizeof other, 1, 0);
    *state = world;
    return 0;
}

static int done(void **state)
{
    app_world_free(*state);
    free(*state);
    return 0;
}

static void one_name_goes_with_all_its_types_and_flags(void **state)
{
    struct app_world *world = *state;
    uint64_t removed = 0;
    assert_true(purge(world->server, "EXAMPLE.com", &removed));
    assert_int_equal(removed, 3);
    assert_false(is_cached(world, example, sizeof example, 1, 0));
    assert_false(is_cached(world, example, sizeof example, 257, 1));
    assert_true(is_cached(world, other, sizeof other, 1, 0));
    assert_non_null(strstr(app_world_log(world), "cache purged"));
    /* What other instances stored before does not bring it back. */
    assert_true(purges_concern(&world->server->purges, example, sizeof example, 1));
    assert_false(purges_concern(&world->server->purges, other, sizeof other, 1));
}

static void everything_goes_without_a_name(void **state)
{
    struct app_world *world = *state;
    uint64_t removed = 0;
    assert_true(purge(world->server, NULL, &removed));
    assert_int_equal(removed, 4);
    assert_false(is_cached(world, other, sizeof other, 1, 0));
    assert_true(purges_concern(&world->server->purges, other, sizeof other, 1));
}

static void a_text_that_is_no_name_removes_nothing(void **state)
{
    struct app_world *world = *state;
    uint64_t removed = 77;
    assert_false(purge(world->server, "a..b", &removed));
    assert_int_equal(removed, 77);
    assert_true(is_cached(world, other, sizeof other, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_name_goes_with_all_its_types_and_flags, make, done),
        cmocka_unit_test_setup_teardown(everything_goes_without_a_name, make, done),
        cmocka_unit_test_setup_teardown(a_text_that_is_no_name_removes_nothing, make, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
