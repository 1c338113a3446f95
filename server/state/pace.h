/* pace: how a long piece of work beside the workers leaves them the processors: it works for a short time and pauses
 * for a longer one. One thread works; any other may stop it, or let it hurry: then it pauses only where another thread
 * waits for its processor.
 *
 * A worker that wakes on the processor of the work waits until the stretch is over, whatever the priorities are: Linux
 * (since 6.6) lets a thread finish its slice, and by turns takes one of SCHED_IDLE before a worker that has had more
 * than its share. So the length of a stretch is what a query waits at most, and stretches' share of the time is how
 * many queries wait. */
#ifndef STATE_PACE_H
#define STATE_PACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

/* How a snapshot is saved: by a tenth of one processor. A million entries take some twenty seconds, and nobody waits
 * for them. With 100 of each 550 us the 99th percentile of cached answers rose by 16 %. */
#define SAVE_WORK_NS  (25 * NS_PER_US)
#define SAVE_PAUSE_NS (225 * NS_PER_US)

struct pace {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool is_woken;        /* since the last wait */
    bool is_stopped;      /* the work is to be left off */
    uint64_t deadline_ns; /* not CLOCK_NEVER: no more pauses, and the work is to be finished by then */
};

void pace_init(struct pace *pace);
void pace_done(struct pace *pace);

/* Any thread. */
void pace_stop(struct pace *pace);
void pace_hurry(struct pace *pace, uint64_t deadline_ns);
bool pace_is_stopped(struct pace *pace);

enum pace_verdict {
    PACE_GO_ON,
    PACE_FINISH, /* the deadline has passed: make the best of what is done */
    PACE_STOP,
};

/* One stretch of work; all zero: none was begun. */
struct pace_stretch {
    uint64_t begun_ns;
    unsigned steps;
};

/* After each small step of the work (about a microsecond). Pauses `pause_ns` (and what the system's timers add, some
 * 50 us) for each `work_ns`, unless it is to hurry. Reads the clock with every few steps. `ret_now_ns`: the time, as
 * last read. */
enum pace_verdict pace_step(struct pace *pace, struct pace_stretch *stretch, uint64_t work_ns, uint64_t pause_ns,
                            uint64_t *ret_now_ns);

/* Waits for at most `wait_ns`, and not for longer than until somebody calls pace_wake, pace_stop or pace_hurry; nor at
 * all if that was since the last wait ended. */
void pace_wait(struct pace *pace, uint64_t wait_ns);
void pace_wake(struct pace *pace);

#endif
