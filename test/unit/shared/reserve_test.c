#include "shared/reserve.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys.h"
#include "shared/cache.h"
#include "shared/cache_state.h"

enum { PAGE = 4096, PAGES = 4096 };

static unsigned resident_pages(void *memory)
{
    unsigned char pages[PAGES];
    unsigned resident = 0;
    assert_int_equal(mincore(memory, (size_t)PAGES * PAGE, pages), 0);
    for (unsigned i = 0; i < PAGES; i++) resident += pages[i] & 1;
    return resident;
}

static void memory_is_zeroed_and_costs_nothing_until_touched(void **state)
{
    (void)state;
    const size_t bytes = (size_t)PAGES * PAGE;
    uint8_t *memory = reserve_new(bytes);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % PAGE, 0);
    assert_int_equal(resident_pages(memory), 0);
    memory[7 * PAGE] = 1;
    assert_in_range(resident_pages(memory), 1, PAGES / 2); /* more than one where the kernel likes large pages */
    for (size_t i = 0; i < bytes; i += 1001) assert_int_equal(memory[i], 0);
    reserve_free(memory, bytes);
}

/* Whether the kernel was asked for large pages at that address. */
static bool has_large_pages(const void *memory)
{
    char line[512];
    bool is_it = false, is_large = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) is_it = (uintptr_t)memory >= begin && (uintptr_t)memory < end;
        if (is_it && strncmp(line, "VmFlags:", 8) == 0) is_large |= strstr(line, " hg") != NULL;
    }
    fclose(maps);
    return is_large;
}

static void large_pages_are_for_a_large_cache(void **state)
{
    (void)state;
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0) skip(); /* the kernel has none */
    struct cache *large = cache_new(&(struct cache_options){.max_bytes = 256 << 20});
    struct cache *usual = cache_new(&(struct cache_options){.max_bytes = 64 << 20});
    assert_true(has_large_pages(large->buckets));
    assert_true(has_large_pages((uint8_t *)large->buckets + large->buckets_bytes - 1));
    assert_false(has_large_pages(usual->buckets));
    cache_free(large);
    cache_free(usual);
}

static void nothing_is_a_little(void **state)
{
    (void)state;
    uint8_t *memory = reserve_new(0);
    assert_non_null(memory);
    memory[0] = 1;
    reserve_free(memory, 0);
    reserve_free(NULL, 100);
}

static void more_than_there_is_is_null(void **state)
{
    (void)state;
    assert_null(reserve_new(SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_costs_nothing_until_touched),
        cmocka_unit_test(large_pages_are_for_a_large_cache),
        cmocka_unit_test(nothing_is_a_little),
        cmocka_unit_test(more_than_there_is_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
