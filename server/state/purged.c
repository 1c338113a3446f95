#include "state/purged.h"

#include <string.h>

void purged_init(struct purged *purged)
{
    purged->all = false;
    purged->count = 0;
    pthread_mutex_init(&purged->lock, NULL);
}

void purged_done(struct purged *purged)
{
    pthread_mutex_destroy(&purged->lock);
}

void purged_note(struct purged *purged, const uint8_t *name, size_t size)
{
    pthread_mutex_lock(&purged->lock);
    if (!name || size > DNS_NAME_MAX || purged->count == PURGED_NAMES_MAX) {
        purged->all = true;
    } else {
        purged->names[purged->count].size = (uint8_t)size;
        memcpy(purged->names[purged->count].bytes, name, size);
        purged->count++;
    }
    pthread_mutex_unlock(&purged->lock);
}

enum purged_verdict purged_look(struct purged *purged, const uint8_t *name, size_t size)
{
    enum purged_verdict verdict = PURGED_NOT;
    pthread_mutex_lock(&purged->lock);
    for (unsigned i = 0; i < purged->count; i++)
        if (purged->names[i].size == size && memcmp(purged->names[i].bytes, name, size) == 0) verdict = PURGED_NAME;
    if (purged->all) verdict = PURGED_ALL;
    pthread_mutex_unlock(&purged->lock);
    return verdict;
}
