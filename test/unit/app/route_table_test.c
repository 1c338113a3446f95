#include "routes_story.h"

#include "common/clock.h"

#define TWO "[" ROUTE("corp.example", "10.0.0.53") ", " ROUTE("lab.example", "10.0.0.54") "]"

/* A route with sixteen upstreams, the most there may be. */
static const char *wide_route(const char *zone)
{
    static char text[1024];
    size_t size = (size_t)snprintf(text, sizeof text, "{zones: [%s], upstreams: [", zone);
    for (int i = 0; i < UPSTREAMS_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s{address: 10.0.0.%d, transport: tcp}",
                                 i > 0 ? ", " : "", i + 1);
    snprintf(text + size, sizeof text - size, "]}");
    return text;
}

static void a_route_has_the_name_of_its_first_zone_and_its_upstreams(void **state)
{
    (void)state;
    struct route_table *table = table_of("[{zones: [corp.example, b.example], upstreams: [{address: 10.0.0.53, port: "
                                         "5353, transport: tcp}, {address: 10.0.0.54, name: dns.corp.example}]}]",
                                         NULL);
    assert_int_equal(table->count, 1);
    const struct route *route = &table->routes[0];
    assert_string_equal(route->name, "corp.example");
    assert_int_not_equal(route->identity, 0);
    assert_int_equal(route->upstream_count, 2);
    assert_int_equal(route->upstreams[0].address.port, 5353);
    assert_int_equal(route->upstreams[0].transport, UPSTREAM_TCP);
    assert_int_equal(route->upstreams[1].transport, UPSTREAM_TLS);
    assert_string_equal(route->upstreams[1].name, "dns.corp.example");
    route_table_free(table);
}

static void without_routes_a_table_is_empty(void **state)
{
    (void)state;
    char text[8] = "before";
    struct route_table *table = table_of("[]", NULL);
    assert_int_equal(table->count, 0);
    assert_null(route_table_find(table, 1));
    assert_int_equal(route_table_list_failing(table, text, sizeof text), 0);
    assert_string_equal(text, "");
    route_table_free(table);
    route_table_free(NULL);
    assert_null(route_table_share(NULL));
}

static void routes_are_found_by_identity(void **state)
{
    (void)state;
    struct route_table *table = table_of(TWO, NULL);
    assert_int_not_equal(table->routes[0].identity, table->routes[1].identity);
    assert_ptr_equal(route_table_find(table, table->routes[0].identity), &table->routes[0]);
    assert_ptr_equal(route_table_find(table, table->routes[1].identity), &table->routes[1]);
    assert_null(route_table_find(table, table->routes[0].identity ^ table->routes[1].identity ^ 1));
    route_table_free(table);
}

/* The first series are those of the default route's upstreams; none is given to two routes. */
static void each_route_has_series_of_its_own_for_its_upstreams(void **state)
{
    (void)state;
    char text[2048];
    snprintf(text, sizeof text, "[%s, %s]", ROUTE("a.example", "10.0.0.53"), wide_route("b.example"));
    struct route_table *table = table_of(text, NULL);
    assert_int_equal(table->routes[0].first_series, UPSTREAMS_MAX);
    assert_int_equal(table->routes[1].first_series, UPSTREAMS_MAX + 1);
    for (unsigned i = 0; i < UPSTREAMS_MAX; i++) assert_int_equal(table->series[i], 0);
    assert_int_equal(table->series[UPSTREAMS_MAX], table->routes[0].identity);
    for (unsigned i = 1; i <= UPSTREAMS_MAX; i++)
        assert_int_equal(table->series[UPSTREAMS_MAX + i], table->routes[1].identity);
    assert_int_equal(table->series[2 * UPSTREAMS_MAX + 1], 0);
    route_table_free(table);
}

static void routes_for_which_no_series_are_left_share_the_last_one(void **state)
{
    (void)state;
    char text[4096];
    size_t size = (size_t)snprintf(text, sizeof text, "[%s, ", wide_route("a.example"));
    size += (size_t)snprintf(text + size, sizeof text - size, "%s, ", wide_route("b.example"));
    size += (size_t)snprintf(text + size, sizeof text - size, "%s, ", wide_route("c.example"));
    snprintf(text + size, sizeof text - size, "%s]", ROUTE("d.example", "10.0.0.53"));
    struct route_table *table = table_of(text, NULL);
    assert_int_equal(table->routes[1].first_series, 2 * UPSTREAMS_MAX);
    assert_int_equal(table->routes[2].first_series, UPSTREAM_SERIES_REST); /* fifteen are left */
    assert_int_equal(table->routes[3].first_series, 3 * UPSTREAMS_MAX);    /* one is enough for it */
    route_table_free(table);
}

