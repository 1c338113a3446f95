#include "queries/retention.h"

#include "common/check.h"
#include "common/clock.h"

/* How long a failure is remembered (RFC 9520, 3.2: at least a second), and a failure with a definitive explanation. */
#define FAILURE_NS NS_PER_S
#define VERDICT_NS (5 * NS_PER_S)

/* Upstream gave what it had kept too long: it is not kept longer because of cache_min_ns. */
static bool is_stale(const struct answer *answer)
{
    return ede_has(answer->errors, answer->errors_size, DNS_EDE_STALE) ||
           ede_has(answer->errors, answer->errors_size, DNS_EDE_STALE_NXDOMAIN);
}

uint64_t retention_ns(const struct forwarder_options *options, const struct answer *answer)
{
    uint64_t kept_ns = answer->ttl_s * NS_PER_S;
    switch (answer->kind) {
    case ANSWER_POSITIVE: break;
    case ANSWER_NEGATIVE:
        if (kept_ns > options->cache_negative_ns) kept_ns = options->cache_negative_ns;
        break;
    case ANSWER_VERDICT: return VERDICT_NS;
    case ANSWER_FAILURE: return FAILURE_NS;
    case ANSWER_UNCACHEABLE:
    case ANSWER_TRUNCATED: return 0;
    }
    if (kept_ns < options->cache_min_ns && !is_stale(answer)) kept_ns = options->cache_min_ns;
    return kept_ns > options->cache_max_ns ? options->cache_max_ns : kept_ns;
}

struct ttl_bounds {
    uint32_t min_s;
    uint32_t max_s;
};

static struct ttl_bounds bounds_for(const struct forwarder_options *options, const struct answer *answer)
{
    bool is_negative = answer->kind == ANSWER_NEGATIVE; /* its records only say how long it holds */
    bool is_raised = is_negative || (answer->kind == ANSWER_POSITIVE && !is_stale(answer));
    uint64_t max_ns = is_negative ? retention_ns(options, answer) : options->cache_max_ns;
    uint64_t min_ns = options->cache_min_ns < max_ns ? options->cache_min_ns : max_ns;
    return (struct ttl_bounds){is_raised ? (uint32_t)(min_ns / NS_PER_S) : 0, (uint32_t)(max_ns / NS_PER_S)};
}

void retention_clamp_ttls(const struct forwarder_options *options, const struct answer *answer, uint8_t *out,
                          struct answer *ret_clamped)
{
    const struct ttl_bounds bounds = bounds_for(options, answer);
    answer_bound(answer, bounds.min_s, bounds.max_s, out, ret_clamped);
}

bool retention_fits(const struct forwarder_options *options, const struct answer *answer)
{
    const struct ttl_bounds bounds = bounds_for(options, answer);
    return answer->ttl_least_s >= bounds.min_s && answer->ttl_most_s <= bounds.max_s;
}

bool retention_is_worth_keeping(const uint8_t *bytes, size_t size)
{
    unsigned rcode = answer_rcode(bytes, size);
    return rcode == DNS_RCODE_NOERROR || rcode == DNS_RCODE_NXDOMAIN;
}

struct answer_use retention_use(enum cache_state state, const struct cache_found *found, const uint8_t *message,
                                uint32_t rotation)
{
    enum { STALE_TTL_S = 30 }; /* RFC 8767, 4 */
    if (state == CACHE_FRESH)
        return (struct answer_use){.age_s = (uint32_t)(found->age_ns / NS_PER_S),
                                   .ttl_max_s = UINT32_MAX,
                                   .ede_code = DNS_EDE_NONE,
                                   .rotation = rotation};
    bool is_nxdomain = (message_flags(message) & DNS_RCODE) == DNS_RCODE_NXDOMAIN;
    return (struct answer_use){.rotation = rotation,
                               .ttl_min_s = STALE_TTL_S,
                               .ttl_max_s = STALE_TTL_S,
                               .ede_code = is_nxdomain ? DNS_EDE_STALE_NXDOMAIN : DNS_EDE_STALE};
}

void retention_make_failure(const struct question_key *key, const struct answer_error *error, uint8_t *out,
                            struct answer *ret_answer)
{
    const struct question question = {
        .name = key->bytes,
        .name_size = (uint8_t)question_key_name_size(key),
        .type = question_key_type(key),
        .class = DNS_CLASS_IN,
        .edns = true, /* so that the reason is kept, too */
    };
    const struct reply_profile profile = reply_profile_of(&question);
    uint8_t message[ANSWER_ERROR_MAX];
    size_t size = answer_error(message, &question, &profile, error);
    enum answer_verdict verdict = answer_parse(message, size, key, out, ret_answer);
    CHECK(verdict == ANSWER_GOOD);
}
