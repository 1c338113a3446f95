/* call_table: the system calls that the program may make once it has started, each with who makes it. Data; any thread.
 *
 * Names are those of libseccomp. A name that a processor or a version of the library does not know is skipped. */
#ifndef SANDBOX_CALL_TABLE_H
#define SANDBOX_CALL_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* What a row is for; a row without a need is always allowed. Bits. */
enum call_need {
    CALL_NEED_STATE = 1,    /* a state directory is configured */
    CALL_NEED_HANDOVER = 2, /* systemd may keep descriptors for the next start */
    CALL_NEED_LOG = 4,      /* the program reads which calls were made outside the table */
};

/* The argument must be `value` in the bits of `mask`. */
struct call_check {
    uint8_t argument;
    uint64_t mask; /* 0: no check */
    uint64_t value;
};

enum { CALL_CHECKS_MAX = 3 };

/* For the value of a check: this process's id. */
#define CALL_OWN_PROCESS UINT64_MAX

/* A call is allowed if all checks of one of its rows hold. */
struct call_row {
    const char *name;
    const char *user; /* who makes it, and what for */
    unsigned needs;   /* all of these; bits of call_need */
    struct call_check checks[CALL_CHECKS_MAX];
};

const struct call_row *call_table(size_t *ret_count);

/* The call that must look as if the kernel did not have it, so that the C library makes another one whose arguments can
 * be checked: those of this one are in memory. */
#define CALL_WITHOUT "clone3"

#endif
