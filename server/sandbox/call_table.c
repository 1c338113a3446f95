#include "sandbox/call_table.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* The kernel reads 32 bits of an int; the register may hold anything above. */
#define INT_BITS UINT32_MAX
#define IS(argument, value)                                                                                            \
    {                                                                                                                  \
        argument, INT_BITS, value                                                                                      \
    }
#define HAS_NOT(argument, b)                                                                                           \
    {                                                                                                                  \
        argument, (uint32_t)(b), 0                                                                                     \
    }
#define TYPE_IS(value)                                                                                                 \
    {                                                                                                                  \
        1, 0xf, value                                                                                                  \
    } /* of a socket, without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define STATE    CALL_NEED_STATE
#define HANDOVER CALL_NEED_HANDOVER

/* Any of these makes an open for more than reading. */
#define OPENS_FOR_CHANGES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))
/* What pthread_create asks for, and nothing else: a process of its own, a namespace or a tracer would be another bit.
 */
#define THREAD_FLAGS                                                                                                   \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |                 \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* clang-format off: a table is read by its lines */
static const struct call_row rows[] = {
    /* Waiting, and waking other threads. */
    {"epoll_wait", "event loops of all threads", 0, {{0}}},
    {"epoll_pwait", "the same on processors without epoll_wait", 0, {{0}}},
    {"epoll_ctl", "event loops: connections come and go", 0, {{0}}},
    {"epoll_create1", "event loops", 0, {{0}}},
    {"eventfd2", "mailboxes", 0, {{0}}},
    {"futex", "locks and conditions", 0, {{0}}},
    {"poll", "civetweb; libfstrm", 0, {{0}}},
    {"ppoll", "the same on processors without poll", 0, {{0}}},
    {"clock_nanosleep", "civetweb while it stops", 0, {{0}}},
    {"nanosleep", "the same with an older C library", 0, {{0}}},
    {"restart_syscall", "the kernel, for a wait that a stop of the process interrupted", 0, {{0}}},
    {"sched_yield", "locks of libraries", 0, {{0}}},

    /* The network. sendto, sendmsg and sendmmsg with MSG_FASTOPEN would connect where Landlock does not see it. */
    {"read", "event loops: eventfd, signalfd; files", 0, {{0}}},
    {"write", "TCP clients, the log, eventfd", 0, {{0}}},
    {"readv", "TCP; libfstrm", 0, {{0}}},
    {"writev", "TCP; libfstrm; the C library's last words", 0, {{0}}},
    {"recvfrom", "TCP and TLS", 0, {{0}}},
    {"recvmsg", "UDP clients; sd-daemon", 0, {{0}}},
    {"recvmmsg", "UDP clients", 0, {{0}}},
    {"sendto", "TCP and TLS; sd_notify", 0, {HAS_NOT(3, MSG_FASTOPEN)}},
    {"sendmsg", "TCP clients; sd_notify", 0, {HAS_NOT(2, MSG_FASTOPEN)}},
    {"sendmmsg", "UDP clients", 0, {HAS_NOT(3, MSG_FASTOPEN)}},
    {"accept4", "the acceptor; the HTTP front end", 0, {{0}}},
    {"accept", "civetweb", 0, {{0}}},
    {"connect", "sessions to upstreams; the shared cache's store; HTTP front end to civetweb; dnstap", 0, {{0}}},
    {"bind", "listeners of a reload, and of addresses that come late", 0, {{0}}},
    {"listen", "the same", 0, {{0}}},
    {"shutdown", "TCP; civetweb", 0, {{0}}},
    {"getsockname", "listeners; civetweb", 0, {{0}}},
    {"getpeername", "civetweb; libfstrm", 0, {{0}}},
    {"getsockopt", "SO_ERROR of a connection, SO_COOKIE, buffers, UDP_SEGMENT", 0, {{0}}},
    {"setsockopt", "sockets of all kinds", 0, {{0}}},
    {"socket", "TCP over IPv4", 0, {IS(0, AF_INET), TYPE_IS(SOCK_STREAM), IS(2, 0)}},
    {"socket", "TCP over IPv4", 0, {IS(0, AF_INET), TYPE_IS(SOCK_STREAM), IS(2, IPPROTO_TCP)}},
    {"socket", "UDP over IPv4", 0, {IS(0, AF_INET), TYPE_IS(SOCK_DGRAM), IS(2, 0)}},
    {"socket", "UDP over IPv4", 0, {IS(0, AF_INET), TYPE_IS(SOCK_DGRAM), IS(2, IPPROTO_UDP)}},
    {"socket", "TCP over IPv6", 0, {IS(0, AF_INET6), TYPE_IS(SOCK_STREAM), IS(2, 0)}},
    {"socket", "TCP over IPv6", 0, {IS(0, AF_INET6), TYPE_IS(SOCK_STREAM), IS(2, IPPROTO_TCP)}},
    {"socket", "UDP over IPv6", 0, {IS(0, AF_INET6), TYPE_IS(SOCK_DGRAM), IS(2, 0)}},
    {"socket", "UDP over IPv6", 0, {IS(0, AF_INET6), TYPE_IS(SOCK_DGRAM), IS(2, IPPROTO_UDP)}},
    {"socket", "dnstap; sd_notify; names of interfaces", 0, {IS(0, AF_UNIX)}},

    /* Files: the configuration, CA bundle, hosts and secrets at a reload, /proc/self for figures, /dev/urandom. */
    {"openat", "files read", 0, {HAS_NOT(2, OPENS_FOR_CHANGES)}},
    {"close", "everybody", 0, {{0}}},
    {"fstat", "files read", 0, {{0}}},
    {"newfstatat", "whether a file has changed", 0, {{0}}},
    {"stat", "the same with an older C library", 0, {{0}}},
    {"lstat", "the same with an older C library", 0, {{0}}},
    {"statx", "the same where the C library prefers it", 0, {{0}}},
    {"lseek", "the end of reading a file", 0, {{0}}},
    {"readlink", "realpath; who holds a port", 0, {{0}}},
    {"readlinkat", "the same", 0, {{0}}},
    {"getdents64", "descriptors in /proc/self/fd", 0, {{0}}},
    {"getcwd", "realpath of a path that is not absolute", 0, {{0}}},
    {"fcntl", "descriptors: flags", 0, {IS(1, F_GETFD)}},
    {"fcntl", "descriptors: flags", 0, {IS(1, F_SETFD)}},
    {"fcntl", "descriptors: flags", 0, {IS(1, F_GETFL)}},
    {"fcntl", "descriptors: flags", 0, {IS(1, F_SETFL)}},
    {"fcntl", "descriptors: a copy", 0, {IS(1, F_DUPFD_CLOEXEC)}},
    {"ioctl", "the name of an interface (link-local addresses)", 0, {IS(1, SIOCGIFNAME)}},
    {"ioctl", "the number of an interface (link-local addresses)", 0, {IS(1, SIOCGIFINDEX)}},
    {"ioctl", "bytes that wait", 0, {IS(1, FIONREAD)}},
    {"ioctl", "whether a stream is a terminal (stdio)", 0, {IS(1, TCGETS)}},

    /* The state directory. What may be done where is Landlock's. */
    {"openat", "files written", STATE, {{0}}},
    {"rename", "a complete file takes the former one's place", STATE, {{0}}},
    {"renameat", "the same", STATE, {{0}}},
    {"renameat2", "the same", STATE, {{0}}},
    {"unlink", "a file that is not complete", STATE, {{0}}},
    {"unlinkat", "the same", STATE, {{0}}},
    {"fsync", "a file and its folder", STATE, {{0}}},
    {"fdatasync", "the same", STATE, {{0}}},
    {"sync_file_range", "a file, a part at a time", STATE, {{0}}},
    {"fadvise64", "a file that nobody reads soon", STATE, {{0}}},
    {"ftruncate", "a file", STATE, {{0}}},
    {"fchmod", "a file that only its owner may read", STATE, {{0}}},
    {"mkdir", "the directory, if it has gone", STATE, {{0}}},
    {"mkdirat", "the same on processors without mkdir", STATE, {{0}}},
    {"pread64", "a file", STATE, {{0}}},
    {"pwrite64", "a file", STATE, {{0}}},

    /* Connections that outlive a restart: they are given to systemd, and taken from it. */
    {"memfd_create", "what is known of the connections", HANDOVER, {{0}}},
    {"ftruncate", "the same", HANDOVER, {{0}}},
    {"pread64", "the same", HANDOVER, {{0}}},
    {"pwrite64", "the same", HANDOVER, {{0}}},
    {"fcntl", "the same, no longer to be changed", HANDOVER, {IS(1, F_ADD_SEALS)}},
    {"fcntl", "the same", HANDOVER, {IS(1, F_GET_SEALS)}},
    {"socketpair", "the queue of the connections", HANDOVER, {IS(0, AF_UNIX)}},
    {"pipe2", "sd_notify_barrier", HANDOVER, {{0}}},
    {"dup", "descriptors", HANDOVER, {{0}}},
    {"dup3", "descriptors", HANDOVER, {{0}}},

    /* Memory: never executable. */
    {"mmap", "memory, stacks of threads", 0, {HAS_NOT(2, PROT_EXEC)}},
    {"mprotect", "arenas of malloc as they grow", 0, {HAS_NOT(2, PROT_EXEC)}},
    {"munmap", "memory given back", 0, {{0}}},
    {"mremap", "large blocks that grow", 0, {{0}}},
    {"madvise", "memory given back", 0, {{0}}},
    {"brk", "malloc of the main thread", 0, {{0}}},

    /* Threads. */
    {"clone", "a thread", 0, {IS(0, THREAD_FLAGS)}},
    {"set_robust_list", "a thread's begin", 0, {{0}}},
    {"rseq", "a thread's begin", 0, {{0}}},
    {"gettid", "a thread's begin; abort", 0, {{0}}},
    {"exit", "a thread's end", 0, {{0}}},
    {"exit_group", "the program's end", 0, {{0}}},
    {"prctl", "a thread's name", 0, {IS(0, PR_SET_NAME)}},
    {"sched_getaffinity", "malloc: how many arenas", 0, {{0}}},
    {"sched_setscheduler", "the acceptor gives way to the workers", 0, {IS(1, SCHED_BATCH)}},

    /* Signals. */
    {"rt_sigprocmask", "a thread's begin and end; abort", 0, {{0}}},
    {"rt_sigaction", "civetweb (SIGPIPE); abort", 0, {{0}}},
    {"rt_sigreturn", "the C library", 0, {{0}}},
    {"tgkill", "abort, of a failed CHECK", 0, {{0, INT_BITS, CALL_OWN_PROCESS}}},
    {"signalfd4", "TERM, INT and HUP", 0, {{0}}},

    /* About the process and the time, where the C library cannot tell without the kernel. */
    {"clock_gettime", "the time, where there is no vDSO", 0, {{0}}},
    {"clock_getres", "the same", 0, {{0}}},
    {"gettimeofday", "the same", 0, {{0}}},
    {"time", "the same", 0, {{0}}},
    {"getrandom", "keys, ids; OpenSSL, malloc", 0, {{0}}},
    {"getpid", "abort; sd-daemon; libraries that look for a fork", 0, {{0}}},
    {"getuid", "civetweb", 0, {{0}}},
    {"geteuid", "libraries", 0, {{0}}},
    {"getgid", "libraries", 0, {{0}}},
    {"getegid", "libraries", 0, {{0}}},
    {"uname", "civetweb", 0, {{0}}},
    {"sysinfo", "qsort: how much memory there is", 0, {{0}}},
    {"getrusage", "figures", 0, {{0}}},
    {"prlimit64", "figures; a reload raises the limit of descriptors", 0, {IS(0, 0)}},

    /* sandbox: log. */
    {"ioctl", "takes a call to be logged", CALL_NEED_LOG, {IS(1, SECCOMP_IOCTL_NOTIF_RECV)}},
    {"ioctl", "lets it go on", CALL_NEED_LOG, {IS(1, SECCOMP_IOCTL_NOTIF_SEND)}},
};
/* clang-format on */

const struct call_row *call_table(size_t *ret_count)
{
    *ret_count = sizeof rows / sizeof *rows;
    return rows;
}
