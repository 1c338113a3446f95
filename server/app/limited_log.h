/* limited_log: says in the log which clients are refused queries for their rate: `client limited` when that begins, and
 * once a minute while it goes on, with the number of refused queries since the line before.
 *
 * It looks once a window of the rate limit (RATELIMIT_WINDOW_NS) at those who were refused most. It follows
 * LIMITED_LOG_CLIENTS clients at a time; of more it says once a minute that there are others. Memory is fixed. One
 * thread; time is passed in. */
#ifndef APP_LIMITED_LOG_H
#define APP_LIMITED_LOG_H

#include <stdint.h>

#include "app/client_rates.h"
#include "common/log.h"

enum { LIMITED_LOG_CLIENTS = 32 };

struct limited_log {
    const struct log *log;
    uint64_t window; /* the last one that was looked at */
    struct limited_client {
        uint8_t ip[16];
        uint64_t written_ns; /* 0: the place is free */
        double refused;      /* since then */
        double seconds;      /* of windows in which some were refused, since then */
    } clients[LIMITED_LOG_CLIENTS];
    uint64_t others_ns; /* when others were last mentioned; 0: never */
};

void limited_log_init(struct limited_log *limited, const struct log *log);

/* True once a window, when the window before it can be looked at. */
bool limited_log_is_due(const struct limited_log *limited, uint64_t now_ns);

/* The clients that were refused queries in the last whole window, as client_rates_list gives them. */
void limited_log_look(struct limited_log *limited, const struct ratelimit_client *clients, size_t count,
                      uint64_t now_ns);

#endif
