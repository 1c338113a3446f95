/* reserve: zeroed, page-aligned memory for tables of a fixed size. It costs only address space until it is used, so a
 * table is made once for the configured bound and an idle program stays small. Any thread. */
#ifndef SHARED_RESERVE_H
#define SHARED_RESERVE_H

#include <stddef.h>

/* NULL if no address space is left, or no memory under strict overcommit. 0 bytes count as one page. */
void *reserve_new(size_t bytes);

/* What is touched of the memory from now on comes in pages of 2 MiB, where the kernel has them: it is found faster, but
 * a place that is touched may take 2 MiB. */
void reserve_in_large_pages(void *memory, size_t bytes);

/* `bytes` as in reserve_new; NULL is allowed. */
void reserve_free(void *memory, size_t bytes);

#endif
