#include "upstream/opinion.h"

#include <string.h>

#include "upstream/exchange.h"
#include "upstream/state.h"

static bool has_other_name(const struct pool *pool, const struct upstream *upstream)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (strcmp(pool->upstreams[i].options.name, upstream->options.name) != 0) return true;
    return false;
}

enum opinion opinion_judge(const struct pool *pool, struct exchange *exchange, const struct upstream *upstream,
                           enum answer_verdict verdict, const struct answer *answer)
{
    if (verdict != ANSWER_GOOD) return OPINION_INVALID;
    if (answer->rcode != DNS_RCODE_SERVFAIL && answer->rcode != DNS_RCODE_REFUSED) return OPINION_FINAL;
    if (exchange->only || exchange->refused_by || exchange_is_live(exchange)) return OPINION_FINAL;
    if (!has_other_name(pool, upstream)) return OPINION_FINAL;
    if (!exchange_hold(exchange, answer)) return OPINION_FINAL;
    exchange->refused_by = upstream;
    return OPINION_ANOTHER;
}
