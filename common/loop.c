#include "common/loop.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "common/clock.h"

bool loop_init(struct loop *loop)
{
    loop->taken = 0;
    loop->at = 0;
    loop->own_delay_ns = 0;
    loop->turn_ns = 0;
    loop->busy_ns = 0;
    loop->now_ns = clock_now_ns();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd >= 0;
}

void loop_done(struct loop *loop)
{
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

bool loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0;
}

void loop_forget(struct loop *loop, const struct loop_source *source)
{
    for (int i = loop->at + 1; i < loop->taken; i++)
        if (loop->events[i].data.ptr == source) loop->events[i].data.ptr = NULL;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    loop_forget(loop, source);
}

/* Rounded up, so that a deadline has passed when the wait ends; epoll counts in milliseconds. */
static int timeout_ms(uint64_t now_ns, uint64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER) return -1;
    if (deadline_ns <= now_ns) return 0;
    uint64_t ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

void loop_count_delay(struct loop *loop, uint64_t waits_ns, uint64_t deadline_ns, uint64_t woke_ns)
{
    if (waits_ns > loop->now_ns + LOOP_PROMPT_NS) loop->own_delay_ns += waits_ns - loop->now_ns - LOOP_PROMPT_NS;
    if (deadline_ns == CLOCK_NEVER) return;
    uint64_t asked_ns = deadline_ns > waits_ns ? deadline_ns - waits_ns : 0;
    if (woke_ns <= waits_ns + asked_ns + LOOP_PROMPT_NS) return;
    uint64_t attended_ns = asked_ns > LOOP_PROMPT_NS ? asked_ns / 2 : LOOP_PROMPT_NS / 2;
    loop->own_delay_ns += woke_ns - waits_ns - attended_ns;
}

/* Each has one writer, so a load and a store do. */
static void note_waiting(struct loop *loop, uint64_t waits_ns)
{
    uint64_t turn_ns = atomic_load_explicit(&loop->turn_ns, memory_order_relaxed);
    if (turn_ns == 0) return;
    uint64_t busy_ns = atomic_load_explicit(&loop->busy_ns, memory_order_relaxed) + (waits_ns - turn_ns);
    atomic_store_explicit(&loop->turn_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&loop->busy_ns, busy_ns, memory_order_relaxed);
}

uint64_t loop_busy_ns(const struct loop *loop, uint64_t now_ns)
{
    uint64_t busy_ns = atomic_load_explicit(&loop->busy_ns, memory_order_relaxed);
    uint64_t turn_ns = atomic_load_explicit(&loop->turn_ns, memory_order_relaxed);
    return turn_ns != 0 && turn_ns < now_ns ? busy_ns + (now_ns - turn_ns) : busy_ns;
}

void loop_turn(struct loop *loop, uint64_t deadline_ns)
{
    uint64_t waits_ns = clock_now_ns();
    note_waiting(loop, waits_ns);
    int taken = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, timeout_ms(waits_ns, deadline_ns));
    uint64_t woke_ns = clock_now_ns();
    loop_count_delay(loop, waits_ns, deadline_ns, woke_ns);
    loop->now_ns = woke_ns;
    atomic_store_explicit(&loop->turn_ns, woke_ns, memory_order_relaxed);
    loop->taken = taken > 0 ? taken : 0; /* EINTR is a turn without events */
    for (loop->at = 0; loop->at < loop->taken; loop->at++) {
        struct loop_source *source = loop->events[loop->at].data.ptr;
        if (source) source->on_event(source, loop->events[loop->at].events);
    }
}
