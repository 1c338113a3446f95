/* A problem of an upstream is one line where it begins and one where it ends. */
#include "app/upstream_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

#define LABEL "192.0.2.1:853#dns.example"

static struct world {
    struct upstream_watch watch;
    struct upstream_report report;
    struct log log;
    int ends[2];
    uint64_t now_ns;
    char text[8192]; /* lines since read_lines was called last */
} world;

static int setup(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    memset(&world, 0, sizeof world);
    world.report.label = LABEL;
    world.now_ns = 1000 * NS_PER_S;
    if (pipe2(world.ends, O_NONBLOCK) != 0) return -1;
    log_init(&world.log, &(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT}, world.ends[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(world.ends[0]);
    close(world.ends[1]);
    return 0;
}

static void read_lines(void)
{
    ssize_t got = read(world.ends[0], world.text, sizeof world.text - 1);
    world.text[got > 0 ? got : 0] = '\0';
}

static unsigned lines_since(void)
{
    unsigned count = 0;
    read_lines();
    for (const char *c = world.text; (c = strchr(c, '\n')); c++) count++;
    return count;
}

/* Looks once a second, for so long, at an upstream that stays as it is. */
static void pass(unsigned seconds)
{
    while (seconds-- > 0) {
        upstream_watch_look(&world.watch, 0, &world.report, &world.log, world.now_ns);
        world.now_ns += NS_PER_S;
    }
}

static void become(enum upstream_state state, const char *why)
{
    world.report.state = state;
    world.report.why = why;
}

static void failures(enum label_failure reason, unsigned count)
{
    world.report.failures[reason] += count;
}

static void expect_line(const char *part)
{
    if (lines_since() != 1 || !strstr(world.text, part)) fail_msg("not one line with '%s': %s", part, world.text);
}

static void expect_silence(void)
{
    if (lines_since() != 0) fail_msg("unexpected: %s", world.text);
}

static void an_upstream_that_is_up_is_said_to_be_once(void **state)
{
    (void)state;
    pass(3);
    expect_silence(); /* standby */
    become(UPSTREAM_UP, NULL);
    pass(100);
    expect_line("level=info event=\"upstream up\" upstream=" LABEL "\n");
}

static void an_outage_is_two_lines(void **state)
{
    (void)state;
    become(UPSTREAM_UP, NULL);
    pass(20);
    expect_line("upstream up");
    failures(LABEL_FAILURE_REFUSED, 1);
    become(UPSTREAM_DOWN, "Connection refused");
    pass(1);
    expect_line("level=warning event=\"upstream unreachable\" upstream=" LABEL
                " reason=connect_refused why=\"Connection refused\"\n");
    for (int i = 0; i < 59; i++) {
        failures(LABEL_FAILURE_REFUSED, 2);
        pass(1);
    }
    expect_silence();
    become(UPSTREAM_UP, NULL);
    pass(60);
    expect_line("level=info event=\"upstream up\" upstream=" LABEL
                " after_ms=59000 failures=119 reason=connect_refused\n");
}

static void each_kind_of_problem_is_said_once(void **state)
{
    (void)state;
    failures(LABEL_FAILURE_HUNG, 1);
    become(UPSTREAM_SILENT, "it connects and does not answer");
    pass(1);
    expect_line("event=\"upstream silent\" upstream=" LABEL " reason=hung");
    failures(LABEL_FAILURE_CERTIFICATE, 1);
    become(UPSTREAM_CERTIFICATE, "it has expired");
    pass(1);
    expect_line("level=error event=\"upstream certificate refused\"");
    assert_non_null(strstr(world.text, "why=\"it has expired\""));
    assert_non_null(strstr(world.text, " do="));
    for (int i = 0; i < 10; i++) {
        become(i % 2 ? UPSTREAM_SILENT : UPSTREAM_CERTIFICATE, NULL);
        failures(LABEL_FAILURE_HUNG, 1);
        pass(1);
        become(UPSTREAM_UP, NULL); /* for a moment */
        pass(1);
    }
    expect_silence();
}

static void a_standby_upstream_ends_no_problem(void **state)
{
    (void)state;
    become(UPSTREAM_DOWN, "Connection refused");
    pass(1);
    expect_line("upstream unreachable");
    become(UPSTREAM_STANDBY, NULL);
    pass(1000);
    expect_silence();
}

static void sessions_that_end_now_and_then_are_no_problem(void **state)
{
    (void)state;
    become(UPSTREAM_UP, NULL);
    pass(1);
    expect_line("upstream up");
    for (int i = 0; i < 50; i++) {
        failures(LABEL_FAILURE_CLOSED, 100); /* of all workers at once */
        pass(6);
    }
    expect_silence();
}

static void sessions_that_go_on_ending_are_one(void **state)
{
    (void)state;
    become(UPSTREAM_UP, NULL);
    pass(1);
    expect_line("upstream up");
    for (int i = 0; i < 30; i++) {
        failures(LABEL_FAILURE_RESET, 1);
        pass(1);
    }
    expect_line("level=warning event=\"upstream loses sessions\" upstream=" LABEL " reason=reset\n");
    pass(10);
    expect_line("failures=30 reason=reset");
}

static void one_that_comes_and_goes_fills_no_log(void **state)
{
    (void)state;
    for (int i = 0; i < 360; i++) { /* an hour */
        become(UPSTREAM_DOWN, "Connection refused");
        failures(LABEL_FAILURE_REFUSED, 1);
        pass(3);
        become(UPSTREAM_UP, NULL);
        pass(7);
    }
    unsigned count = lines_since();
    assert_in_range(count, 2, 6);
    pass(301);
    expect_line("upstream up");
}

static void a_problem_long_after_another_is_a_new_one(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        become(UPSTREAM_DOWN, NULL);
        pass(1);
        expect_line("upstream unreachable");
        become(UPSTREAM_UP, NULL);
        pass(5);
        expect_line("after_ms=0"); /* by then */
        pass(601);
    }
}

static void another_upstream_in_its_place_begins_anew(void **state)
{
    (void)state;
    become(UPSTREAM_DOWN, NULL);
    failures(LABEL_FAILURE_REFUSED, 9);
    pass(1);
    expect_line("upstream unreachable");
    memset(world.report.failures, 0, sizeof world.report.failures);
    world.report.label = "192.0.2.2:853#dns.example";
    become(UPSTREAM_UP, NULL);
    pass(1);
    expect_line("event=\"upstream up\" upstream=192.0.2.2:853#dns.example\n");
}

static void what_workers_know_is_put_together(void **state)
{
    (void)state;
    struct counters *blocks[] = {counters_new(), counters_new()};
    struct upstream_report report = {.label = LABEL};
    assert_true(blocks[0] && blocks[1]);
    set_gauge_by(blocks[0], upstream_state, 3, UPSTREAM_DOWN);
    set_gauge_by(blocks[1], upstream_state, 3, UPSTREAM_SILENT);
    count_upstream_event(blocks[0], upstream_failures, 3, LABEL_FAILURE_REFUSED);
    count_upstream_event(blocks[1], upstream_failures, 3, LABEL_FAILURE_REFUSED);
    count_upstream_event(blocks[1], upstream_failures, 3, LABEL_FAILURE_HUNG);
    count_upstream_event(blocks[1], upstream_failures, 2, LABEL_FAILURE_HUNG);
    set_upstream_error(blocks[1], 3, "why");
    upstream_watch_read(blocks, 2, 3, &report);
    assert_string_equal(report.label, LABEL);
    assert_int_equal(report.state, UPSTREAM_SILENT);
    assert_string_equal(report.why, "why");
    assert_int_equal(report.failures[LABEL_FAILURE_REFUSED], 2);
    assert_int_equal(report.failures[LABEL_FAILURE_HUNG], 1);
    counters_free(blocks[0]);
    counters_free(blocks[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upstream_that_is_up_is_said_to_be_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_outage_is_two_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(each_kind_of_problem_is_said_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_standby_upstream_ends_no_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_that_end_now_and_then_are_no_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_that_go_on_ending_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_comes_and_goes_fills_no_log, setup, teardown),
        cmocka_unit_test_setup_teardown(a_problem_long_after_another_is_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(another_upstream_in_its_place_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(what_workers_know_is_put_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
