/* tally: how many questions of each client are in flight upstream, so that a client with few gets room when other
 * clients have filled theirs. A client is an IPv4 address, or an IPv6 network of 64 bits, which is what one subscriber
 * has.
 *
 * Counted in a small table by keyed hash: two clients that share a slot share its count, and a client with few
 * questions may be treated as one with many, with a probability of (clients with many) / TALLY_SLOTS. One thread. */
#ifndef QUERIES_TALLY_H
#define QUERIES_TALLY_H

#include <stdint.h>

#include "common/address.h"
#include "common/hash.h"

enum { TALLY_SLOTS = 4096 };

struct tally {
    uint32_t counts[TALLY_SLOTS];
};

/* The client's slot; the same for the life of a question. */
static inline uint16_t tally_slot(const struct address *client, const struct hash_key *hash_key)
{
    enum { NETWORK_BYTES = 8 };
    size_t bytes = address_is_ipv4(client) ? sizeof client->ip : NETWORK_BYTES;
    return (uint16_t)(hash_bytes(hash_key, client->ip, bytes) % TALLY_SLOTS);
}

#endif
