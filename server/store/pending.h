/* pending: the commands that the store was sent and has not replied to, in order, since replies come in order. Each has
 * a number, from 1 on, by which it is found. One thread. The owner bounds how many there are. */
#ifndef STORE_PENDING_H
#define STORE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_lookup;

enum command {
    COMMAND_AUTH,
    COMMAND_PROBE, /* GET of a key of our own */
    COMMAND_LOOKUP,
    COMMAND_CLAIM,
    COMMAND_WRITE,
    COMMAND_WITHDRAW
};

struct pending {
    enum command command;
    uint64_t asked_ns;           /* attended time */
    struct store_lookup *lookup; /* that is told of the reply; NULL: nobody */
};

struct pendings {
    struct pending *ring;
    uint64_t first;    /* number of the oldest */
    uint64_t next;     /* of the next to come; equal to `first`: there is none */
    uint32_t capacity; /* a power of two, or 0 */
};

void pendings_init(struct pendings *pendings);
void pendings_done(struct pendings *pendings);

/* False without memory. */
bool pendings_push(struct pendings *pendings, const struct pending *pending);

/* Takes the oldest; there must be one. */
struct pending pendings_take(struct pendings *pendings);

/* The one of that number, or NULL if it was replied to. */
struct pending *pendings_find(const struct pendings *pendings, uint64_t number);

static inline uint64_t pendings_count(const struct pendings *pendings)
{
    return pendings->next - pendings->first;
}

#endif
