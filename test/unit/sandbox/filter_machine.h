/* filter_machine: runs a program of seccomp as the kernel would (classic BPF on struct seccomp_data), so that filters
 * of any processor are tried on any machine, without giving up anything. */
#ifndef FILTER_MACHINE_H
#define FILTER_MACHINE_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint32_t machine_operand(const struct sock_filter *step, uint32_t index)
{
    return BPF_SRC(step->code) == BPF_X ? index : step->k;
}

/* The action with its data: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM, ... */
static uint32_t machine_run(const struct sock_fprog *program, const struct seccomp_data *data)
{
    uint32_t value = 0, index = 0, memory[BPF_MEMWORDS] = {0};
    for (unsigned at = 0; at < program->len; at++) {
        const struct sock_filter *step = &program->filter[at];
        uint32_t operand = machine_operand(step, index);
        switch (step->code) {
        case BPF_LD | BPF_W | BPF_ABS: memcpy(&value, (const char *)data + step->k, sizeof value); break;
        case BPF_LD | BPF_IMM: value = step->k; break;
        case BPF_LD | BPF_MEM: value = memory[step->k]; break;
        case BPF_LDX | BPF_MEM: index = memory[step->k]; break;
        case BPF_ST: memory[step->k] = value; break;
        case BPF_MISC | BPF_TAX: index = value; break;
        case BPF_ALU | BPF_AND | BPF_K: value &= operand; break;
        case BPF_JMP | BPF_JA: at += step->k; break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JEQ | BPF_X: at += value == operand ? step->jt : step->jf; break;
        case BPF_JMP | BPF_JGT | BPF_K: at += value > operand ? step->jt : step->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: at += value >= operand ? step->jt : step->jf; break;
        case BPF_JMP | BPF_JSET | BPF_K: at += value & operand ? step->jt : step->jf; break;
        case BPF_RET | BPF_K: return step->k;
        default: fail_msg("the machine does not know step %u, code %#x", at, step->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

/* What becomes of a call, by its name on the processor `arch` (libseccomp's, which is the kernel's). */
static uint32_t machine_judge(const struct sock_fprog *program, uint32_t arch, const char *name,
                              const uint64_t arguments[static 6])
{
    struct seccomp_data data = {.arch = arch, .nr = seccomp_syscall_resolve_name_arch(arch, name)};
    assert_true(data.nr >= 0);
    memcpy(data.args, arguments, sizeof data.args);
    return machine_run(program, &data);
}

#endif
