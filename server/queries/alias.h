/* alias: replies whose first records are CNAME records of ours and whose rest upstreams resolve.
 *
 * The forwarder resolves the name that the last CNAME record leads to for a requester of this file's, whose transport
 * puts both together: what is cached and asked upstream is that name's answer alone, and it is merged with the
 * questions of others. One thread. */
#ifndef QUERIES_ALIAS_H
#define QUERIES_ALIAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slots.h"
#include "dns/answer.h"
#include "metrics/counters.h"
#include "queries/incoming.h"
#include "queries/notice.h"
#include "queries/transport.h"

struct aliases {
    /* Of the requesters that aliases_begin makes: one for each label, so that they are counted as those that asked. */
    struct transport transports[LABEL_TRANSPORT_COUNT];
    struct slots slots; /* of struct alias */
    struct list all;
    struct notices *notices; /* the owner's */
};

/* At most `max` at once. False if memory is short. */
bool aliases_init(struct aliases *aliases, uint32_t max, struct notices *notices);

/* Those that are left are forgotten without a reply. */
void aliases_done(struct aliases *aliases);

/* Takes over the end of the query `in`. `chain` is an answer of ours to it (dns/local_answer.h) without its trailer,
 * whose records are CNAME records; it is copied, with the name as the question spells it. What they lead to is then to
 * be resolved for `ret_requester` with `ret_profile`. False at the bound or without memory: the query has not ended. */
bool aliases_begin(struct aliases *aliases, const struct incoming *in, const uint8_t *chain, size_t chain_size,
                   struct requester *ret_requester, struct reply_profile *ret_profile);

#endif
