/* All parts of the program are made, started and freed, and a part that cannot be made is named in the log. */
#include "app_world.h"

static void all_parts_are_made_and_freed_without_a_thread(void **state)
{
    (void)state;
    struct app_world world;
    assert_true(app_world_make(&world, free_port(), "workers: 3\n"));
    assert_int_equal(world.server->worker_count, 3);
    assert_int_equal(world.server->workers_running, 0);
    assert_int_equal(world.server->listeners.count, 1);
    assert_non_null(world.server->shared.cache);
    assert_non_null(world.server->acceptor);
    app_world_free(&world);
}

static void an_address_in_use_is_named_and_nothing_leaks(void **state)
{
    (void)state;
    struct app_world first, second;
    uint16_t port = free_port();
    assert_true(app_world_make(&first, port, "workers: 1\n"));
    assert_false(app_world_make(&second, port, "workers: 1\n"));
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%u", port);
    assert_non_null(strstr(app_world_log(&second), "start failed"));
    assert_non_null(strstr(app_world_log(&second), expected));
    app_world_free(&second);
    app_world_free(&first);
}

static void a_bundle_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct app_world world;
    assert_false(app_world_make(&world, free_port(), "tls: {ca_file: /nonexistent/bundle.pem}\n"));
    assert_non_null(strstr(app_world_log(&world), "/nonexistent/bundle.pem"));
    app_world_free(&world);
}

static void workers_that_must_drain_end(void **state)
{
    (void)state;
    struct app_world world;
    assert_true(app_world_make(&world, free_port(), "workers: 2\n"));
    assert_true(server_start_threads(world.server));
    assert_int_equal(world.server->workers_running, 2);
    server_stop_accepting(world.server, false);
    for (unsigned i = 0; i < world.server->worker_count; i++) worker_drain(world.server->workers[i], false);
    server_join_workers(world.server);
    assert_int_equal(world.server->workers_running, 0);
    struct list mails;
    list_init(&mails);
    mailbox_drain(&world.server->mailbox, &mails);
    unsigned ended = 0;
    for (struct list *node; (node = list_take(&mails)); ended++) {
        struct mail *mail = container_of(node, struct mail, node);
        assert_int_equal(mail->kind, WORKER_ENDED);
        free(mail);
    }
    assert_int_equal(ended, 2);
    app_world_free(&world);
}

static void a_worker_knows_when_the_program_is_crowded(void **state)
{
    (void)state;
    struct app_world world;
    assert_true(app_world_make(&world, free_port(), "workers: 1\nclients: {max_connections: 100}\n"));
    struct worker_settings settings = server_worker_settings(world.server, &world.server->config, 0);
    assert_int_equal(settings.client.crowded_above, 80);
    app_world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts_are_made_and_freed_without_a_thread),
        cmocka_unit_test(an_address_in_use_is_named_and_nothing_leaks),
        cmocka_unit_test(a_bundle_that_cannot_be_read_is_named),
        cmocka_unit_test(workers_that_must_drain_end),
        cmocka_unit_test(a_worker_knows_when_the_program_is_crowded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
