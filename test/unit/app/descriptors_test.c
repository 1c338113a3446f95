/* The limit of open files decides how many connections are possible, and a warning says so. */
#include "app/descriptors.h"

#include <sys/resource.h>

#include "app_world.h"

static FILE *log_file;
static struct log log_;

static bool is_shared; /* there is a shared cache */

static uint32_t connections_with(uint32_t wanted, struct routes_options routes)
{
    const struct log_options options = {LOG_LEVEL_INFO, LOG_FORMAT_TEXT};
    struct config config = {.workers = 1, .routes = routes};
    config.pool.upstream_count = 2;
    config.pool.max_sessions = 4;
    config.connections.max_connections = wanted;
    config.store.address.port = is_shared;
    log_file = tmpfile();
    log_init(&log_, &options, fileno(log_file));
    return descriptors_connections_max(&config, &log_);
}

static uint32_t connections_for(uint32_t wanted)
{
    return connections_with(wanted, (struct routes_options){.count = 0});
}

static bool has_warned(void)
{
    char text[1024] = "";
    bool warned = pread(fileno(log_file), text, sizeof text - 1, 0) > 0 && strstr(text, "fewer connections");
    fclose(log_file);
    return warned;
}

static void few_connections_are_possible_as_configured(void **state)
{
    (void)state;
    assert_int_equal(connections_for(10), 10);
    assert_false(has_warned());
}

static void more_than_the_limit_allows_are_reduced_and_the_log_says_so(void **state)
{
    (void)state;
    struct rlimit limit;
    struct route_options routes[] = {{.upstreams = {.count = 3}}, {.upstreams = {.count = 1}}};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max = 1000;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    uint32_t connections = connections_for(100000);
    assert_in_range(connections, 500, 1000 - 2 * 2 * 4 - 1);
    assert_true(has_warned());
    uint32_t with_routes = connections_with(100000, (struct routes_options){.list = routes, .count = 2});
    assert_int_equal(with_routes, connections - 2 * 4 * (3 + 1)); /* two for each of four sessions to each upstream */
    assert_true(has_warned());
    is_shared = true;
    assert_int_equal(connections_for(100000), connections - 1); /* one for each worker */
    assert_true(has_warned());
    getrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(limit.rlim_cur, limit.rlim_max); /* the soft limit was raised */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_connections_are_possible_as_configured),
        cmocka_unit_test(more_than_the_limit_allows_are_reduced_and_the_log_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
