/* json: texts that any parser takes, whatever is put into them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/json.h"

struct world {
    char *text;
    size_t size;
    struct json json;
};

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->json.out = open_memstream(&world->text, &world->size);
    *state = world;
    return !world->json.out;
}

static int teardown(void **state)
{
    struct world *world = *state;
    fclose(world->json.out);
    free(world->text);
    test_free(world);
    return 0;
}

static const char *written(struct world *world)
{
    fflush(world->json.out);
    return world->text;
}

static void values_in_an_object_are_separated_by_commas(void **state)
{
    struct world *world = *state;
    json_open(&world->json, NULL, '{');
    json_text(&world->json, "a", "x");
    json_count(&world->json, "b", UINT64_MAX);
    json_number(&world->json, "c", 0.25);
    json_bool(&world->json, "d", false);
    json_null(&world->json, "e");
    json_close(&world->json, '{');
    assert_string_equal(written(world), "{\"a\":\"x\",\"b\":18446744073709551615,\"c\":0.25,\"d\":false,\"e\":null}");
}

static void arrays_and_objects_nest(void **state)
{
    struct world *world = *state;
    json_open(&world->json, NULL, '[');
    json_open(&world->json, NULL, '{');
    json_open(&world->json, "empty", '[');
    json_close(&world->json, '[');
    json_bool(&world->json, "after", true);
    json_close(&world->json, '{');
    json_open(&world->json, NULL, '{');
    json_close(&world->json, '{');
    json_count(&world->json, NULL, 1);
    json_count(&world->json, NULL, 2);
    json_close(&world->json, '[');
    assert_string_equal(written(world), "[{\"empty\":[],\"after\":true},{},1,2]");
}

static void quotes_and_backslashes_are_escaped(void **state)
{
    struct world *world = *state;
    json_text(&world->json, NULL, "a\"b\\c/d");
    assert_string_equal(written(world), "\"a\\\"b\\\\c/d\"");
}

static void control_characters_and_what_is_not_ascii_become_codes(void **state)
{
    struct world *world = *state;
    json_text(&world->json, NULL, "\x01\n\t\x7f\x80\xff");
    assert_string_equal(written(world), "\"\\u0001\\u000a\\u0009\\u007f\\u0080\\u00ff\"");
}

/* Harmless even where somebody puts the text into a page. */
static void no_tag_can_begin(void **state)
{
    struct world *world = *state;
    json_text(&world->json, NULL, "</script><script>");
    assert_string_equal(written(world), "\"\\u003c/script>\\u003cscript>\"");
}

static void keys_are_escaped_too(void **state)
{
    struct world *world = *state;
    json_open(&world->json, NULL, '{');
    json_text(&world->json, "a\"", NULL);
    json_close(&world->json, '{');
    assert_string_equal(written(world), "{\"a\\\"\":null}");
}

static void large_and_small_numbers_stay_numbers(void **state)
{
    struct world *world = *state;
    json_open(&world->json, NULL, '[');
    json_number(&world->json, NULL, 1790000000);
    json_number(&world->json, NULL, 0.05);
    json_number(&world->json, NULL, -3);
    json_number(&world->json, NULL, 1e300);
    json_close(&world->json, '[');
    assert_string_equal(written(world), "[1790000000,0.05,-3,1e+300]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_in_an_object_are_separated_by_commas),
        TEST(arrays_and_objects_nest),
        TEST(quotes_and_backslashes_are_escaped),
        TEST(control_characters_and_what_is_not_ascii_become_codes),
        TEST(no_tag_can_begin),
        TEST(keys_are_escaped_too),
        TEST(large_and_small_numbers_stay_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
