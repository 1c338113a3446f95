/* The shared cache of the configuration: which files it needs, and what the log says of the store. */
#include "app/shared_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../fuzz/chain_material.h"
#include "common/clock.h"
#include "config/config.h"
#include "store/failure.h"

static const struct shared_cache_tls no_tls;

static const char *const upstream = "upstreams: [{address: 192.0.2.1, name: dns.example}]\n";

static struct config config_of(const char *shared_cache)
{
    char text[512];
    struct config config;
    int size = snprintf(text, sizeof text, "%sshared_cache: {%s}\n", upstream, shared_cache);
    assert_true(config_parse(text, (size_t)size, "dns.yaml", &config, stderr));
    return config;
}

/* ---- making it ---- */

static void without_an_address_there_is_none(void **state)
{
    (void)state;
    struct config config = config_of("secret_file: /nonexistent");
    struct shared_cache cache;
    char error[SETUP_ERROR_BYTES];
    assert_true(shared_cache_make(&config, &no_tls, NULL, &cache, error));
    assert_null(cache.setup);
    assert_true(shared_cache_check(&config, stderr));
    shared_cache_free(&cache);
    config_free(&config);
}

static void its_files_are_read_and_what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"address: \"192.0.2.6:6379\", secret_file: /nonexistent", "shared_cache.secret_file '/nonexistent': No such"},
        {"address: \"192.0.2.6:6379\", secret_file: none, password_file: /nonexistent",
         "shared_cache.password_file '/nonexistent': No such"},
        {"address: \"192.0.2.6:6379\", secret_file: none, tls_name: cache.example, ca_file: /nonexistent",
         "shared_cache.ca_file: /nonexistent: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config = config_of(cases[i].text);
        struct shared_cache cache;
        char error[SETUP_ERROR_BYTES], *said = NULL;
        size_t size;
        FILE *errors = open_memstream(&said, &size);
        assert_false(shared_cache_make(&config, &no_tls, NULL, &cache, error));
        assert_non_null(strstr(error, cases[i].said));
        assert_null(cache.setup);
        assert_false(shared_cache_check(&config, errors));
        fclose(errors);
        assert_non_null(strstr(said, cases[i].said));
        free(said);
        config_free(&config);
    }
}

static void a_check_needs_no_bundle_of_upstreams(void **state)
{
    (void)state;
    struct config config = config_of("address: \"192.0.2.6:6379\", secret_file: none, tls_name: cache.example");
    assert_true(shared_cache_check(&config, stderr));
    config_free(&config);
}

static void what_is_made_is_of_the_upstreams(void **state)
{
    (void)state;
    struct config config = config_of("address: \"192.0.2.6:6379\", secret_file: none");
    struct shared_cache cache;
    char error[SETUP_ERROR_BYTES];
    assert_true(shared_cache_make(&config, &no_tls, NULL, &cache, error));
    assert_string_equal(cache.setup->origin, "dns.example");
    assert_null(cache.setup->tls);
    shared_cache_free(&cache);
    config_free(&config);
}

/* A bundle, whose file has gone when this returns. */
static struct tls_context *make_bundle(void)
{
    struct tls_options options = {.ca_file = "/tmp/shared_cache_test.XXXXXX"};
    char error[TLS_ERROR_MAX];
    int fd = mkstemp(options.ca_file);
    assert_int_equal(write(fd, material_root, strlen(material_root)), strlen(material_root));
    struct tls_context *tls = tls_context_new(&options, NULL, error);
    assert_non_null(tls);
    close(fd);
    unlink(options.ca_file);
    return tls;
}

static void other_certificates_are_trusted_for_the_store_too(void **state)
{
    (void)state;
    struct config config = config_of("address: \"192.0.2.6:6379\", secret_file: none, tls_name: cache.example");
    struct tls_context *tls = make_bundle(), *other = make_bundle();
    struct shared_cache cache, next, again;
    char error[SETUP_ERROR_BYTES];
    assert_true(shared_cache_make(&config, &(struct shared_cache_tls){tls, NULL}, NULL, &cache, error));
    assert_ptr_equal(cache.setup->tls, tls);
    assert_true(shared_cache_retrust(&cache, tls, other, &next));
    assert_ptr_equal(next.setup->tls, other);
    assert_false(store_setup_is_same_store(cache.setup, next.setup)); /* so its connections are made anew */
    assert_string_equal(next.setup->origin, "dns.example");
    assert_memory_equal(&next.setup->keys, &cache.setup->keys, sizeof cache.setup->keys);
    assert_true(shared_cache_retrust(&next, tls, other, &again)); /* the store has a bundle of its own */
    assert_ptr_equal(again.setup, next.setup);
    shared_cache_free(&cache);
    shared_cache_free(&next);
    shared_cache_free(&again);
    tls_context_free(tls);
    tls_context_free(other);
    config_free(&config);
}

