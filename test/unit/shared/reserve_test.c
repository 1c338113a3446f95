#include "shared/reserve.h"

#include <sys/mman.h>

#include "keys.h"

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
        cmocka_unit_test(nothing_is_a_little),
        cmocka_unit_test(more_than_there_is_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
