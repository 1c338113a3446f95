/* need: what a fuzz target demands of the program. Where it does not hold, the demand, its place and errno are printed,
 * and the process aborts, so that the fuzzer keeps the input. A failure that depends on time cannot be had again from
 * the input alone; the line says what to look for. */
#ifndef NEED_H
#define NEED_H

#include <stdbool.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define need(holds) need_holds(holds, #holds, __FILE__, __LINE__)

static inline void need_holds(bool holds, const char *demand, const char *file, int line)
{
    if (holds) return;
    int error = errno;
    fprintf(stderr, "%s:%d: demanded, and not so: %s (errno %d, %s)\n", file, line, demand, error, strerror(error));
    abort();
}

#endif
