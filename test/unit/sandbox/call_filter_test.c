/* call_filter: the table as a program for the kernel, on both processors that the project is built for; then, in a
 * child, by the kernel itself. */
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sanitized.h"
#include "filter_machine.h"
#include "sandbox/call_filter.h"
#include "sandbox/call_table.h"

enum { PROCESS = 4321 };

static const uint32_t arches[] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};
static const uint32_t refused = SECCOMP_RET_ERRNO | EPERM;

static struct call_filter make(uint32_t arch, unsigned needs, enum call_filter_action action)
{
    struct call_filter filter;
    const struct call_filter_options options = {.action = action, .needs = needs, .process = PROCESS, .arch = arch};
    assert_true(call_filter_make(&options, &filter));
    return filter;
}

/* What becomes of a call on both processors; they must agree. */
static uint32_t judge(unsigned needs, const char *name, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint32_t verdicts[2];
    const uint64_t arguments[6] = {a, b, c, d};
    for (unsigned i = 0; i < 2; i++) {
        struct call_filter filter = make(arches[i], needs, CALL_FILTER_REFUSE);
        verdicts[i] = machine_judge(&filter.program, arches[i], name, arguments);
        call_filter_free(&filter);
    }
    assert_int_equal(verdicts[0], verdicts[1]);
    return verdicts[0];
}

