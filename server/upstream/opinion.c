#include "upstream/opinion.h"

#include <stdlib.h>
#include <string.h>

#include "upstream/exchange.h"
#include "upstream/pool.h"

static bool has_other_name(const struct pool *pool, const struct upstream *upstream)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (strcmp(pool->upstreams[i].options.name, upstream->options.name) != 0) return true;
    return false;
}

static bool hold(struct exchange *exchange, const struct upstream *upstream, const struct answer *answer)
{
    exchange->held = malloc(answer->size);
    if (!exchange->held) return false;
    memcpy(exchange->held, answer->bytes, answer->size);
    exchange->held_bytes = answer->size;
    exchange->refused_by = upstream;
    return true;
}

enum opinion opinion_judge(const struct pool *pool, struct exchange *exchange, const struct upstream *upstream,
                           enum answer_verdict verdict, const struct answer *answer)
{
    if (verdict != ANSWER_GOOD) return OPINION_INVALID;
    if (answer->rcode != DNS_RCODE_SERVFAIL && answer->rcode != DNS_RCODE_REFUSED) return OPINION_FINAL;
    if (exchange->refused_by || exchange_is_live(exchange)) return OPINION_FINAL;
    if (!has_other_name(pool, upstream)) return OPINION_FINAL;
    return hold(exchange, upstream, answer) ? OPINION_ANOTHER : OPINION_FINAL;
}

bool opinion_take_held(const struct exchange *exchange, struct answer *ret_answer)
{
    if (!exchange->held || !answer_unpack(exchange->held, exchange->held_bytes, ret_answer)) return false;
    ret_answer->kind = ANSWER_FAILURE;
    return true;
}

void opinion_drop(struct exchange *exchange)
{
    free(exchange->held);
    exchange->held = NULL;
}
