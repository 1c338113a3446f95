#include <stdlib.h>
#include <string.h>

#include "shared/topnames.h"
#include "shared/topnames_state.h"

_Static_assert((int)TOPNAME_BYTES == (int)TOPNAMES_KEY_MAX, "a key has room");

/* --- the names, most asked first --- */

static int by_count(const void *a, const void *b)
{
    uint32_t left = ((const struct topname *)a)->queries;
    uint32_t right = ((const struct topname *)b)->queries;
    return (left < right) - (left > right);
}

static size_t least_of(const struct topname *names, size_t count)
{
    size_t least = 0;
    for (size_t i = 1; i < count; i++)
        if (names[i].queries < names[least].queries) least = i;
    return least;
}

/* Adds the names of a stripe to the `count` names so far; when there are `max`, each replaces the least asked one. */
static size_t list_stripe(const struct stripe *stripe, struct topname *names, size_t count, size_t max)
{
    size_t least = count == max ? least_of(names, count) : 0;
    for (uint32_t i = 0; i < stripe->used; i++) {
        if (count == max && stripe->queries[i] <= names[least].queries) continue;
        struct topname *to = count < max ? &names[count++] : &names[least];
        to->size = stripe->names[i].size;
        to->queries = stripe->queries[i];
        memcpy(to->bytes, stripe->names[i].bytes, to->size);
        if (count == max) least = least_of(names, count);
    }
    return count;
}

size_t topnames_list(struct topnames *topnames, struct topname *ret_names, size_t max)
{
    size_t count = 0;
    for (unsigned i = 0; max > 0 && i < topnames->stripe_count; i++) {
        pthread_mutex_lock(&topnames->stripes[i].lock);
        count = list_stripe(&topnames->stripes[i], ret_names, count, max);
        pthread_mutex_unlock(&topnames->stripes[i].lock);
    }
    if (count > 1) qsort(ret_names, count, sizeof *ret_names, by_count);
    return count;
}

/* --- a walk --- */

bool topnames_next(struct topnames *topnames, struct topnames_cursor *cursor, struct topname *ret_name)
{
    while (cursor->stripe < topnames->stripe_count) {
        struct stripe *stripe = &topnames->stripes[cursor->stripe];
        pthread_mutex_lock(&stripe->lock);
        uint32_t index = cursor->index++;
        bool is_found = index < stripe->used;
        if (is_found) {
            ret_name->size = stripe->names[index].size;
            ret_name->queries = stripe->queries[index];
            memcpy(ret_name->bytes, stripe->names[index].bytes, ret_name->size);
        }
        pthread_mutex_unlock(&stripe->lock);
        if (is_found) return true;
        *cursor = (struct topnames_cursor){.stripe = cursor->stripe + 1};
    }
    return false;
}
