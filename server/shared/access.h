/* access: which client addresses may ask. A list of prefixes, made once and then only read, so it needs no lock; a
 * reload makes another. Whoever goes by it owns a share of it.
 *
 * Prefixes may overlap, touch and repeat: they become disjoint ranges of addresses, sorted. Look-up is a binary search
 * over them: 14 steps at 10,000 prefixes. IPv4 is IPv4-mapped IPv6, so ::/0 allows it too. Ports and scopes are not
 * looked at. 32 bytes a prefix. Any thread. */
#ifndef SHARED_ACCESS_H
#define SHARED_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"

struct access_list;

/* NULL where memory is short. An empty list allows nobody. `allowed` may go afterwards. */
struct access_list *access_new(const struct prefix *allowed, size_t count);
struct access_list *access_share(struct access_list *access); /* for another owner */
void access_free(struct access_list *access);                 /* gives one share up */

bool access_is_allowed(const struct access_list *access, const struct address *client);

#endif
