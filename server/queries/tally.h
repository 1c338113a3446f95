/* tally: how many questions of each client are in flight upstream, so that a client with few gets room when other
 * clients have filled theirs. A client is an IPv4 address, or an IPv6 network of 64 bits, which is what one subscriber
 * has.
 *
 * Counted in a small table by keyed hash: two clients that share a slot share its count, and a client with few
 * questions may be treated as one with many, with a probability of (clients with many) / TALLY_SLOTS. One thread. */
#ifndef QUERIES_TALLY_H
#define QUERIES_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/address.h"
#include "common/hash.h"

enum { TALLY_SLOTS = 4096 };

struct tally {
    uint32_t counts[TALLY_SLOTS];
    uint8_t last_ip[16]; /* the client that was looked for last, and its slot: a client's questions come in a row */
    uint16_t last_slot;
    bool has_last;
};

/* The client's slot; the same for the life of a question. 110 instructions less for who was looked for last. */
static inline uint16_t tally_slot(struct tally *tally, const struct address *client, const struct hash_key *hash_key)
{
    enum { NETWORK_BYTES = 8 };
    if (tally->has_last && memcmp(tally->last_ip, client->ip, sizeof client->ip) == 0) return tally->last_slot;
    size_t bytes = address_is_ipv4(client) ? sizeof client->ip : NETWORK_BYTES;
    tally->last_slot = (uint16_t)(hash_bytes(hash_key, client->ip, bytes) % TALLY_SLOTS);
    tally->has_last = true;
    memcpy(tally->last_ip, client->ip, sizeof client->ip);
    return tally->last_slot;
}

#endif
