#include "queries/retention.h"

#include "common/check.h"
#include "common/clock.h"

/* How long a failure is remembered (RFC 9520, 3.2: at least a second). */
#define FAILURE_NS NS_PER_S

uint64_t retention_ns(const struct forwarder_options *options, const struct answer *answer)
{
    uint64_t kept_ns = answer->ttl_s * NS_PER_S;
    if (answer->kind == ANSWER_FAILURE) return FAILURE_NS;
    if (answer->kind == ANSWER_TRANSIENT) return 0;
    if (answer->kind == ANSWER_NEGATIVE && kept_ns > options->cache_negative_ns) kept_ns = options->cache_negative_ns;
    if (kept_ns < options->cache_min_ns) kept_ns = options->cache_min_ns;
    return kept_ns > options->cache_max_ns ? options->cache_max_ns : kept_ns;
}

void retention_clamp_ttls(const struct forwarder_options *options, const struct answer *answer, uint8_t *out,
                          struct answer *ret_clamped)
{
    bool negative = answer->kind == ANSWER_NEGATIVE; /* its records say nothing but for how long it holds */
    uint64_t max_ns = negative ? retention_ns(options, answer) : options->cache_max_ns;
    uint64_t min_ns = options->cache_min_ns < max_ns ? options->cache_min_ns : max_ns;
    *ret_clamped = *answer;
    if (answer->kind == ANSWER_POSITIVE || negative)
        answer_bound(answer, (uint32_t)(min_ns / NS_PER_S), (uint32_t)(max_ns / NS_PER_S), out, ret_clamped);
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
