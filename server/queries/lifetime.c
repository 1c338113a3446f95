#include "queries/lifetime.h"

#include "common/clock.h"

#define FAILURE_NS NS_PER_S /* a failure is remembered that long (RFC 9520, 3.2) */

uint64_t lifetime_ns(const struct forwarder_options *options, const struct answer *answer)
{
    uint64_t lifetime = answer->ttl_s * NS_PER_S;
    if (answer->kind == ANSWER_FAILURE) return FAILURE_NS;
    if (answer->kind == ANSWER_TRANSIENT) return 0;
    if (answer->kind == ANSWER_NEGATIVE && lifetime > options->cache_negative_ns) lifetime = options->cache_negative_ns;
    if (lifetime < options->cache_min_ns) lifetime = options->cache_min_ns;
    return lifetime > options->cache_max_ns ? options->cache_max_ns : lifetime;
}

void lifetime_clamp_ttls(const struct forwarder_options *options, const struct answer *answer, uint8_t *out,
                         struct answer *ret_clamped)
{
    bool negative = answer->kind == ANSWER_NEGATIVE; /* its records say nothing but for how long it is so */
    uint64_t max_ns = negative ? lifetime_ns(options, answer) : options->cache_max_ns;
    uint64_t min_ns = options->cache_min_ns < max_ns ? options->cache_min_ns : max_ns;
    *ret_clamped = *answer;
    if (answer->kind == ANSWER_POSITIVE || negative)
        answer_bound(answer, (uint32_t)(min_ns / NS_PER_S), (uint32_t)(max_ns / NS_PER_S), out, ret_clamped);
}
