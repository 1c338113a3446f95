/* options: what of the configuration the forwarder uses. */
#ifndef QUERIES_OPTIONS_H
#define QUERIES_OPTIONS_H

#include <stdint.h>

/* What a query over the rate limit gets; in the order of the words of the setting rate_limit.action. */
enum rate_limit_action {
    RATE_LIMIT_SERVFAIL,
    RATE_LIMIT_REFUSE,
    RATE_LIMIT_DROP /* no reply; on TCP the connection is closed, so that the client does not wait */
};

struct forwarder_options {
    uint32_t max_queries;       /* questions of one worker in flight; above it SERVFAIL */
    uint64_t cache_min_ns;      /* an answer is kept for at least this time, */
    uint64_t cache_max_ns;      /* and at most this; no TTL that a client is told is larger */
    uint64_t cache_negative_ns; /* a negative answer is kept for at most this time */
    uint8_t prefetch_percent;   /* refreshes that no client asked for, at most this share of upstream queries */
    uint8_t rate_limit_action;  /* enum rate_limit_action */
    uint8_t log_queries;        /* enum query_log */
    uint64_t slow_ns;           /* a query that takes longer is slow */
};

#endif
