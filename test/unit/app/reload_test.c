/* A reload changes what the table of settings says it changes, and nothing where it is refused. */
#include "app_world.h"

#include "app/reload.h"
#include "config/settings.h"

static bool parse(const char *text, uint16_t port, struct config *ret_config)
{
    char yaml[1024];
    int size = snprintf(yaml, sizeof yaml,
                        "listen: [\"127.0.0.1:%u\"]\n"
                        "upstreams: [{address: 127.0.0.1, port: 1, name: cloudflare-dns.com}]\n%s",
                        port, text);
    return config_parse(yaml, (size_t)size, "test.yaml", ret_config, stderr);
}

/* Reloads with another file; the log says what came of it. */
static bool reload(struct app_world *world, uint16_t port, const char *text)
{
    struct config config;
    char error[RELOAD_ERROR_BYTES];
    assert_true(parse(text, port, &config));
    bool good = reload_apply(world->server, &config, error);
    if (!good) config_free(&config);
    return good;
}

/* Each row that needs a restart, with a value that is not its default. */
static const struct {
    const char *key;
    const char *text;
} restart_cases[] = {
    {"workers", "workers: 3\n"},
    {"prefetch.top", "prefetch: {top: 77}\n"},
    {"rate_limit.max_clients", "rate_limit: {max_clients: 77}\n"},
    {"http.listen", "http: {listen: \"127.0.0.1:5001\"}\n"},
    {"log.format", "log: {format: json}\n"},
    {"log.recent", "log: {recent: 77}\n"},
    {"state.directory", "state: {directory: \"/nonexistent\"}\n"},
    {"dnstap.socket", "dnstap: {socket: \"/run/x\"}\n"},
    {"dnstap.sample", "dnstap: {sample: 7}\n"},
    {"dnstap.clients", "dnstap: {clients: false}\n"},
    {"sandbox", "sandbox: off\n"},
    {"user", "user: daemon\n"},
};

static void every_setting_that_needs_a_restart_is_named_and_kept(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    size_t cases = 0;
    for (size_t i = 0; i < settings.count; i++) cases += settings.rows[i].applies == SETTING_RESTART;
    assert_int_equal(cases, sizeof restart_cases / sizeof *restart_cases);
    for (size_t i = 0; i < cases; i++) {
        struct app_world world;
        char expected[128];
        uint16_t port = free_port();
        const struct setting *row = settings_find(settings, restart_cases[i].key);
        assert_int_equal(row->applies, SETTING_RESTART);
        assert_true(app_world_make(&world, port, "workers: 1\n"));
        struct config before;
        assert_true(parse("workers: 1\nhttp: {listen: \"\"}\n", port, &before));
        snprintf(expected, sizeof expected, "event=\"needs a restart\" setting=%s ", row->key);
        char text[256];
        bool is_workers = strcmp(row->key, "workers") == 0, is_http = strcmp(row->key, "http.listen") == 0;
        snprintf(text, sizeof text, "%s%s%s", is_workers ? "" : "workers: 1\n", is_http ? "" : "http: {listen: \"\"}\n",
                 restart_cases[i].text);
        assert_true(reload(&world, port, text));
        assert_non_null(strstr(app_world_log(&world), expected));
        assert_true(setting_equal(row, &world.server->config, &before));
        config_free(&before);
        app_world_free(&world);
    }
}

static void live_settings_are_taken(void **state)
{
    (void)state;
    struct app_world world;
    uint16_t port = free_port(), other = free_port();
    assert_true(app_world_make(&world, port, "workers: 1\n"));
    assert_true(reload(&world, other,
                       "workers: 1\nhttp: {listen: \"\"}\nclients: {max_queries_in_flight: 77}\n"
                       "access: {allow: [192.0.2.0/24]}\nrate_limit: {ipv4_prefix: 24}\n"));
    const struct config *config = &world.server->config;
    assert_int_equal(config->forwarder.max_queries, 77);
    assert_int_equal(config->access.allow_count, 1);
    assert_int_equal(config->connections.ipv4_prefix, 24);
    assert_int_equal(world.server->listeners.count, 1);
    assert_int_equal(world.server->listeners.addresses[0].port, other);
    assert_null(strstr(app_world_log(&world), "needs a restart"));
    app_world_free(&world);
}

static void a_reload_that_is_refused_changes_nothing(void **state)
{
    (void)state;
    struct app_world world, taken;
    uint16_t port = free_port(), busy = free_port();
    assert_true(app_world_make(&taken, busy, "workers: 1\n"));
    assert_true(app_world_make(&world, port, "workers: 1\n"));
    int fd = world.server->listeners.fds[0];
    struct access_list *access = world.server->access;
    assert_false(reload(&world, busy, "workers: 1\naccess: {allow: []}\nclients: {max_queries_in_flight: 77}\n"));
    assert_int_equal(world.server->listeners.fds[0], fd);
    assert_ptr_equal(world.server->access, access);
    assert_int_not_equal(world.server->config.forwarder.max_queries, 77);
    assert_false(reload(&world, port, "workers: 1\ntls: {ca_file: /nonexistent/bundle.pem}\n"));
    assert_ptr_equal(world.server->access, access);
    app_world_free(&world);
    app_world_free(&taken);
}

/* systemd decides the addresses; what the file says is named and not taken. */
static void listen_is_ignored_where_sockets_are_passed(void **state)
{
    (void)state;
    struct app_world world;
    uint16_t port = free_port();
    assert_true(app_world_make(&world, port, "workers: 1\n"));
    world.server->listeners.inherited = true;
    assert_true(reload(&world, free_port(), "workers: 1\nhttp: {listen: \"\"}\n"));
    assert_non_null(strstr(app_world_log(&world), "event=\"setting ignored\" setting=listen "));
    assert_int_equal(world.server->config.acceptor.listen[0].port, port);
    assert_int_equal(world.server->listeners.count, 1);
    app_world_free(&world);
}

static void an_address_that_came_is_opened(void **state)
{
    (void)state;
    struct app_world world;
    uint16_t other = free_port();
    assert_true(app_world_make(&world, free_port(), "workers: 1\n"));
    struct listeners *listeners = &world.server->listeners;
    assert_true(address_parse("[2001:db8::53]:853", 0, &listeners->missing[0]));
    listeners->missing_count = 1;
    reload_retry_listeners(world.server);
    assert_int_equal(listeners->count, 1);
    assert_true(address_parse("127.0.0.1:1", 0, &listeners->missing[0])); /* as if it had come */
    listeners->missing[0].port = other;
    reload_retry_listeners(world.server);
    assert_int_equal(listeners->count, 2);
    assert_int_equal(listeners->missing_count, 0);
    assert_non_null(strstr(app_world_log(&world), "event=listening"));
    app_world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_that_needs_a_restart_is_named_and_kept),
        cmocka_unit_test(live_settings_are_taken),
        cmocka_unit_test(a_reload_that_is_refused_changes_nothing),
        cmocka_unit_test(listen_is_ignored_where_sockets_are_passed),
        cmocka_unit_test(an_address_that_came_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
