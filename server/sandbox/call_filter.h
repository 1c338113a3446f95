/* call_filter: the table of system calls (call_table.h) as a program that the kernel runs before each call, by seccomp
 * (seccomp(2)). libseccomp writes the program. A call of another processor's interface (32 bits, x32) is outside. */
#ifndef SANDBOX_CALL_FILTER_H
#define SANDBOX_CALL_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/filter.h>

/* What becomes of a call outside the table. */
enum call_filter_action {
    CALL_FILTER_REFUSE, /* EPERM */
    CALL_FILTER_NOTIFY, /* it waits until the reader of a descriptor (call_log.h) lets it go on */
    CALL_FILTER_KERNEL, /* it is made, and the kernel logs it */
};

struct call_filter_options {
    enum call_filter_action action;
    unsigned needs; /* bits of call_need: the rows that are wanted beside those without a need */
    pid_t process;
    uint32_t arch; /* libseccomp's SCMP_ARCH_...; 0: this machine's */
};

struct call_filter {
    struct sock_fprog program; /* owned */
    enum call_filter_action action;
    unsigned calls; /* different ones that are allowed */
};

/* False, with errno; nothing to free then. */
bool call_filter_make(const struct call_filter_options *options, struct call_filter *ret_filter);

/* Makes the filter hold for all threads of the process, for ever. Needs no_new_privs. `ret_listener`: the descriptor of
 * CALL_FILTER_NOTIFY, the caller's; else -1. False, with errno: no thread has it. */
bool call_filter_enforce(const struct call_filter *filter, int *ret_listener);

void call_filter_free(struct call_filter *filter);

#endif
