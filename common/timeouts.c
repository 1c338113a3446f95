#include "common/timeouts.h"

#include "common/check.h"
#include "common/clock.h"

void timeouts_init(struct timeouts *timeouts, uint64_t duration_ns)
{
    list_init(&timeouts->members);
    timeouts->duration_ns = duration_ns;
}

void timeout_init(struct timeout *timeout)
{
    list_init(&timeout->node);
    timeout->started_ns = 0;
}

void timeouts_start(struct timeouts *timeouts, struct timeout *timeout, uint64_t now_ns)
{
    list_remove(&timeout->node);
    CHECK(list_is_empty(&timeouts->members) ||
          container_of(timeouts->members.previous, struct timeout, node)->started_ns <= now_ns);
    timeout->started_ns = now_ns;
    list_push(&timeouts->members, &timeout->node);
}

void timeouts_resume(struct timeouts *timeouts, struct timeout *timeout)
{
    struct list *before = timeouts->members.previous;
    CHECK(!timeout_is_running(timeout));
    while (before != &timeouts->members && container_of(before, struct timeout, node)->started_ns > timeout->started_ns)
        before = before->previous;
    list_push(before->next, &timeout->node); /* in front of the one behind it, or of the head */
}

void timeout_stop(struct timeout *timeout)
{
    list_remove(&timeout->node);
}

struct timeout *timeouts_take_expired(struct timeouts *timeouts, uint64_t now_ns)
{
    if (timeouts_deadline_ns(timeouts) > now_ns) return NULL;
    return container_of(list_take(&timeouts->members), struct timeout, node);
}

uint64_t timeouts_deadline_ns(const struct timeouts *timeouts)
{
    struct list *oldest = list_first(&timeouts->members);
    if (!oldest || timeouts->duration_ns == 0) return CLOCK_NEVER;
    return container_of(oldest, struct timeout, node)->started_ns + timeouts->duration_ns;
}
