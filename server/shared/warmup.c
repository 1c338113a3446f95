#include "shared/warmup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

enum { SIZE_BYTES = 2 };

struct warmup {
    pthread_mutex_t lock;
    uint8_t *keys; /* each behind its size; guarded by `lock`, as what follows */
    size_t size;
    size_t capacity;
    size_t at;           /* the next to be taken */
    atomic_bool is_full; /* some wait; changed with `lock` */
    atomic_bool is_closed;
};

struct warmup *warmup_new(void)
{
    struct warmup *warmup = calloc(1, sizeof *warmup);
    if (warmup) pthread_mutex_init(&warmup->lock, NULL);
    return warmup;
}

void warmup_free(struct warmup *warmup)
{
    if (!warmup) return;
    pthread_mutex_destroy(&warmup->lock);
    free(warmup->keys);
    free(warmup);
}

static bool grow(struct warmup *warmup, size_t size)
{
    enum { FIRST_BYTES = 4096 };
    size_t capacity = warmup->capacity > 0 ? warmup->capacity : FIRST_BYTES;
    while (capacity < size) capacity *= 2;
    if (capacity == warmup->capacity) return true;
    uint8_t *keys = realloc(warmup->keys, capacity);
    if (!keys) return false;
    warmup->keys = keys;
    warmup->capacity = capacity;
    return true;
}

void warmup_add(struct warmup *warmup, const uint8_t *key, size_t size)
{
    const uint16_t stored = (uint16_t)size;
    if (size == 0 || size > WARMUP_KEY_MAX) return;
    pthread_mutex_lock(&warmup->lock);
    if (grow(warmup, warmup->size + SIZE_BYTES + size)) {
        memcpy(warmup->keys + warmup->size, &stored, SIZE_BYTES);
        memcpy(warmup->keys + warmup->size + SIZE_BYTES, key, size);
        warmup->size += SIZE_BYTES + size;
        atomic_store_explicit(&warmup->is_full, true, memory_order_relaxed);
    }
    pthread_mutex_unlock(&warmup->lock);
}

size_t warmup_take(struct warmup *warmup, uint8_t ret_key[static WARMUP_KEY_MAX])
{
    uint16_t size = 0;
    uint8_t *emptied = NULL;
    if (!warmup || !atomic_load_explicit(&warmup->is_full, memory_order_relaxed)) return 0;
    pthread_mutex_lock(&warmup->lock);
    if (warmup->at < warmup->size) {
        memcpy(&size, warmup->keys + warmup->at, SIZE_BYTES);
        CHECK(size <= WARMUP_KEY_MAX && warmup->at + SIZE_BYTES + size <= warmup->size);
        memcpy(ret_key, warmup->keys + warmup->at + SIZE_BYTES, size);
        warmup->at += SIZE_BYTES + size;
    }
    if (warmup->at == warmup->size) {
        emptied = warmup->keys;
        warmup->keys = NULL;
        warmup->at = warmup->size = warmup->capacity = 0;
        atomic_store_explicit(&warmup->is_full, false, memory_order_relaxed);
    }
    pthread_mutex_unlock(&warmup->lock);
    free(emptied);
    return size;
}

void warmup_close(struct warmup *warmup)
{
    atomic_store_explicit(&warmup->is_closed, true, memory_order_release);
}

bool warmup_is_over(const struct warmup *warmup)
{
    if (!warmup) return true;
    bool is_closed = atomic_load_explicit(&warmup->is_closed, memory_order_acquire); /* first: then no more come */
    return is_closed && !atomic_load_explicit(&warmup->is_full, memory_order_relaxed);
}
