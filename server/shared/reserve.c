#include "shared/reserve.h"

#include <sys/mman.h>

void *reserve_new(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void reserve_in_large_pages(void *memory, size_t bytes)
{
    madvise(memory, bytes, MADV_HUGEPAGE); /* a kernel without them refuses */
}

void reserve_free(void *memory, size_t bytes)
{
    if (memory) munmap(memory, bytes ? bytes : 1);
}
