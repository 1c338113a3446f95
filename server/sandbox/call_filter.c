#include "sandbox/call_filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/call_table.h"

static uint32_t action_of(enum call_filter_action action)
{
    switch (action) {
    case CALL_FILTER_REFUSE: return SCMP_ACT_ERRNO(EPERM);
    case CALL_FILTER_NOTIFY: return SCMP_ACT_NOTIFY;
    case CALL_FILTER_KERNEL: return SCMP_ACT_LOG;
    }
    return SCMP_ACT_ERRNO(EPERM);
}

/* The library's functions return -errno. A call that the processor does not have is skipped. */
static bool add_rule(scmp_filter_ctx context, uint32_t action, const char *name, const struct scmp_arg_cmp *checks,
                     unsigned count)
{
    int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) return true;
    int result = seccomp_rule_add_array(context, action, call, count, checks);
    errno = -result;
    return result == 0 || result == -EDOM || result == -EEXIST;
}

static bool add_row(scmp_filter_ctx context, const struct call_row *row, pid_t process)
{
    struct scmp_arg_cmp checks[CALL_CHECKS_MAX];
    unsigned count = 0;
    for (; count < CALL_CHECKS_MAX && row->checks[count].mask != 0; count++) {
        const struct call_check *check = &row->checks[count];
        uint64_t value = check->value == CALL_OWN_PROCESS ? (uint64_t)process : check->value;
        checks[count] = (struct scmp_arg_cmp){check->argument, SCMP_CMP_MASKED_EQ, check->mask, value & check->mask};
    }
    return add_rule(context, SCMP_ACT_ALLOW, row->name, checks, count);
}

/* The rows of one call stand together only in part; a call counts where it stands first. */
static bool is_first(const struct call_row *rows, size_t index, unsigned needs)
{
    for (size_t i = 0; i < index; i++)
        if ((rows[i].needs & ~needs) == 0 && strcmp(rows[i].name, rows[index].name) == 0) return false;
    return true;
}

static bool add_rows(scmp_filter_ctx context, const struct call_filter_options *options, unsigned *ret_calls)
{
    size_t count;
    const struct call_row *rows = call_table(&count);
    *ret_calls = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].needs & ~options->needs) continue;
        if (!add_row(context, &rows[i], options->process)) return false;
        *ret_calls += is_first(rows, i, options->needs);
    }
    return add_rule(context, SCMP_ACT_ERRNO(ENOSYS), CALL_WITHOUT, NULL, 0);
}

/* A binary tree needs a few steps for each call, a list as many as there are calls before it. */
static bool set_attributes(scmp_filter_ctx context, const struct call_filter_options *options)
{
    enum { BINARY_TREE = 2 };
    int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, action_of(options->action));
    if (result == 0 && options->arch != 0 && options->arch != seccomp_arch_native()) {
        result = seccomp_arch_add(context, options->arch);
        if (result == 0) result = seccomp_arch_remove(context, SCMP_ARCH_NATIVE);
    }
    if (result == 0) result = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE);
    errno = -result;
    return result == 0;
}

/* The library writes the program to a descriptor. Loaded by the library itself, it would not give a descriptor for a
 * default action of CALL_FILTER_NOTIFY. */
static bool export(scmp_filter_ctx context, struct sock_fprog *ret_program)
{
    struct stat status = {.st_size = 0};
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0) return false;
    int error = -seccomp_export_bpf(context, fd);
    if (error == 0 && fstat(fd, &status) != 0) error = errno;
    size_t size = (size_t)status.st_size;
    struct sock_filter *steps = error == 0 ? malloc(size) : NULL;
    if (error == 0 && (!steps || pread(fd, steps, size, 0) != (ssize_t)size)) error = steps ? EIO : ENOMEM;
    close(fd);
    errno = error;
    if (error == 0)
        *ret_program = (struct sock_fprog){(unsigned short)(size / sizeof *steps), steps};
    else
        free(steps);
    return error == 0;
}

bool call_filter_make(const struct call_filter_options *options, struct call_filter *ret_filter)
{
    struct call_filter filter = {.action = options->action};
    scmp_filter_ctx context = seccomp_init(action_of(options->action));
    if (!context) {
        errno = ENOMEM;
        return false;
    }
    bool good = set_attributes(context, options) && add_rows(context, options, &filter.calls) &&
                export(context, &filter.program);
    int error = errno;
    seccomp_release(context);
    errno = error;
    if (good) *ret_filter = filter;
    return good;
}

bool call_filter_enforce(const struct call_filter *filter, int *ret_listener)
{
    bool notifies = filter->action == CALL_FILTER_NOTIFY;
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;
    if (notifies) flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    /* Without this flag kernels before 5.16 give up the processor's speculation for the whole program, against code
     * that it does not run: code of others, compiled as it runs. */
    long result =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter->program);
    if (result < 0 && errno == EINVAL) /* a kernel that does not know the flag (before 4.17) */
        result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter->program);
    if (result > 0 && !notifies) { /* the id of a thread that cannot have it */
        errno = ESRCH;
        result = -1;
    }
    if (result < 0) return false;
    *ret_listener = notifies ? (int)result : -1;
    return true;
}

void call_filter_free(struct call_filter *filter)
{
    free(filter->program.filter);
    filter->program.filter = NULL;
}
