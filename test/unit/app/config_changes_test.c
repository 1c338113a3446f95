/* What a reload changed is said row by row of the settings table. */
#include "app/config_changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"

static int ends[2];
static struct log out;
static char lines[16384];

static int setup(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    if (pipe2(ends, O_NONBLOCK) != 0) return -1;
    log_init(&out, &(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT}, ends[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void parse(const char *text, struct config *config)
{
    if (!config_parse(text, strlen(text), "dns.yaml", config, stderr)) fail_msg("%s", text);
}

/* Notes the changes between two files; `lines` has what was logged. */
static void note(const char *former_text, const char *text, char *noted, size_t size)
{
    struct config former, config;
    parse(former_text, &former);
    parse(text, &config);
    config_changes_note(&former, &config, &out, noted, size);
    ssize_t got = read(ends[0], lines, sizeof lines - 1);
    lines[got > 0 ? got : 0] = '\0';
    config_free(&former);
    config_free(&config);
}

static void equal_configurations_have_none(void **state)
{
    (void)state;
    char noted[64];
    note("workers: 2\n", "workers: 2 # the same\n", noted, sizeof noted);
    assert_string_equal(noted, "");
    assert_string_equal(lines, "");
}

static void each_change_has_both_values(void **state)
{
    (void)state;
    char noted[512];
    note("workers: 2\n", "workers: 2\ncache: {max_ttl: 2h}\nrate_limit: {action: refuse}\nudp: {enabled: false}\n",
         noted, sizeof noted);
    assert_string_equal(noted, "cache.max_ttl: 1d -> 2h\nrate_limit.action: servfail -> refuse\n"
                               "udp.enabled: true -> false\n");
    assert_non_null(strstr(lines, "level=info event=\"setting changed\" setting=cache.max_ttl former=1d value=2h\n"));
    assert_non_null(strstr(lines, "setting=udp.enabled former=true value=false\n"));
}

static void lists_are_compared_by_their_entries(void **state)
{
    (void)state;
    char noted[1024];
    note("upstreams: [{address: 192.0.2.1, name: a.example}]\n", "upstreams: [{address: 192.0.2.2, name: a.example}]\n",
         noted, sizeof noted);
    assert_non_null(strstr(noted, "upstreams: [{address: \"192.0.2.1\""));
    assert_non_null(strstr(noted, " -> [{address: \"192.0.2.2\""));
}

static void a_long_value_is_cut(void **state)
{
    (void)state;
    char text[8192] = "access: {allow: [192.0.2.0/24";
    char noted[2048];
    for (int i = 0; i < 200; i++) snprintf(text + strlen(text), sizeof text - strlen(text), ", 10.0.%d.0/24", i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "]}\n");
    note("workers: 2\n", text, noted, sizeof noted);
    size_t size = strlen(noted);
    assert_in_range(size, 256, 600);
    assert_string_equal(noted + size - 4, "...\n");
}

static void what_has_no_room_is_left_out_by_lines(void **state)
{
    (void)state;
    char noted[32];
    note("workers: 2\n", "cache: {max_ttl: 2h, serve_stale: 2h}\nworkers: 2\n", noted, sizeof noted);
    assert_string_equal(noted, "cache.max_ttl: 1d -> 2h\n...\n");
    assert_non_null(strstr(lines, "cache.serve_stale"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_configurations_have_none, setup, teardown),
        cmocka_unit_test_setup_teardown(each_change_has_both_values, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_compared_by_their_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_value_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_room_is_left_out_by_lines, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
