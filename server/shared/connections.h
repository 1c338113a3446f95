/* connections: how many connections each address holds, and how fast it opens new ones; shared by the acceptor, which
 * asks, and the workers, which release.
 *
 * One mutex, a leaf, held for some 50 ns twice in a connection's life: less than a hundredth of what accepting it
 * costs, so it has no stripes, and its bounds are exact. Memory: 64 bytes for each address with a connection, or with
 * one lately whose rate is still remembered: at most twice max_connections of them. Where that is reached, rates (not
 * counts) are forgotten, oldest first; an address whose rate has nothing left to remember (two seconds on) gives its
 * memory to the next that comes. And 8 bytes of index for each of max_connections. Ports and scopes are not looked at.
 */
#ifndef SHARED_CONNECTIONS_H
#define SHARED_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hash.h"

struct connections_options {
    uint32_t max_connections; /* of all addresses together */
    uint32_t max_per_address;
    uint32_t new_per_s; /* an address's new connections a second, with a burst of twice that; 0 = no limit */
};

enum connections_verdict {
    CONNECTIONS_ADMITTED, /* counted; release it */
    CONNECTIONS_FULL,     /* max_connections; or memory is short */
    CONNECTIONS_ADDRESS,  /* max_per_address */
    CONNECTIONS_RATE      /* new_per_s */
};

struct connections;

/* NULL where memory is short. */
struct connections *connections_new(const struct connections_options *options, const struct hash_key *hash_key);
void connections_free(struct connections *connections);

/* New limits (reload). What is admitted stays, so there may be more than the new limits for a while. */
void connections_set_options(struct connections *connections, const struct connections_options *options);

/* Judged in the order of the verdicts above; only what is admitted counts against the rate, so one that was FULL may be
 * tried again at once. */
enum connections_verdict connections_admit(struct connections *connections, const struct address *client,
                                           uint64_t now_ns);

/* Once for each admission. An address that holds none is ignored. */
void connections_release(struct connections *connections, const struct address *client);

/* Admitted and not yet released. Takes no lock. */
uint32_t connections_count(const struct connections *connections);

#endif
