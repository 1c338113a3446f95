#include "shared/purges.h"

#include <string.h>

#include "common/check.h"

void purges_init(struct purges *purges)
{
    atomic_init(&purges->number, 0);
    pthread_mutex_init(&purges->lock, NULL);
    purges->all_number = purges->all_ms = 0;
    purges->count = 0;
}

void purges_done(struct purges *purges)
{
    pthread_mutex_destroy(&purges->lock);
}

static void remove_name(struct purges *purges, unsigned index)
{
    CHECK(index < purges->count);
    purges->count--;
    memmove(&purges->names[index], &purges->names[index + 1], (purges->count - index) * sizeof purges->names[0]);
}

static bool is_name(const struct purges *purges, unsigned index, const uint8_t *name, size_t size)
{
    return purges->names[index].size == size && memcmp(purges->names[index].bytes, name, size) == 0;
}

static void note_name(struct purges *purges, const uint8_t *name, size_t size, uint64_t number, uint64_t now_ms)
{
    CHECK(size <= PURGES_NAME_BYTES);
    for (unsigned i = 0; i < purges->count; i++)
        if (is_name(purges, i, name, size)) {
            remove_name(purges, i);
            break;
        }
    if (purges->count == PURGES_NAMES_MAX) {
        purges->all_number = purges->names[0].number;
        if (purges->names[0].at_ms > purges->all_ms) purges->all_ms = purges->names[0].at_ms;
        remove_name(purges, 0);
    }
    purges->names[purges->count].number = number;
    purges->names[purges->count].at_ms = now_ms;
    purges->names[purges->count].size = (uint8_t)size;
    memcpy(purges->names[purges->count].bytes, name, size);
    purges->count++;
}

void purges_note(struct purges *purges, const uint8_t *name, size_t size, uint64_t now_ms)
{
    pthread_mutex_lock(&purges->lock);
    uint64_t number = atomic_load(&purges->number) + 1;
    if (name) {
        note_name(purges, name, size, number, now_ms);
    } else {
        purges->all_number = number;
        purges->all_ms = now_ms;
        purges->count = 0;
    }
    atomic_store(&purges->number, number);
    pthread_mutex_unlock(&purges->lock);
}

uint64_t purges_number(const struct purges *purges)
{
    return atomic_load(&purges->number);
}

bool purges_since(struct purges *purges, const uint8_t *name, size_t size, uint64_t number)
{
    if (atomic_load(&purges->number) == number) return false;
    pthread_mutex_lock(&purges->lock);
    bool since = purges->all_number > number;
    for (unsigned i = 0; !since && i < purges->count; i++)
        since = is_name(purges, i, name, size) && purges->names[i].number > number;
    pthread_mutex_unlock(&purges->lock);
    return since;
}

bool purges_concern(struct purges *purges, const uint8_t *name, size_t size, uint64_t stored_ms)
{
    if (atomic_load(&purges->number) == 0) return false;
    pthread_mutex_lock(&purges->lock);
    bool concern = purges->all_number != 0 && stored_ms <= purges->all_ms;
    for (unsigned i = 0; !concern && i < purges->count; i++)
        concern = is_name(purges, i, name, size) && stored_ms <= purges->names[i].at_ms;
    pthread_mutex_unlock(&purges->lock);
    return concern;
}
