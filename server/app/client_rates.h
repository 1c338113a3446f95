/* client_rates: which client addresses ask most, and which are refused most, over all that limits them.
 *
 * An address has two buckets: one for TCP and verified UDP, one for UDP whose source may be forged. Both are added up
 * here for who is refused. For who asks, only the first counts: whoever forges an address lists nobody as a busy
 * client. A client is a prefix, as the limits count. The figures are those of the last whole window
 * (RATELIMIT_WINDOW_NS). Any thread. */
#ifndef APP_CLIENT_RATES_H
#define APP_CLIENT_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "shared/ratelimit.h"

/* Clients that are looked at of each limit. A client behind this place in both is missing from the list, although its
 * sum could be larger than that of the last one. */
enum { CLIENT_RATES_MAX = 64 };

/* Lists at most `max` (at most CLIENT_RATES_MAX) clients by `order`, the first of them first; returns their number. */
size_t client_rates_list(struct ratelimit *verified, struct ratelimit *udp, enum ratelimit_order order, uint64_t now_ns,
                         struct ratelimit_client *ret_clients, size_t max);

#endif
