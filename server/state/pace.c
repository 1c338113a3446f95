#include "state/pace.h"

#include <sched.h>
#include <time.h>

#include "common/clock.h"

enum { STEPS_PER_LOOK = 8 }; /* at the clock: a stretch becomes longer by as many steps at most */

void pace_init(struct pace *pace)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&pace->lock, NULL);
    pthread_cond_init(&pace->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pace->is_woken = pace->is_stopped = false;
    pace->deadline_ns = CLOCK_NEVER;
}

void pace_done(struct pace *pace)
{
    pthread_cond_destroy(&pace->changed);
    pthread_mutex_destroy(&pace->lock);
}

void pace_stop(struct pace *pace)
{
    pthread_mutex_lock(&pace->lock);
    pace->is_stopped = pace->is_woken = true;
    pthread_cond_broadcast(&pace->changed);
    pthread_mutex_unlock(&pace->lock);
}

bool pace_is_stopped(struct pace *pace)
{
    pthread_mutex_lock(&pace->lock);
    bool is_stopped = pace->is_stopped;
    pthread_mutex_unlock(&pace->lock);
    return is_stopped;
}

void pace_hurry(struct pace *pace, uint64_t deadline_ns)
{
    pthread_mutex_lock(&pace->lock);
    pace->deadline_ns = deadline_ns;
    pace->is_woken = true;
    pthread_cond_broadcast(&pace->changed);
    pthread_mutex_unlock(&pace->lock);
}

void pace_wake(struct pace *pace)
{
    pthread_mutex_lock(&pace->lock);
    pace->is_woken = true;
    pthread_cond_broadcast(&pace->changed);
    pthread_mutex_unlock(&pace->lock);
}

/* The time of the condition's clock in so many nanoseconds. */
static struct timespec in(uint64_t wait_ns)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t ns = (uint64_t)time.tv_nsec + wait_ns % NS_PER_S;
    time.tv_sec += (time_t)(wait_ns / NS_PER_S + ns / NS_PER_S);
    time.tv_nsec = (long)(ns % NS_PER_S);
    return time;
}

void pace_wait(struct pace *pace, uint64_t wait_ns)
{
    const struct timespec until = in(wait_ns);
    pthread_mutex_lock(&pace->lock);
    while (!pace->is_woken && pthread_cond_timedwait(&pace->changed, &pace->lock, &until) == 0) continue;
    pace->is_woken = false;
    pthread_mutex_unlock(&pace->lock);
}

enum pace_verdict pace_step(struct pace *pace, struct pace_stretch *stretch, uint64_t work_ns, uint64_t pause_ns,
                            uint64_t *ret_now_ns)
{
    if (stretch->steps++ % STEPS_PER_LOOK != 0) return PACE_GO_ON;
    uint64_t now_ns = clock_now_ns();
    *ret_now_ns = now_ns;
    if (stretch->begun_ns == 0) stretch->begun_ns = now_ns;
    bool is_over = now_ns - stretch->begun_ns >= work_ns;
    const struct timespec until = in(pause_ns);
    pthread_mutex_lock(&pace->lock);
    while (is_over && !pace->is_stopped && pace->deadline_ns == CLOCK_NEVER &&
           pthread_cond_timedwait(&pace->changed, &pace->lock, &until) == 0)
        continue;
    enum pace_verdict verdict = pace->is_stopped ? PACE_STOP : now_ns >= pace->deadline_ns ? PACE_FINISH : PACE_GO_ON;
    bool hurries = pace->deadline_ns != CLOCK_NEVER;
    pthread_mutex_unlock(&pace->lock);
    if (!is_over) return verdict;
    if (hurries) sched_yield();
    stretch->begun_ns = *ret_now_ns = clock_now_ns();
    return verdict;
}
