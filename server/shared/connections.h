/* connections: how many connections each client holds, and how fast it opens new ones; shared by the acceptor, which
 * admits, and the workers, which release. A client is an address prefix, as in the rate limit: by default an IPv4
 * address or an IPv6 network of 64 bits.
 *
 * One mutex, a leaf, held for some 50 ns twice in a connection's life: less than a hundredth of what accepting it
 * costs, so it has no stripes, and its bounds are exact. Memory: 64 bytes for each client with a connection, or with
 * one lately whose rate is still remembered: at most twice max_connections of them. If that is reached, rates (not
 * counts) are forgotten, oldest first; a client whose rate has nothing left to remember (two seconds on) gives its
 * memory to the next that comes. And 8 bytes of index for each of max_connections. Ports and scopes do not matter. */
#ifndef SHARED_CONNECTIONS_H
#define SHARED_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hash.h"

struct connections_options {
    uint32_t max_connections; /* of all clients together */
    uint32_t max_per_address; /* of one client */
    uint32_t new_per_s;       /* a client's new connections a second, with a burst of twice that; 0 = no limit */
    uint8_t ipv4_prefix;      /* 0..32: addresses of one such prefix are one client */
    uint8_t ipv6_prefix;      /* 0..128 */
};

enum connections_verdict {
    CONNECTIONS_ADMITTED, /* counted; release it */
    CONNECTIONS_ADDRESS,  /* max_per_address */
    CONNECTIONS_FULL,     /* max_connections; or memory is short */
    CONNECTIONS_RATE      /* new_per_s */
};

struct connections;

/* NULL if memory is short. */
struct connections *connections_new(const struct connections_options *options, const struct hash_key *hash_key);
void connections_free(struct connections *connections);

/* New limits (reload). What is admitted stays, so there may be more than the new limits for a while. If a prefix
 * changed, each connection is still counted for its former client until connections_recount. */
void connections_set_options(struct connections *connections, const struct connections_options *options);

/* Judged in the order of the verdicts above; only what is admitted counts against the rate, so one that was FULL may be
 * tried again at once. `ret_bits`, of what was admitted, is the prefix it was counted for: keep it for the release. */
enum connections_verdict connections_admit(struct connections *connections, const struct address *address,
                                           uint64_t now_ns, uint8_t *ret_bits);

/* The same for a connection that was admitted by the process before this one (app/handover.h): never CONNECTIONS_RATE,
 * and it takes nothing of the rate. */
enum connections_verdict connections_resume(struct connections *connections, const struct address *address,
                                            uint64_t now_ns, uint8_t *ret_bits);

/* Counts an admitted connection for the prefix that the options name now; changes `bits`. No limit is looked at. */
void connections_recount(struct connections *connections, const struct address *address, uint8_t *bits);

/* Once for each admission. */
void connections_release(struct connections *connections, const struct address *address, uint8_t bits);

/* Admitted and not yet released. Takes no lock. */
uint32_t connections_count(const struct connections *connections);

#endif
