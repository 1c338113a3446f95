/* identity: users by name and number; becoming one, in a child, as root. */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/identity.h"

static void a_user_is_found_by_name_and_by_number(void **state)
{
    (void)state;
    struct identity by_name, by_number;
    char why[IDENTITY_WHY_BYTES];
    assert_true(identity_find("daemon", &by_name, why));
    assert_true(identity_find("1", &by_number, why));
    assert_int_equal(by_name.user, 1);
    assert_int_equal(by_number.user, 1);
    assert_int_equal(by_name.group, by_number.group);
    assert_true(by_name.group_count >= 1);
}

static void a_number_without_an_entry_is_a_user_without_other_groups(void **state)
{
    (void)state;
    struct identity identity;
    char why[IDENTITY_WHY_BYTES];
    assert_true(identity_find("3210123", &identity, why));
    assert_int_equal(identity.user, 3210123);
    assert_int_equal(identity.group, 3210123);
    assert_int_equal(identity.group_count, 0);
}

static void an_unknown_user_is_named(void **state)
{
    (void)state;
    static const char *const unknown[] = {"nobody-of-this-name", "4294967295", "99999999999999999999", "12x"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct identity identity = {.user = 7};
        char why[IDENTITY_WHY_BYTES] = "";
        assert_false(identity_find(unknown[i], &identity, why));
        assert_non_null(strstr(why, unknown[i]));
        assert_int_equal(identity.user, 7);
    }
}

/* What the kernel says of a thread must not have a capability in any set. */
static bool has_capabilities(pid_t thread)
{
    char path[64], line[256];
    bool found = false;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    if (!file) return true;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "Cap", 3) == 0 && strspn(strchr(line, ':') + 1, "0\t \n") != strlen(strchr(line, ':') + 1))
            found = true;
    fclose(file);
    return found;
}

struct other {
    sem_t is_running;
    sem_t may_end;
    pid_t thread;
};

static void *run_other(void *context)
{
    struct other *other = context;
    other->thread = gettid();
    sem_post(&other->is_running);
    sem_wait(&other->may_end);
    return NULL;
}

/* 0, or the line of what was not as it should be. */
static int become_daemon(void)
{
    struct identity identity;
    struct other other = {.thread = 0};
    char why[IDENTITY_WHY_BYTES];
    uid_t user, effective, saved;
    pthread_t thread;
    sem_init(&other.is_running, 0, 0);
    sem_init(&other.may_end, 0, 0);
    if (!identity_find("daemon", &identity, why) || !identity_forbid_new_privileges()) return __LINE__;
    identity_drop_bounds();
    if (pthread_create(&thread, NULL, run_other, &other) != 0) return __LINE__;
    sem_wait(&other.is_running);
    if (!identity_take(&identity)) return __LINE__;
    if (getresuid(&user, &effective, &saved) != 0 || user != 1 || effective != 1 || saved != 1) return __LINE__;
    if (getgid() != identity.group || getgroups(0, NULL) != (int)identity.group_count) return __LINE__;
    if (has_capabilities(getpid()) || has_capabilities(other.thread)) return __LINE__;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || setresuid(0, 0, 0) == 0) return __LINE__;
    sem_post(&other.may_end);
    pthread_join(thread, NULL);
    return 0;
}

static void root_becomes_somebody_else_for_good(void **state)
{
    (void)state;
    int status;
    if (geteuid() != 0) skip();
    pid_t child = fork();
    if (child == 0) _exit(become_daemon());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void nobody_but_root_may(void **state)
{
    (void)state;
    int status;
    if (geteuid() != 0) skip();
    pid_t child = fork();
    if (child == 0) {
        const struct identity other = {.user = 2, .group = 2};
        _exit(setuid(1) == 0 && !identity_take(&other) && errno == EPERM ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_found_by_name_and_by_number),
        cmocka_unit_test(a_number_without_an_entry_is_a_user_without_other_groups),
        cmocka_unit_test(an_unknown_user_is_named),
        cmocka_unit_test(root_becomes_somebody_else_for_good),
        cmocka_unit_test(nobody_but_root_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