static void what_a_query_needs_is_allowed_whatever_its_arguments(void **state)
{
    static const char *const names[] = {"epoll_pwait", "epoll_ctl", "recvfrom", "recvmmsg", "read",  "write",
                                        "accept4",     "connect",   "futex",    "close",    "writev"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(judge(0, names[i], UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX), SECCOMP_RET_ALLOW);
}

static void what_an_intruder_wants_is_refused(void **state)
{
    static const char *const names[] = {"execve",
                                        "execveat",
                                        "ptrace",
                                        "mount",
                                        "umount2",
                                        "bpf",
                                        "kill",
                                        "io_uring_setup",
                                        "unshare",
                                        "setns",
                                        "chroot",
                                        "pivot_root",
                                        "init_module",
                                        "finit_module",
                                        "kexec_load",
                                        "process_vm_readv",
                                        "process_vm_writev",
                                        "keyctl",
                                        "perf_event_open",
                                        "userfaultfd",
                                        "personality",
                                        "setuid",
                                        "setresuid",
                                        "capset",
                                        "seccomp",
                                        "symlinkat",
                                        "linkat",
                                        "mkdirat",
                                        "fchmodat",
                                        "fchownat",
                                        "mknodat",
                                        "memfd_create",
                                        "renameat",
                                        "unlinkat",
                                        "ftruncate",
                                        "fsync",
                                        "socketpair",
                                        "pidfd_getfd",
                                        "shmat",
                                        "pkey_mprotect",
                                        "vmsplice",
                                        "openat2",
                                        "setsid",
                                        "rt_sigqueueinfo"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_int_equal(judge(0, names[i], 0, 0, 0, 0), refused);
}

static void memory_is_never_executable(void **state)
{
    (void)state;
    assert_int_equal(judge(0, "mmap", 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "mmap", 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE), refused);
    assert_int_equal(judge(0, "mprotect", 0, 4096, PROT_READ | PROT_WRITE, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "mprotect", 0, 4096, PROT_EXEC, 0), refused);
}

static void sockets_are_tcp_udp_and_unix_alone(void **state)
{
    (void)state;
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        uint64_t family = (uint64_t)families[i];
        assert_int_equal(judge(0, "socket", family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0),
                         SECCOMP_RET_ALLOW);
        assert_int_equal(judge(0, "socket", family, SOCK_STREAM, IPPROTO_TCP, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(judge(0, "socket", family, SOCK_DGRAM, IPPROTO_UDP, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(judge(0, "socket", family, SOCK_RAW, IPPROTO_ICMP, 0), refused);
        assert_int_equal(judge(0, "socket", family, SOCK_DGRAM, IPPROTO_ICMP, 0), refused);
        assert_int_equal(judge(0, "socket", family, SOCK_STREAM, IPPROTO_SCTP, 0), refused);
        assert_int_equal(judge(0, "socket", family, SOCK_STREAM, 262 /* MPTCP, which Landlock does not see */, 0),
                         refused);
    }
    assert_int_equal(judge(0, "socket", AF_UNIX, SOCK_STREAM, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "socket", AF_NETLINK, SOCK_RAW, 0, 0), refused);
    assert_int_equal(judge(0, "socket", AF_PACKET, SOCK_RAW, 0, 0), refused);
    assert_int_equal(judge(0, "socket", AF_VSOCK, SOCK_STREAM, 0, 0), refused);
}

/* It would open a connection to a port that Landlock does not allow. */
static void nothing_is_sent_with_fast_open(void **state)
{
    (void)state;
    assert_int_equal(judge(0, "sendto", 3, 0, 0, MSG_NOSIGNAL), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "sendto", 3, 0, 0, MSG_NOSIGNAL | MSG_FASTOPEN), refused);
    assert_int_equal(judge(0, "sendmsg", 3, 0, MSG_FASTOPEN, 0), refused);
    assert_int_equal(judge(0, "sendmmsg", 3, 0, 1, MSG_FASTOPEN), refused);
}

static void a_thread_may_be_started_and_no_process(void **state)
{
    (void)state;
    uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                      CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    assert_int_equal(judge(0, "clone", thread, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "clone", 17 /* SIGCHLD: fork */, 0, 0, 0), refused);
    assert_int_equal(judge(0, "clone", thread | CLONE_NEWUSER, 0, 0, 0), refused);
    assert_int_equal(judge(0, "clone3", 0, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void signals_go_to_the_program_itself_alone(void **state)
{
    (void)state;
    assert_int_equal(judge(0, "tgkill", PROCESS, 7, 6, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "tgkill", PROCESS + 1, 7, 6, 0), refused);
    assert_int_equal(judge(0, "prlimit64", 0, 7, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "prlimit64", PROCESS + 1, 7, 0, 0), refused);
    assert_int_equal(judge(0, "prctl", PR_SET_NAME, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "prctl", PR_SET_DUMPABLE, 1, 0, 0), refused);
}

static void files_are_written_with_a_state_directory_alone(void **state)
{
    (void)state;
    static const uint64_t changes[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE | O_RDWR};
    assert_int_equal(judge(0, "openat", 0, 0, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_PATH, 0), SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_int_equal(judge(0, "openat", 0, 0, changes[i], 0), refused);
        assert_int_equal(judge(CALL_NEED_STATE, "openat", 0, 0, changes[i], 0), SECCOMP_RET_ALLOW);
    }
    assert_int_equal(judge(CALL_NEED_STATE, "renameat", 0, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(CALL_NEED_STATE, "fsync", 0, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(CALL_NEED_STATE, "execve", 0, 0, 0, 0), refused);
}

static void descriptors_are_handed_over_under_systemd_alone(void **state)
{
    (void)state;
    assert_int_equal(judge(CALL_NEED_HANDOVER, "memfd_create", 0, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(CALL_NEED_HANDOVER, "socketpair", AF_UNIX, SOCK_SEQPACKET, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(CALL_NEED_HANDOVER, "fcntl", 3, F_ADD_SEALS, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(judge(0, "fcntl", 3, F_ADD_SEALS, 0, 0), refused);
    assert_int_equal(judge(0, "fcntl", 3, F_SETFL, 0, 0), SECCOMP_RET_ALLOW);
}

/* The interfaces of 32 bits and of x32 have other numbers for the same calls. */
static void calls_of_another_interface_are_outside(void **state)
{
    (void)state;
    struct call_filter filter = make(SCMP_ARCH_X86_64, 0, CALL_FILTER_REFUSE);
    struct seccomp_data data = {.arch = AUDIT_ARCH_I386, .nr = 3};
    assert_int_equal(machine_run(&filter.program, &data), refused);
    data = (struct seccomp_data){.arch = AUDIT_ARCH_X86_64, .nr = 0x40000000};
    assert_int_equal(machine_run(&filter.program, &data), refused);
    call_filter_free(&filter);
}

static void a_log_lets_everything_pass(void **state)
{
    (void)state;
    struct call_filter filter = make(SCMP_ARCH_X86_64, CALL_NEED_LOG, CALL_FILTER_KERNEL);
    const uint64_t none[6] = {0}, receive[6] = {3, SECCOMP_IOCTL_NOTIF_RECV};
    assert_int_equal(machine_judge(&filter.program, SCMP_ARCH_X86_64, "execve", none), SECCOMP_RET_LOG);
    assert_int_equal(machine_judge(&filter.program, SCMP_ARCH_X86_64, "ioctl", receive), SECCOMP_RET_ALLOW);
    call_filter_free(&filter);
    filter = make(SCMP_ARCH_X86_64, 0, CALL_FILTER_NOTIFY);
    assert_int_equal(machine_judge(&filter.program, SCMP_ARCH_X86_64, "execve", none), SECCOMP_RET_USER_NOTIF);
    assert_true(filter.calls > 50);
    call_filter_free(&filter);
}

/* ---- by the kernel ---- */

static void *make_a_call(void *ret_error)
{
    int *error = ret_error;
    *error = syscall(SYS_getppid) < 0 ? errno : 0;
    return NULL;
}

/* A thread that runs already has it, too. */
static int try_for_all_threads(void)
{
    int own = 0, new = 0, ends[2];
    pthread_t thread;
    struct call_filter filter;
    const struct call_filter_options options = {.action = CALL_FILTER_REFUSE, .process = getpid()};
    int listener;
    if (pipe(ends) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
    if (!call_filter_make(&options, &filter)) return 2;
    if (!call_filter_enforce(&filter, &listener)) return errno == EPERM || errno == ENOSYS ? 77 : 3;
    if (listener != -1) return 4;
    call_filter_free(&filter);
    make_a_call(&own);
    if (pthread_create(&thread, NULL, make_a_call, &new) != 0 || pthread_join(thread, NULL) != 0) return 5;
    return own == EPERM && new == EPERM ? 0 : 6;
}

static void the_kernel_refuses_for_all_threads(void **state)
{
    (void)state;
    int status;
    if (IS_SANITIZED) skip();
    pid_t child = fork();
    if (child == 0) _exit(try_for_all_threads());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip(); /* a container forbids it */
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_query_needs_is_allowed_whatever_its_arguments),
        cmocka_unit_test(what_an_intruder_wants_is_refused),
        cmocka_unit_test(memory_is_never_executable),
        cmocka_unit_test(sockets_are_tcp_udp_and_unix_alone),
        cmocka_unit_test(nothing_is_sent_with_fast_open),
        cmocka_unit_test(a_thread_may_be_started_and_no_process),
        cmocka_unit_test(signals_go_to_the_program_itself_alone),
        cmocka_unit_test(files_are_written_with_a_state_directory_alone),
        cmocka_unit_test(descriptors_are_handed_over_under_systemd_alone),
        cmocka_unit_test(calls_of_another_interface_are_outside),
        cmocka_unit_test(a_log_lets_everything_pass),
        cmocka_unit_test(the_kernel_refuses_for_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
