#include "shared/access.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* In network byte order memcmp compares addresses numerically. */
struct range {
    uint8_t first[16];
    uint8_t last[16];
};

struct access_list {
    atomic_uint owners;
    size_t count;
    struct range ranges[]; /* sorted; at least one address lies between two of them */
};

static struct range range_of(const struct prefix *prefix)
{
    struct prefix clean = prefix_of(prefix->ip, prefix->bits);
    struct range range;
    memcpy(range.first, clean.ip, sizeof range.first);
    for (unsigned i = 0; i < sizeof range.last; i++) {
        unsigned fixed =
            prefix->bits > 8 * i ? prefix->bits - 8 * i : 0; /* fixed bits in this octet and the following ones */
        unsigned open = fixed < 8 ? 0xffu >> fixed : 0;
        range.last[i] = (uint8_t)(clean.ip[i] | open);
    }
    return range;
}

static int by_first(const void *a, const void *b)
{
    return memcmp(((const struct range *)a)->first, ((const struct range *)b)->first, 16);
}

/* The address after `ip`; false after the last one. */
static bool next_address(const uint8_t ip[static 16], uint8_t ret_next[static 16])
{
    memcpy(ret_next, ip, 16);
    for (unsigned i = 16; i-- > 0;)
        if (++ret_next[i] != 0) return true;
    return false;
}

/* Merges `next`, which does not begin before `range`, into it if there is no gap; false if there is one. */
static bool range_merge(struct range *range, const struct range *next)
{
    uint8_t behind[16];
    if (next_address(range->last, behind) && memcmp(next->first, behind, 16) > 0) return false;
    if (memcmp(next->last, range->last, 16) > 0) memcpy(range->last, next->last, 16);
    return true;
}

struct access_list *access_new(const struct prefix *allowed, size_t count)
{
    struct access_list *access = malloc(sizeof *access + count * sizeof access->ranges[0]);
    if (!access) return NULL;
    atomic_init(&access->owners, 1);
    access->count = 0;
    for (size_t i = 0; i < count; i++) access->ranges[i] = range_of(&allowed[i]);
    if (count > 1) qsort(access->ranges, count, sizeof access->ranges[0], by_first);
    for (size_t i = 0; i < count; i++)
        if (access->count == 0 || !range_merge(&access->ranges[access->count - 1], &access->ranges[i]))
            access->ranges[access->count++] = access->ranges[i];
    return access;
}

struct access_list *access_share(struct access_list *access)
{
    atomic_fetch_add(&access->owners, 1);
    return access;
}

void access_free(struct access_list *access)
{
    if (!access) return;
    unsigned owners = atomic_fetch_sub(&access->owners, 1);
    CHECK(owners > 0);
    if (owners == 1) free(access);
}

static uint64_t half(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

/* As memcmp(a, b, 16) <= 0, without its call. */
static bool is_not_behind(const uint8_t a[static 16], const uint8_t b[static 16])
{
    uint64_t high_a = half(a);
    uint64_t high_b = half(b);
    return high_a != high_b ? high_a < high_b : half(a + 8) <= half(b + 8);
}

bool access_is_allowed(const struct access_list *access, const struct address *client)
{
    size_t low = 0;
    size_t high = access->count; /* ranges before `low` begin at or before the client, those from `high` on after it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_not_behind(access->ranges[middle].first, client->ip))
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && is_not_behind(client->ip, access->ranges[low - 1].last);
}
