/* warmup: the questions that are to be asked upstream after a start, because their answers of the run before are over:
 * those of the top names, in the order in which they are to be asked.
 *
 * One thread adds, the workers take. Bound: what is added, at most prefetch.top names. Lock: a mutex, a leaf; while
 * nothing waits the workers do not take it. Any thread. */
#ifndef SHARED_WARMUP_H
#define SHARED_WARMUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WARMUP_KEY_MAX = 262 };

struct warmup;

/* NULL if memory is short. */
struct warmup *warmup_new(void);
void warmup_free(struct warmup *warmup);

/* Adds a key; one that is larger than WARMUP_KEY_MAX, or for which memory is short, is left out. */
void warmup_add(struct warmup *warmup, const uint8_t *key, size_t size);

/* Takes the next key; returns its size, 0 if none waits. NULL: there are none. */
size_t warmup_take(struct warmup *warmup, uint8_t ret_key[static WARMUP_KEY_MAX]);

/* No more keys will be added. */
void warmup_close(struct warmup *warmup);

/* Whether all keys were taken and no more will come. NULL: there are none. */
bool warmup_is_over(const struct warmup *warmup);

#endif
