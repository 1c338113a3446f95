/* call_log: a call outside the table is made all the same, and told. In a child: the filter stays for ever. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sanitized.h"
#include "sandbox/call_filter.h"
#include "sandbox/call_log.h"
#include "sandbox/call_table.h"

enum { CALLS = 5, UNSUPPORTED = 77, TEXT_BYTES = 4096 };

static int make_calls(int log_fd)
{
    struct log log;
    struct call_filter filter;
    int listener = -1;
    const struct call_filter_options options = {
        .action = CALL_FILTER_NOTIFY, .needs = CALL_NEED_LOG, .process = getpid()};
    log_init(&log, &(struct log_options){.level = LOG_LEVEL_INFO}, log_fd);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !call_filter_make(&options, &filter)) return 1;
    struct call_log *call_log = call_log_start(&log);
    if (!call_log) return 2;
    if (!call_filter_enforce(&filter, &listener)) return UNSUPPORTED;
    if (listener < 0) return 3;
    call_log_listen(call_log, listener);
    for (int i = 0; i < CALLS; i++)
        if (syscall(SYS_getppid) <= 0) return 4; /* it was made */
    if (call_log_count(call_log) != CALLS) return 5;
    call_log_stop(call_log);
    if (syscall(SYS_getppid) != -1 || errno != ENOSYS) return 6; /* nobody is there to ask: it does not wait */
    call_filter_free(&filter);
    return 0;
}

static void calls_outside_the_table_are_made_and_told(void **state)
{
    (void)state;
    int ends[2], status;
    char text[TEXT_BYTES];
    size_t size = 0;
    if (IS_SANITIZED) skip();
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) _exit(make_calls(ends[1]));
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + size, sizeof text - 1 - size)) > 0;) size += (size_t)got;
    text[size] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNSUPPORTED) skip();
    assert_int_equal(status, 0);
    unsigned lines = 0;
    for (const char *at = text; (at = strstr(at, "call=getppid")); at++) lines++;
    assert_int_equal(lines, 3); /* the first, the second and the fourth */
    assert_non_null(strstr(text, "count=4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_outside_the_table_are_made_and_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
