/* loop: an epoll set and the turn of events taken from it.
 *
 * Everything is registered edge-triggered and once: whoever is told "readable" reads until the kernel has no more, or
 * remembers that there is more. The loop belongs to the thread that waits on it; only loop_add may be called by another
 * thread, which is how an accepted socket reaches its worker without a queue. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* One registered descriptor. The owner embeds it and keeps it where it is until loop_remove. `on_event` is called on
 * the loop's thread with EPOLL* bits. */
struct loop_source {
    int fd;
    void (*on_event)(struct loop_source *source, uint32_t events);
};

/* Events taken in one turn: enough to batch well, few enough that a turn stays short. */
enum { LOOP_EVENTS_MAX = 256 };

struct loop {
    int epoll_fd;
    uint64_t now_ns; /* read once a turn, after waiting */
    int taken;       /* events of this turn, */
    int at;          /* and the one being handled */
    struct epoll_event events[LOOP_EVENTS_MAX];
};

/* False, with errno, where the kernel gives no epoll set. */
bool loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/* Registers source->fd for `events` (EPOLLET is added). Any thread. False, with errno. */
bool loop_add(struct loop *loop, struct loop_source *source, uint32_t events);

/* Takes the source out; an event of it still waiting in this turn is not delivered. The descriptor must still be open.
 */
void loop_remove(struct loop *loop, struct loop_source *source);

/* The same for a descriptor that is closed next, which takes it out of the set by itself: no system call. */
void loop_forget(struct loop *loop, const struct loop_source *source);

/* Waits until an event or until `deadline_ns` (CLOCK_NEVER: for ever; past: not at all), then handles one turn of
 * events. */
void loop_turn(struct loop *loop, uint64_t deadline_ns);

#endif
