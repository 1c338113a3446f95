/* reserve: zeroed, page-aligned memory for tables of a fixed size. It costs only address space until it is used, so a
 * table is made once for the configured bound and an idle program stays small. Any thread. */
#ifndef SHARED_RESERVE_H
#define SHARED_RESERVE_H

#include <stddef.h>

/* NULL if no address space is left, or no memory under strict overcommit. 0 bytes count as one page. */
void *reserve_new(size_t bytes);

/* `bytes` as in reserve_new; NULL is allowed. */
void reserve_free(void *memory, size_t bytes);

#endif
