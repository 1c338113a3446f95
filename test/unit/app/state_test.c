/* The number that stands for the upstreams: the same while answers may be kept, another when they may not. */
#include "app/state.h"

#include "app_world.h"

#define UPSTREAM(address, port) "{address: " address ", port: " port ", name: cloudflare-dns.com}"
#define ROUTE(zones, address)   "{zones: [" zones "], upstreams: [{address: " address ", port: 53, transport: tcp}]}"

static uint64_t origin_of(const char *text)
{
    struct config config;
    const struct cookie_keys keys = cookie_keys_draw(0);
    assert_true(config_parse(text, strlen(text), "test.yaml", &config, stderr));
    const struct keeper_settings settings = state_settings(&config, NULL, &keys);
    config_free(&config);
    return settings.origin;
}

static void assert_same(const char *one, const char *other)
{
    assert_true(origin_of(one) == origin_of(other));
}

static void assert_other(const char *one, const char *other)
{
    assert_false(origin_of(one) == origin_of(other));
}

#define TWO "upstreams: [" UPSTREAM("192.0.2.1", "853") ", " UPSTREAM("192.0.2.2", "853") "]\n"

static void the_order_of_upstreams_and_routes_does_not_count(void **state)
{
    (void)state;
    assert_same(TWO, "upstreams: [" UPSTREAM("192.0.2.2", "853") ", " UPSTREAM("192.0.2.1", "853") "]\n");
    assert_same("routes: [" ROUTE("a.test, b.test", "192.0.2.1") ", " ROUTE("c.test", "192.0.2.2") "]\n",
                "routes: [" ROUTE("c.test", "192.0.2.2") ", " ROUTE("b.test, a.test", "192.0.2.1") "]\n");
    assert_same(TWO, TWO "cache: {max_size: 1MiB}\nnames: {records: [\"a.test 60 IN A 192.0.2.1\"]}\n");
}

static void another_server_or_route_is_another_origin(void **state)
{
    (void)state;
    assert_other(TWO, "upstreams: [" UPSTREAM("192.0.2.1", "853") "]\n");
    assert_other(TWO, "upstreams: [" UPSTREAM("192.0.2.1", "853") ", " UPSTREAM("192.0.2.3", "853") "]\n");
    assert_other(TWO, "upstreams: [" UPSTREAM("192.0.2.1", "853") ", " UPSTREAM("192.0.2.2", "854") "]\n");
    assert_other("upstreams: [{address: 192.0.2.1, name: a.example}]\n",
                 "upstreams: [{address: 192.0.2.1, name: b.example}]\n");
    assert_other(TWO, TWO "routes: [" ROUTE("a.test", "192.0.2.1") "]\n");
    assert_other("routes: [" ROUTE("a.test", "192.0.2.1") "]\n", "routes: [" ROUTE("b.test", "192.0.2.1") "]\n");
    assert_other("routes: [" ROUTE("a.test", "192.0.2.1") "]\n", "routes: [" ROUTE("a.test", "192.0.2.2") "]\n");
    assert_other("routes: [" ROUTE("a.test", "192.0.2.1") ", " ROUTE("b.test", "192.0.2.2") "]\n",
                 "routes: [" ROUTE("b.test", "192.0.2.1") ", " ROUTE("a.test", "192.0.2.2") "]\n");
}

/* Keys of a file that a fleet shares are not this process's to keep. */
static void only_keys_of_this_process_are_kept(void **state)
{
    (void)state;
    struct config config;
    struct cookie_keys keys = cookie_keys_draw(0);
    assert_true(config_parse(TWO, strlen(TWO), "test.yaml", &config, stderr));
    struct keeper_settings settings = state_settings(&config, NULL, &keys);
    assert_true(settings.has_cookie_key);
    assert_memory_equal(settings.cookie_key, keys.master, sizeof keys.master);
    keys.rotates = false;
    assert_false(state_settings(&config, NULL, &keys).has_cookie_key);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_upstreams_and_routes_does_not_count),
        cmocka_unit_test(another_server_or_route_is_another_origin),
        cmocka_unit_test(only_keys_of_this_process_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
