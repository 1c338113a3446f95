/* incoming: a client's query on its path: what is read of it, and what its reply needs.
 *
 * Reading depends on nothing but the message and the configured names, so a transport that has several messages at
 * once can have all of them read before the first is handled (forwarder_read_ahead). One thread. */
#ifndef QUERIES_INCOMING_H
#define QUERIES_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hash.h"
#include "dns/question.h"
#include "queries/names.h"
#include "queries/transport.h"

struct incoming {
    /* What is read. */
    enum question_verdict verdict;
    struct question question; /* points into the message */
    struct names_found found; /* of a good question, as the following members */
    uint16_t route;           /* its index in the names */
    struct question_key key;  /* with that route, unless its name has records of ours or is special */
    struct hashed_key hashed; /* points into `key`; where `found` says NAMES_RESOLVE */

    /* What comes to it on its path. */
    const struct requester *requester;
    struct reply_profile profile;
    bool is_verified; /* its client's address is its own */
    bool is_cold;     /* it is so seldom asked that the worker has no copy of its answer (hot_answers.h) */
};

/* Reads a message. `names` may be NULL: no name is special, and all take the default route. */
void incoming_read(struct incoming *ret_incoming, const struct client_message *message, const struct names *names,
                   const struct hash_key *hash_key);

/* Whether it was found good, and the cache is to be asked. */
static inline bool incoming_is_looked_up(const struct incoming *incoming)
{
    return incoming->verdict == QUESTION_GOOD && incoming->found.verdict == NAMES_RESOLVE;
}

/* The question takes this route. Its key has none yet. */
void incoming_set_route(struct incoming *incoming, uint16_t route, const struct names *names,
                        const struct hash_key *hash_key);

#endif