static void without_tls_and_without_a_shared_cache_nothing_is_trusted(void **state)
{
    (void)state;
    struct config config = config_of("address: \"192.0.2.6:6379\", secret_file: none");
    struct tls_context *tls = make_bundle();
    struct shared_cache cache, next;
    char error[SETUP_ERROR_BYTES];
    assert_true(shared_cache_make(&config, &(struct shared_cache_tls){tls, NULL}, NULL, &cache, error));
    assert_true(shared_cache_retrust(&cache, tls, tls, &next));
    assert_ptr_equal(next.setup, cache.setup);
    assert_null(next.setup->tls);
    shared_cache_free(&cache);
    shared_cache_free(&next);
    assert_true(shared_cache_retrust(&cache, tls, tls, &next));
    assert_null(next.setup);
    tls_context_free(tls);
    config_free(&config);
}

/* ---- the log ---- */

static struct world {
    struct shared_cache_watch watch;
    struct counters *workers[2];
    struct store_options options;
    struct log log;
    int ends[2];
    uint64_t now_ns;
    char text[4096]; /* what was logged since it was read last */
} world;

static int setup(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    memset(&world, 0, sizeof world);
    world.now_ns = 1000 * NS_PER_S;
    address_parse("192.0.2.6:6379", 0, &world.options.address);
    for (unsigned i = 0; i < 2; i++) world.workers[i] = counters_new();
    if (pipe2(world.ends, O_NONBLOCK) != 0) return -1;
    log_init(&world.log, &(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT}, world.ends[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) counters_free(world.workers[i]);
    close(world.ends[0]);
    close(world.ends[1]);
    return 0;
}

/* What is logged in so many seconds in which nothing changes. */
static const char *logged_in(unsigned seconds)
{
    for (; seconds > 0; seconds--) {
        world.now_ns += NS_PER_S;
        shared_cache_look(&world.watch, world.workers, 2, &world.options, &world.log, world.now_ns);
    }
    ssize_t got = read(world.ends[0], world.text, sizeof world.text - 1);
    world.text[got > 0 ? got : 0] = '\0';
    return world.text;
}

static void become(unsigned worker, enum store_state state, const char *why)
{
    set_gauge(world.workers[worker], shared_state, state);
    set_shared_error(world.workers[worker], why);
}

static void assert_one_line(const char *with)
{
    const char *text = logged_in(5);
    const char *end = strchr(text, '\n');
    assert_non_null(strstr(text, with));
    assert_non_null(end);
    assert_string_equal(end + 1, "");
}

static void its_use_and_its_end_are_one_line_each(void **state)
{
    (void)state;
    assert_string_equal(logged_in(5), ""); /* nothing is known yet */
    become(0, STORE_UNREACHABLE, NULL);
    assert_string_equal(logged_in(5), "");
    become(1, STORE_IN_USE, NULL); /* one worker is enough */
    assert_one_line("shared cache in use");
    become(0, STORE_IN_USE, NULL);
    assert_string_equal(logged_in(5), "");
    become(1, STORE_LEFT_ALONE, "it does not answer");
    assert_string_equal(logged_in(5), "");
    become(0, STORE_LEFT_ALONE, "it does not answer");
    assert_one_line("shared cache unavailable");
    become(0, STORE_REFUSED, "it wants a password");
    become(1, STORE_REFUSED, "it wants a password");
    assert_one_line("it wants a password");
    become(0, STORE_IN_USE, NULL);
    assert_one_line("shared cache in use");
}

static void forged_entries_are_said_once_a_minute(void **state)
{
    (void)state;
    become(0, STORE_IN_USE, NULL);
    logged_in(1);
    _Atomic uint64_t *forged = cell_shared_results(world.workers[1], LABEL_SHARED_RESULT_FORGED);
    counter_add(forged, 3);
    assert_one_line("entries=3");
    counter_add(forged, 4);
    assert_string_equal(logged_in(53), "");
    counter_add(forged, 5);
    assert_one_line("entries=9");
    assert_string_equal(logged_in(100), "");
}

static void without_a_shared_cache_nothing_is_said(void **state)
{
    (void)state;
    world.options.address.port = 0;
    become(0, STORE_REFUSED, "it wants a password");
    assert_string_equal(logged_in(5), "");
}

static void that_entries_are_not_signed_is_said(void **state)
{
    (void)state;
    struct config config = config_of("address: \"192.0.2.6:6379\", secret_file: none");
    shared_cache_warn(&config, &world.log);
    assert_one_line("shared cache is not signed");
    config.store.address.port = 0;
    shared_cache_warn(&config, &world.log);
    assert_string_equal(logged_in(1), "");
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_address_there_is_none),
        cmocka_unit_test(its_files_are_read_and_what_is_wrong_is_said),
        cmocka_unit_test(a_check_needs_no_bundle_of_upstreams),
        cmocka_unit_test(what_is_made_is_of_the_upstreams),
        cmocka_unit_test(other_certificates_are_trusted_for_the_store_too),
        cmocka_unit_test(without_tls_and_without_a_shared_cache_nothing_is_trusted),
        cmocka_unit_test_setup_teardown(its_use_and_its_end_are_one_line_each, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_entries_are_said_once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_shared_cache_nothing_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(that_entries_are_not_signed_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
