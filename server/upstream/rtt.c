#include "upstream/rtt.h"

enum { DOUBLINGS_MAX = 6 }; /* from the least time-out to above the largest */

void rtt_sample(struct rtt *rtt, uint64_t sample_ns)
{
    if (sample_ns == 0) sample_ns = 1;
    rtt->doublings = 0;
    if (rtt->least_ns == 0 || sample_ns < rtt->least_ns) rtt->least_ns = sample_ns;
    if (rtt->smoothed_ns == 0) {
        rtt->smoothed_ns = sample_ns;
        rtt->variance_ns = sample_ns / 2;
        return;
    }
    uint64_t difference = sample_ns > rtt->smoothed_ns ? sample_ns - rtt->smoothed_ns : rtt->smoothed_ns - sample_ns;
    rtt->variance_ns = (3 * rtt->variance_ns + difference) / 4;
    rtt->smoothed_ns = (7 * rtt->smoothed_ns + sample_ns) / 8;
}

void rtt_back_off(struct rtt *rtt)
{
    if (rtt->doublings < DOUBLINGS_MAX) rtt->doublings++;
}

uint64_t rtt_timeout_ns(const struct rtt *rtt)
{
    uint64_t timeout_ns = rtt->smoothed_ns + 4 * rtt->variance_ns;
    if (rtt->smoothed_ns == 0) timeout_ns = RTT_TIMEOUT_FIRST_NS;
    if (timeout_ns < RTT_TIMEOUT_MIN_NS) timeout_ns = RTT_TIMEOUT_MIN_NS;
    timeout_ns <<= rtt->doublings;
    return timeout_ns > RTT_TIMEOUT_MAX_NS ? RTT_TIMEOUT_MAX_NS : timeout_ns;
}
