#include "sandbox/call_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    CALLS = 1024,       /* numbers that are counted one by one; those above (x32) together */
    NOTICE_BYTES = 512, /* the kernel's structs are smaller, and may grow */
    ARGUMENTS_BYTES = 128,
};

struct call_log {
    pthread_t thread;
    const struct log *log;
    int wake; /* an eventfd: there is a listener, or the end has come */
    _Atomic int listener;
    _Atomic bool is_stopping;
    _Atomic uint64_t count;
    uint64_t counts[CALLS];
};

/* Allocates, which the table allows. */
static void write_call(const struct call_log *call_log, const struct seccomp_notif *notice, uint64_t count)
{
    char arguments[ARGUMENTS_BYTES];
    char *name = seccomp_syscall_resolve_num_arch(notice->data.arch, notice->data.nr);
    const __u64 *values = notice->data.args;
    snprintf(arguments, sizeof arguments, "0x%llx 0x%llx 0x%llx 0x%llx", values[0], values[1], values[2], values[3]);
    log_warning(call_log->log, "call outside the sandbox", log_text("call", name ? name : "unknown"),
                log_number("number", notice->data.nr), log_text("arguments", arguments),
                log_number("thread", notice->pid), log_number("count", count));
    free(name);
}

static void count_call(struct call_log *call_log, const struct seccomp_notif *notice)
{
    int number = notice->data.nr >= 0 && notice->data.nr < CALLS ? notice->data.nr : CALLS - 1;
    uint64_t count = ++call_log->counts[number];
    atomic_fetch_add_explicit(&call_log->count, 1, memory_order_relaxed);
    if ((count & (count - 1)) == 0) write_call(call_log, notice, count);
}

static void take_call(struct call_log *call_log, int listener)
{
    union {
        struct seccomp_notif notice;
        char room[NOTICE_BYTES];
    } in = {.room = {0}};
    union {
        struct seccomp_notif_resp response;
        char room[NOTICE_BYTES];
    } out = {.room = {0}};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in.notice) != 0) return; /* its thread has gone */
    count_call(call_log, &in.notice);
    out.response.id = in.notice.id;
    out.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out.response);
}

static void *run(void *context)
{
    struct call_log *call_log = context;
    pthread_setname_np(pthread_self(), "sandbox");
    while (!atomic_load(&call_log->is_stopping)) {
        int listener = atomic_load(&call_log->listener);
        struct pollfd sources[] = {{.fd = call_log->wake, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
        if (poll(sources, 2, -1) < 0 && errno != EINTR) break;
        if (sources[0].revents & POLLIN) (void)!read(call_log->wake, &(uint64_t){0}, sizeof(uint64_t));
        if (listener >= 0 && sources[1].revents & POLLIN) take_call(call_log, listener);
    }
    return NULL;
}

struct call_log *call_log_start(const struct log *log)
{
    struct call_log *call_log = calloc(1, sizeof *call_log);
    if (!call_log) return NULL;
    call_log->log = log;
    call_log->listener = -1;
    call_log->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call_log->wake >= 0 && pthread_create(&call_log->thread, NULL, run, call_log) == 0) return call_log;
    if (call_log->wake >= 0) close(call_log->wake);
    free(call_log);
    return NULL;
}

static void wake(const struct call_log *call_log)
{
    (void)!write(call_log->wake, &(uint64_t){1}, sizeof(uint64_t));
}

void call_log_listen(struct call_log *call_log, int listener)
{
    atomic_store(&call_log->listener, listener);
    wake(call_log);
}

uint64_t call_log_count(const struct call_log *call_log)
{
    return atomic_load_explicit(&call_log->count, memory_order_relaxed);
}

void call_log_stop(struct call_log *call_log)
{
    if (!call_log) return;
    atomic_store(&call_log->is_stopping, true);
    wake(call_log);
    pthread_join(call_log->thread, NULL);
    if (call_log->listener >= 0) close(call_log->listener);
    close(call_log->wake);
    free(call_log);
}