static void a_route_that_a_reload_leaves_keeps_its_series_and_its_times(void **state)
{
    (void)state;
    struct route_table *former = table_of(TWO, NULL);
    route_note(&former->routes[1], false, 7 * NS_PER_S);
    route_note(&former->routes[1], true, 5 * NS_PER_S);
    struct route_table *table =
        table_of("[" ROUTE("new.example", "10.0.0.1") ", " ROUTE("lab.example", "10.0.0.54") "]", former);
    const struct route *kept = &table->routes[1];
    assert_int_equal(kept->identity, former->routes[1].identity);
    assert_int_equal(kept->first_series, UPSTREAMS_MAX + 1);
    assert_int_equal(kept->failed_ns, 7 * NS_PER_S);
    assert_int_equal(kept->answered_ns, 5 * NS_PER_S);
    assert_int_equal(table->routes[0].first_series, UPSTREAMS_MAX); /* that of the route that has gone */
    assert_int_equal(table->routes[0].failed_ns, 0);
    route_table_free(former);
    assert_string_equal(kept->name, "lab.example");
    route_table_free(table);
}

static void a_route_with_another_upstream_is_another_route(void **state)
{
    (void)state;
    struct route_table *former = table_of(TWO, NULL);
    struct route_table *table = table_of("[" ROUTE("corp.example", "10.0.0.99") "]", former);
    assert_null(route_table_find(former, table->routes[0].identity));
    route_table_free(table);
    route_table_free(former);
}

static void a_table_lives_as_long_as_an_owner(void **state)
{
    (void)state;
    struct route_table *table = table_of(TWO, NULL);
    struct route_table *shared = route_table_share(table);
    assert_ptr_equal(shared, table);
    route_table_free(table);
    assert_string_equal(shared->routes[1].name, "lab.example");
    route_table_free(shared);
}

static void a_route_fails_from_a_failure_until_an_answer(void **state)
{
    (void)state;
    struct route_table *table = table_of(TWO, NULL);
    struct route *route = &table->routes[0];
    assert_false(route_is_failing(route));
    route_note(route, true, 1 * NS_PER_S);
    assert_false(route_is_failing(route));
    route_note(route, false, 2 * NS_PER_S);
    assert_true(route_is_failing(route));
    assert_false(route_is_failing(&table->routes[1]));
    route_note(route, true, 2 * NS_PER_S);
    assert_false(route_is_failing(route));
    route_table_free(table);
}

static void failing_routes_are_listed_as_far_as_there_is_room(void **state)
{
    (void)state;
    char text[64];
    struct route_table *table = table_of(
        "[" ROUTE("a.example", "10.0.0.1") ", " ROUTE("b.example", "10.0.0.2") ", " ROUTE("c.example", "10.0.0.3") "]",
        NULL);
    route_note(&table->routes[0], false, NS_PER_S);
    assert_int_equal(route_table_list_failing(table, text, sizeof text), 1);
    assert_string_equal(text, "a.example");
    route_note(&table->routes[2], false, NS_PER_S);
    assert_int_equal(route_table_list_failing(table, text, sizeof text), 2);
    assert_string_equal(text, "a.example, c.example");
    memset(text, 'x', sizeof text);
    assert_int_equal(route_table_list_failing(table, text, 12), 2);
    assert_string_equal(text, "a.example, ");
    assert_int_equal(text[12], 'x');
    assert_int_equal(route_table_list_failing(table, text, 1), 2);
    assert_string_equal(text, "");
    route_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_has_the_name_of_its_first_zone_and_its_upstreams),
        cmocka_unit_test(without_routes_a_table_is_empty),
        cmocka_unit_test(routes_are_found_by_identity),
        cmocka_unit_test(each_route_has_series_of_its_own_for_its_upstreams),
        cmocka_unit_test(routes_for_which_no_series_are_left_share_the_last_one),
        cmocka_unit_test(a_route_that_a_reload_leaves_keeps_its_series_and_its_times),
        cmocka_unit_test(a_route_with_another_upstream_is_another_route),
        cmocka_unit_test(a_table_lives_as_long_as_an_owner),
        cmocka_unit_test(a_route_fails_from_a_failure_until_an_answer),
        cmocka_unit_test(failing_routes_are_listed_as_far_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
