/* A check that holds does nothing; one that does not ends the program and says where. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"

static void a_condition_that_holds_changes_nothing(void **state)
{
    (void)state;
    int evaluated = 0;
    CHECK(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

static void a_condition_that_fails_ends_the_program_and_names_its_line(void **state)
{
    (void)state;
    int pipe_fds[2];
    char said[256] = "";
    int status;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        CHECK(said[0] == 'x');
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(read(pipe_fds[0], said, sizeof said - 1) > 0);
    assert_non_null(strstr(said, "check_test.c"));
    assert_non_null(strstr(said, "said[0] == 'x'"));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_that_holds_changes_nothing),
        cmocka_unit_test(a_condition_that_fails_ends_the_program_and_names_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
