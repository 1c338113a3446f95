/* loop: an epoll set and the turn of events taken from it.
 *
 * Each descriptor is registered once, edge-triggered: after a "readable" event the reader reads until the kernel has no
 * more, or remembers that there may be more. The loop belongs to the thread that waits on it; only loop_add may be
 * called by another thread, which is how an accepted socket reaches its worker without a queue. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* One registered descriptor. The owner embeds it and must not move or free it before loop_remove or loop_forget.
 * `on_event` is called on the loop's thread with EPOLL* bits. */
struct loop_source {
    int fd;
    void (*on_event)(struct loop_source *source, uint32_t events);
};

/* Events taken in one turn: enough to batch well, few enough that a turn stays short. */
enum { LOOP_EVENTS_MAX = 256 };

struct loop {
    int epoll_fd;
    uint64_t now_ns;          /* read once a turn, after waiting */
    uint64_t own_delay_ns;    /* the thread's own delays in all, see loop_count_delay */
    _Atomic uint64_t turn_ns; /* when the turn under way began, as others see it; 0: the thread waits for events */
    _Atomic uint64_t busy_ns; /* time in turns that are over */
    int taken;                /* number of events in this turn */
    int at;                   /* index of the event being handled */
    struct epoll_event events[LOOP_EVENTS_MAX];
};

/* False, with errno set, if the kernel provides no epoll set. */
bool loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/* Registers source->fd for `events` (EPOLLET is added). Any thread. False, with errno. */
bool loop_add(struct loop *loop, struct loop_source *source, uint32_t events);

/* Removes the source. An event of it that waits in this turn is not delivered. The descriptor must
 * still be open. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* The same for a descriptor that the caller closes next. Closing removes it from the set, so no system call is needed
 * here. */
void loop_forget(struct loop *loop, const struct loop_source *source);

/* A turn that takes longer than that, or a wait that ends so much later than it should, is delayed: the thread had too
 * much to do, or did not get the processor. */
#define LOOP_PROMPT_NS UINT64_C(10000000)

/* Adds to own_delay_ns what the turn that ends (from now_ns to `waits_ns`) and the wait behind it (until `woke_ns`,
 * where `deadline_ns` was asked for) were delayed. Of a long turn LOOP_PROMPT_NS counts as attended; of a wait that
 * ends late, half of what was asked for, at least half of LOOP_PROMPT_NS: when in it the thread was stopped is not
 * known. So attended time passes also where every turn is delayed. loop_turn calls this. */
void loop_count_delay(struct loop *loop, uint64_t waits_ns, uint64_t deadline_ns, uint64_t woke_ns);

/* Attended time: the clock without the thread's own delays. Who waits for another program's answer judges it by this
 * time, because for the rest the thread did not look, and in part had not even sent. It passes with each turn. */
static inline uint64_t loop_attended_ns(const struct loop *loop)
{
    return loop->now_ns - loop->own_delay_ns;
}

/* How long the thread did not wait for events, in all, until `now_ns`: also while it did not get the processor. Any
 * thread. Read by another thread it may lack the turn that ends at that moment; the next look has it. */
uint64_t loop_busy_ns(const struct loop *loop, uint64_t now_ns);

/* Waits for an event, at most until `deadline_ns` (CLOCK_NEVER: without limit; a time in the past: not at all), then
 * handles the events of one turn, at most LOOP_EVENTS_MAX. */
void loop_turn(struct loop *loop, uint64_t deadline_ns);

#endif
