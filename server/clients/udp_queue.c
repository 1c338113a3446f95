#include "clients/udp_queue.h"

#include "common/clock.h"

#define AGE_MAX_NS         NS_PER_S
#define AGE_MAX_OVERRUN_NS (5 * NS_PER_MS) /* far more than a turn takes, and less than a client notices */
#define OVERRUN_NS         NS_PER_S        /* for how long after the last sign of it */

static bool is_overrun(const struct udp_queue *queue, uint64_t now_ns)
{
    return now_ns < queue->overrun_ns;
}

uint64_t udp_queue_oldest_ns(const struct udp_queue *queue, uint64_t now_ns, uint64_t wall_ns)
{
    uint64_t age_max_ns = is_overrun(queue, now_ns) ? AGE_MAX_OVERRUN_NS : AGE_MAX_NS;
    bool may_be_old = now_ns > queue->emptied_ns + age_max_ns;
    return may_be_old ? wall_ns - age_max_ns : 0;
}

uint32_t udp_queue_received(struct udp_queue *queue, const struct udp_batch *batch, uint64_t now_ns)
{
    /* A datagram says what was so when it came, and the socket what is so now: the figures may come in any order. */
    int32_t more = (int32_t)(batch->drops - queue->drops);
    bool goes_on = is_overrun(queue, now_ns) && batch->is_full && batch->has_old;
    if (!batch->is_full) queue->emptied_ns = now_ns;
    if (more > 0 || goes_on) queue->overrun_ns = now_ns + OVERRUN_NS;
    if (more <= 0) return 0;
    queue->drops = batch->drops;
    return (uint32_t)more;
}
