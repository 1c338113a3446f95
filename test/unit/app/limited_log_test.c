/* limited_log: a client that is refused for its rate has a line when that begins, and one a minute while it goes on. */
#include "app/limited_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/address.h"
#include "common/clock.h"

enum { WINDOW_S = 3 };
#define START_NS (1000 * RATELIMIT_WINDOW_NS)

struct world {
    struct log log;
    FILE *file;
    struct limited_log limited;
    uint64_t now_ns;
    char text[1 << 16];
};

static int setup(void **state)
{
    const struct log_options options = {LOG_LEVEL_WARNING, LOG_FORMAT_TEXT};
    struct world *world = test_calloc(1, sizeof *world);
    world->file = tmpfile();
    assert_non_null(world->file);
    log_init(&world->log, &options, fileno(world->file));
    limited_log_init(&world->limited, &world->log);
    world->now_ns = START_NS;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    fclose(world->file);
    test_free(world);
    return 0;
}

static struct ratelimit_client client_of(const char *who, double refused_per_s)
{
    struct address address;
    struct ratelimit_client client = {.queries_per_s = 2 * refused_per_s, .refused_per_s = refused_per_s};
    assert_true(address_parse(who, 1, &address));
    memcpy(client.ip, address.ip, sizeof client.ip);
    return client;
}

/* One window in which `who` (NULL: nobody) was refused 10 queries a second. */
static void look(struct world *world, const char *who)
{
    struct ratelimit_client client;
    if (who) client = client_of(who, 10);
    world->now_ns += RATELIMIT_WINDOW_NS;
    assert_true(limited_log_is_due(&world->limited, world->now_ns));
    limited_log_look(&world->limited, &client, who ? 1 : 0, world->now_ns);
    assert_false(limited_log_is_due(&world->limited, world->now_ns));
}

/* Lines of the log that hold `part`. */
static unsigned lines_with(struct world *world, const char *part)
{
    unsigned count = 0;
    ssize_t size = pread(fileno(world->file), world->text, sizeof world->text - 1, 0);
    world->text[size > 0 ? size : 0] = '\0';
    for (const char *line = world->text; *line; line += strcspn(line, "\n") + 1) {
        const char *at = strstr(line, part);
        count += at && at < line + strcspn(line, "\n");
    }
    return count;
}

static void a_line_when_it_begins_and_one_a_minute(void **state)
{
    struct world *world = *state;
    look(world, "192.0.2.7");
    assert_int_equal(lines_with(world, "client limited"), 1);
    assert_int_equal(lines_with(world, "client=192.0.2.7 refused=30 seconds=3"), 1);
    for (unsigned i = 0; i < 60 / WINDOW_S - 1; i++) look(world, "192.0.2.7");
    assert_int_equal(lines_with(world, "client limited"), 1); /* 57 s later */
    look(world, "192.0.2.7");
    assert_int_equal(lines_with(world, "client limited"), 2);
    assert_int_equal(lines_with(world, "client=192.0.2.7 refused=600 seconds=60"), 1);
}

static void what_was_refused_before_it_ended_is_counted(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 3; i++) look(world, "192.0.2.7");
    for (unsigned i = 0; i < 60 / WINDOW_S; i++) look(world, NULL);
    assert_int_equal(lines_with(world, "refused=60 seconds=6"), 1);
    for (unsigned i = 0; i < 600 / WINDOW_S; i++) look(world, NULL);
    assert_int_equal(lines_with(world, "client limited"), 2); /* nothing more is said of it, */
    look(world, "192.0.2.7");
    assert_int_equal(lines_with(world, "client limited"), 3); /* until it begins anew */
}

static void clients_have_lines_of_their_own(void **state)
{
    struct world *world = *state;
    look(world, "192.0.2.7");
    look(world, "[2001:db8::]");
    assert_int_equal(lines_with(world, "client limited"), 2);
    assert_int_equal(lines_with(world, "client=2001:db8:: refused=30"), 1);
}

static void of_many_clients_some_are_followed_and_the_others_mentioned(void **state)
{
    struct world *world = *state;
    struct ratelimit_client clients[2 * LIMITED_LOG_CLIENTS];
    for (unsigned i = 0; i < 2 * LIMITED_LOG_CLIENTS; i++) {
        char who[32];
        snprintf(who, sizeof who, "10.0.0.%u", i);
        clients[i] = client_of(who, 100 - i);
    }
    for (unsigned i = 0; i < 3; i++) {
        world->now_ns += RATELIMIT_WINDOW_NS;
        limited_log_look(&world->limited, clients, 2 * LIMITED_LOG_CLIENTS, world->now_ns);
    }
    assert_int_equal(lines_with(world, "client limited"), LIMITED_LOG_CLIENTS);
    assert_int_equal(lines_with(world, "more clients limited"), 1);
    assert_int_equal(lines_with(world, "client=10.0.0.0 "), 1); /* those refused most are followed */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_when_it_begins_and_one_a_minute),
        TEST(what_was_refused_before_it_ended_is_counted),
        TEST(clients_have_lines_of_their_own),
        TEST(of_many_clients_some_are_followed_and_the_others_mentioned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
