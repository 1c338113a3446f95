/* sandbox_try FILE PORT OUTSIDE PROCESS: goes into the sandbox of the configuration FILE as the program does, by the
 * same code, and then tries what an intruder would. A line for each act: its name and 0, or the name of the error.
 * PORT: somebody listens there on 127.0.0.1, and it is not in the configuration. OUTSIDE: a file that does not exist,
 * in a folder that may be written. PROCESS: another process. Run it as root, in a mount namespace of its own: without
 * the sandbox the acts succeed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/confinement.h"
#include "config/config.h"

enum { PROTOCOL_MPTCP = 262 };

static const char *outside;
static uint16_t elsewhere;
static pid_t process;

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static long open_shadow(void)
{
    return open("/etc/shadow", O_RDONLY | O_CLOEXEC);
}

static long list_root(void)
{
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long write_outside(void)
{
    return open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long remove_outside(void)
{
    return unlink(outside);
}

static long connect_elsewhere(void)
{
    struct sockaddr_in address = loopback(elsewhere);
    return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
}

static long connect_by_sending(void)
{
    struct sockaddr_in address = loopback(elsewhere);
    return sendto(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address);
}

static long connect_by_mptcp(void)
{
    struct sockaddr_in address = loopback(elsewhere);
    int fd = socket(AF_INET, SOCK_STREAM, PROTOCOL_MPTCP);
    return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof address);
}

static long listen_elsewhere(void)
{
    struct sockaddr_in address = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? listen(fd, 1) : -1;
}

static long fork_a_process(void)
{
    pid_t child = fork();
    if (child == 0) _exit(0);
    return child;
}

static long trace(void)
{
    return ptrace(PTRACE_SEIZE, process, NULL, NULL);
}

static long signal_a_process(void)
{
    return kill(process, 0);
}

static long map_executable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long mount_something(void)
{
    return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static long make_bpf_map(void)
{
    union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

static long make_io_uring(void)
{
    struct io_uring_params parameters = {.flags = 0};
    return syscall(SYS_io_uring_setup, 1, &parameters);
}

static long open_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long open_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long open_netlink_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long make_namespace(void)
{
    return unshare(CLONE_NEWUTS);
}

static long change_root(void)
{
    return chroot("/");
}

/* For this thread alone: the C library would ask the one that reads the calls to make the call, too. */
static long become_daemon(void)
{
    return syscall(SYS_setuid, 1);
}

/* What was started says "execute 0" itself. */
static long execute(void)
{
    fflush(stdout);
    return execl("/bin/echo", "echo", "execute 0", (char *)NULL);
}

static const struct {
    const char *name;
    long (*act)(void);
} acts[] = {
    {"open_shadow", open_shadow},
    {"list_root", list_root},
    {"write_outside", write_outside},
    {"remove_outside", remove_outside},
    {"connect_elsewhere", connect_elsewhere},
    {"connect_by_sending", connect_by_sending},
    {"connect_by_mptcp", connect_by_mptcp},
    {"listen", listen_elsewhere},
    {"fork", fork_a_process},
    {"ptrace", trace},
    {"signal", signal_a_process},
    {"map_executable", map_executable},
    {"make_executable", make_executable},
    {"mount", mount_something},
    {"bpf", make_bpf_map},
    {"io_uring", make_io_uring},
    {"raw_socket", open_raw_socket},
    {"packet_socket", open_packet_socket},
    {"netlink_socket", open_netlink_socket},
    {"namespace", make_namespace},
    {"chroot", change_root},
    {"setuid", become_daemon}, /* the last ones change what the others need */
    {"execute", execute},
};

static int try_all(struct config *config, const char *config_file)
{
    struct log log;
    struct confinement confinement;
    log_init(&log, &config->log, STDERR_FILENO);
    if (!confinement_begin(&confinement, config, &log)) return 1;
    confinement_restrict(&confinement, config, config_file, 0);
    confinement_seal(&confinement, config);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        long result = acts[i].act();
        printf("%s %s\n", acts[i].name, result >= 0 ? "0" : strerrorname_np(errno));
    }
    fflush(stdout);
    confinement_done(&confinement);
    return 0;
}

int main(int argc, char **argv)
{
    struct command_line command = {.config_file = argc > 1 ? argv[1] : NULL};
    struct config config;
    if (argc != 5 || !config_load(&command, &config, stderr)) return 2;
    elsewhere = (uint16_t)atoi(argv[2]);
    outside = argv[3];
    process = atoi(argv[4]);
    int status = try_all(&config, argv[1]);
    config_free(&config);
    return status;
}
