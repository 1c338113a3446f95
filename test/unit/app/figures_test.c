/* What the status page and the metrics show of a server is what the server has. */
#include "app/figures.h"

#include "app_world.h"

static struct figures *read_figures(struct app_world *world, bool with_names)
{
    struct figures *figures = calloc(1, sizeof *figures);
    assert_non_null(figures);
    figures_read(world->server, 10 * NS_PER_S, with_names, figures);
    return figures;
}

static void count_name(struct app_world *world, unsigned times)
{
    static const uint8_t bytes[] = {3, 'w', 'w', 'w', 0, 0, 28, 1}; /* www. AAAA, with RD */
    const struct hash_key *hash_key = &world->server->shared.hash_key;
    const struct hashed_key key = {bytes, sizeof bytes, hash_bytes(hash_key, bytes, sizeof bytes)};
    while (times-- > 0) topnames_count(world->server->shared.topnames, &key, 0, NS_PER_S);
}

static void figures_are_those_of_the_configuration(void **state)
{
    (void)state;
    struct app_world world;
    assert_true(app_world_make(&world, free_port(), "workers: 2\ncache: {max_size: 1MiB}\n"));
    struct figures *figures = read_figures(&world, false);
    assert_int_equal((int)figures->workers, 2);
    assert_int_equal((int)figures->workers_active, 1);
    assert_int_equal((int)figures->cache_bytes_max, 1 << 20);
    assert_int_equal(figures->upstream_count, 1);
    assert_string_equal(figures->upstreams[0], "127.0.0.1:1#cloudflare-dns.com");
    assert_true(figures->reload_good > 0.5);
    assert_true(figures->started_s > 1e9);
    assert_int_equal(figures->name_count, 0);
    free(figures);
    app_world_free(&world);
}

static void busy_clients_and_top_names_are_shown_in_words(void **state)
{
    (void)state;
    struct app_world world;
    struct address client;
    assert_true(app_world_make(&world, free_port(), "workers: 1\n"));
    assert_true(address_parse("192.0.2.7:4711", 0, &client));
    busiest_report(world.server->busiest, &client, 120, 9 * NS_PER_S);
    count_name(&world, 5);
    struct figures *figures = read_figures(&world, true);
    assert_int_equal(figures->busiest_port_count, 1);
    assert_string_equal(figures->busiest_ports[0].address, "192.0.2.7");
    assert_int_equal(figures->busiest_ports[0].port, 4711);
    assert_int_equal(figures->name_count, 1);
    assert_string_equal(figures->names[0].name, "www.");
    assert_string_equal(figures->names[0].type, "AAAA");
    free(figures);
    figures = read_figures(&world, false);
    assert_int_equal(figures->name_count, 0); /* names and clients are looked up only for who may see them */
    assert_int_equal(figures->busiest_port_count, 0);
    free(figures);
    app_world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_configuration),
        cmocka_unit_test(busy_clients_and_top_names_are_shown_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
