/* reserve: memory for tables of a fixed size: zeroed, page-aligned, and costing nothing but addresses until it is
 * touched. So a table is made once for the bound the operator set, and an idle program stays small. Any thread. */
#ifndef SHARED_RESERVE_H
#define SHARED_RESERVE_H

#include <stddef.h>

/* NULL where there are no addresses, or no memory behind a strict overcommit. 0 bytes are taken as one page. */
void *reserve_new(size_t bytes);

/* `bytes` as it was asked for; NULL is fine. */
void reserve_free(void *memory, size_t bytes);

#endif
