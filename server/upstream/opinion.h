/* opinion: what a response means for its question: the final answer; a failure of this upstream, about which another
 * one may know better; or none.
 *
 * A failure is any rcode that says nothing of the name (SERVFAIL, REFUSED, FORMERR, NOTIMP and the like) without an
 * Extended DNS Error that explains it definitively. The upstreams of its name are then not asked again for this
 * question, and those of other names are. FORMERR to a query with OPT may mean that the upstream does not know EDNS:
 * the question is asked again without OPT, and if that is answered the upstream is asked so from then on (RFC 6891, 7).
 * The errors of all upstreams are kept, for the client if none has an answer. After a response that is no answer, or is
 * cut, every other address may be asked.
 *
 * This file decides; the pool acts. One thread. */
#ifndef UPSTREAM_OPINION_H
#define UPSTREAM_OPINION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

struct upstream;

enum opinion {
    OPINION_FINAL,   /* the answer is the exchange's result */
    OPINION_AGAIN,   /* the question is to be asked again: of another upstream, or of this one without OPT */
    OPINION_FAILED,  /* no upstream is left that could know better */
    OPINION_INVALID, /* not an answer to this question, or cut: the attempt has failed */
};

/* What the upstreams have said of a question so far. Part of its exchange; zero at first. */
struct opinions {
    uint16_t excluded;            /* upstreams that are not asked again, a bit for each index */
    const struct upstream *plain; /* this one is asked without OPT, */
    bool failed;                  /* at least one said that it failed, */
    uint16_t rcode;               /* the last one with this rcode */
    size_t errors_size;
    uint8_t *errors; /* their Extended DNS Errors, a list as in dns/ede.h; NULL while there are none */
};

/* A response as answer_parse found it. */
struct opinion_response {
    struct upstream *upstream; /* from which it came */
    bool was_plain;            /* to a query without OPT */
    enum answer_verdict verdict;
    const struct answer *answer; /* only read with ANSWER_GOOD */
};

/* Judges a response in the light of those before it. `upstreams`: all `count` of them. */
enum opinion opinion_judge(struct opinions *opinions, const struct upstream *upstreams, unsigned count,
                           const struct opinion_response *response, uint64_t now_ns);

/* Whether the question may be asked of the upstream (again); of any of the `count` upstreams. */
bool opinion_allows(const struct opinions *opinions, const struct upstream *upstream);
bool opinion_allows_any(const struct opinions *opinions, const struct upstream *upstreams, unsigned count);

/* Whether a query to the upstream has no OPT record. */
bool opinion_is_plain(const struct opinions *opinions, const struct upstream *upstream, uint64_t now_ns);

/* Frees what is kept; harmless if nothing is. */
void opinion_done(struct opinions *opinions);

#endif
