#include "upstream/opinion.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "upstream/upstream.h"

/* How long an upstream that does not know EDNS is asked without OPT, before it is tried with OPT again. */
#define PLAIN_NS (3600 * NS_PER_S)

static uint16_t bit_of(const struct upstream *upstream)
{
    CHECK(upstream->index < UPSTREAMS_MAX && UPSTREAMS_MAX <= 16);
    return (uint16_t)(1u << upstream->index);
}

bool opinion_allows(const struct opinions *opinions, const struct upstream *upstream)
{
    return !(opinions->excluded & bit_of(upstream));
}

bool opinion_allows_any(const struct opinions *opinions, const struct upstream *upstreams, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (opinion_allows(opinions, &upstreams[i])) return true;
    return false;
}

bool opinion_is_plain(const struct opinions *opinions, const struct upstream *upstream, uint64_t now_ns)
{
    return opinions->plain == upstream || now_ns < upstream->plain_until_ns;
}

/* Keeps what an upstream says of its failure. Without memory the client gets less. */
static void keep_errors(struct opinions *opinions, const struct answer *answer)
{
    opinions->failed = true;
    opinions->rcode = answer->rcode;
    if (answer->errors_size == 0) return;
    if (!opinions->errors) opinions->errors = malloc(EDE_LIST_MAX);
    if (!opinions->errors) return;
    opinions->errors_size = ede_merge(opinions->errors, opinions->errors_size, answer->errors, answer->errors_size);
}

/* The upstreams of one name give the same answers. */
static void exclude_name(struct opinions *opinions, const struct upstream *upstreams, unsigned count,
                         const struct upstream *upstream)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(upstreams[i].options.name, upstream->options.name) == 0 &&
            (upstream->options.name[0] || &upstreams[i] == upstream))
            opinions->excluded |= bit_of(&upstreams[i]);
}

/* Any other address will do if the response is no answer; if there is none, this one may be asked again. */
static void exclude_address(struct opinions *opinions, const struct upstream *upstreams, unsigned count,
                            const struct upstream *upstream)
{
    uint16_t before = opinions->excluded;
    opinions->excluded |= bit_of(upstream);
    if (!opinion_allows_any(opinions, upstreams, count)) opinions->excluded = before;
}

enum opinion opinion_judge(struct opinions *opinions, const struct upstream *upstreams, unsigned count,
                           const struct opinion_response *response, uint64_t now_ns)
{
    struct upstream *upstream = response->upstream;
    const struct answer *answer = response->answer;
    if (response->verdict != ANSWER_GOOD || answer->kind == ANSWER_TRUNCATED) {
        exclude_address(opinions, upstreams, count, upstream);
        return OPINION_INVALID;
    }
    if (answer->kind != ANSWER_FAILURE) {
        if (response->was_plain && now_ns >= upstream->plain_until_ns) upstream->plain_until_ns = now_ns + PLAIN_NS;
        return OPINION_FINAL;
    }
    if (answer->rcode == DNS_RCODE_FORMERR && !response->was_plain && opinions->plain != upstream) {
        opinions->plain = upstream;
        return OPINION_AGAIN;
    }
    keep_errors(opinions, answer);
    exclude_name(opinions, upstreams, count, upstream);
    return opinion_allows_any(opinions, upstreams, count) ? OPINION_AGAIN : OPINION_FAILED;
}

void opinion_done(struct opinions *opinions)
{
    free(opinions->errors);
    opinions->errors = NULL;
    opinions->errors_size = 0;
}
