#include "store/pending.h"

#include <stdlib.h>

#include "common/check.h"

enum { CAPACITY_FIRST = 64 };

static struct pending *at(const struct pendings *pendings, uint64_t number)
{
    return &pendings->ring[number & (pendings->capacity - 1)];
}

void pendings_init(struct pendings *pendings)
{
    *pendings = (struct pendings){.first = 1, .next = 1};
}

void pendings_done(struct pendings *pendings)
{
    free(pendings->ring);
    pendings_init(pendings);
}

static bool grow(struct pendings *pendings)
{
    struct pendings grown = *pendings;
    grown.capacity = pendings->capacity ? 2 * pendings->capacity : CAPACITY_FIRST;
    grown.ring = malloc(grown.capacity * sizeof *grown.ring);
    if (!grown.ring) return false;
    for (uint64_t i = pendings->first; i < pendings->next; i++) *at(&grown, i) = *at(pendings, i);
    free(pendings->ring);
    *pendings = grown;
    return true;
}

bool pendings_push(struct pendings *pendings, const struct pending *pending)
{
    if (pendings_count(pendings) == pendings->capacity && !grow(pendings)) return false;
    *at(pendings, pendings->next++) = *pending;
    return true;
}

struct pending pendings_take(struct pendings *pendings)
{
    CHECK(pendings_count(pendings) > 0);
    return *at(pendings, pendings->first++);
}

struct pending *pendings_find(const struct pendings *pendings, uint64_t number)
{
    return number >= pendings->first && number < pendings->next ? at(pendings, number) : NULL;
}
