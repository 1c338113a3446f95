/* name_index: values of names, to find the one that holds for a name at a cost that does not grow with their number.
 *
 * A name has two values: that of itself, and that of the names below it for which no longer name in the index has one.
 * Most names are told apart without a look into the table: the sizes of the names in it say which parts of the name
 * asked can be in it at all, and filters of bits by a hash of their first octets say so of all but a few others.
 * What is left is compared octet by octet, so names that are made to meet in filter or table cost steps and never
 * give a wrong answer. The work on a name is bounded by the smaller of two numbers: its labels, and the sizes of the
 * names in the index. What is in the table comes from the configuration, never from clients: the hashes need no key.
 *
 * Filled by one thread, then read by any. */
#ifndef QUERIES_NAME_INDEX_H
#define QUERIES_NAME_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

/* A bit for each size of a name. */
struct name_sizes {
    uint64_t bits[(DNS_NAME_MAX + 1) / 64];
};

struct name_index_entry {
    uint32_t name; /* its place in `names` */
    uint32_t itself;
    uint32_t below;
    uint8_t size;
};

struct name_index_slot {
    uint32_t hash;
    uint32_t entry; /* + 1; 0: free */
};

/* All zero: empty, and nothing can be added. */
struct name_index {
    struct name_sizes itself;          /* of the names that are entered for themselves, */
    struct name_sizes below;           /* and for those below them, */
    unsigned below_count;              /* whose sizes are so many: */
    uint8_t below_sizes[DNS_NAME_MAX]; /* these, the greatest first */
    uint64_t *itself_filter;           /* bits by a hash of their first octets, of the ones */
    uint64_t *below_filter;            /* and of the others */
    unsigned filter_shift;             /* what a hash is shifted by to be the number of a bit */
    struct name_index_slot *slots;
    uint32_t slot_count; /* a power of two, at least twice `capacity` */
    struct name_index_entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint8_t *names;
    uint32_t names_size;
    uint32_t names_capacity;
};

/* Room for `count` names of `names_size` octets altogether. False if memory is short. */
bool name_index_init(struct name_index *index, uint32_t count, uint32_t names_size);
void name_index_done(struct name_index *index);

/* What a name is entered for. Both values are right in any case; a name is not looked for in vain where the value is
 * what a shorter name gives. */
enum { NAME_INDEX_ITSELF = 1, NAME_INDEX_BELOW = 2 };

/* Enters a name (on the wire, in lower case; once), within the room. The root is not entered for those below it: what
 * holds for them is what holds where nothing is found. */
void name_index_add(struct name_index *index, const uint8_t *name, size_t size, unsigned entered_for, uint32_t itself,
                    uint32_t below);

/* The value that holds for a name (on the wire, in lower case); 0: there is none. */
uint32_t name_index_find(const struct name_index *index, const uint8_t *name, size_t size);

#endif
