/* access: the client addresses that are allowed to send queries: a list of prefixes that never changes after it was
 * made, so it needs no lock. A reload makes a new list. Each user owns a reference.
 *
 * Prefixes may overlap, touch and repeat; they are turned into sorted, disjoint ranges of addresses. A look-up is a
 * binary search: 14 steps for 10,000 prefixes. IPv4 is stored as IPv4-mapped IPv6, so ::/0 allows it, too. Ports and
 * scopes are ignored. Memory: 32 bytes for each prefix. Any thread. */
#ifndef SHARED_ACCESS_H
#define SHARED_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"

struct access_list;

/* Returns a list with one reference, or NULL if memory is short. An empty list allows nobody. `allowed` is not kept. */
struct access_list *access_new(const struct prefix *allowed, size_t count);
struct access_list *access_share(struct access_list *access); /* adds a reference */
void access_free(struct access_list *access);                 /* drops a reference; NULL is allowed */

bool access_is_allowed(const struct access_list *access, const struct address *client);

#endif
