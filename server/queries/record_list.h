/* record_list: the records of the configuration, in its order, with what no two of them may say together. Owned by one
 * thread. */
#ifndef QUERIES_RECORD_LIST_H
#define QUERIES_RECORD_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "dns/zone_record.h"

/* All zero: empty. */
struct record_list {
    struct zone_record *records;
    uint32_t *next; /* the next record of a list of `heads`, + 1; 0 = none */
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    uint32_t *heads; /* twice `capacity` lists of records by the hash of their owner, + 1 */
};

enum record_list_status {
    RECORD_LIST_OK,
    RECORD_LIST_TWICE, /* the record is there already */
    /* A CNAME record beside others of its name (RFC 1034, 3.6.2), a second SOA record, or more records of one name and
     * type than a message holds. */
    RECORD_LIST_CONFLICT,
    RECORD_LIST_NO_MEMORY,
};

/* Takes the record on RECORD_LIST_OK; else it stays the caller's. */
enum record_list_status record_list_add(struct record_list *list, const struct zone_record *record);

/* Frees all, and makes it empty. */
void record_list_clear(struct record_list *list);

#endif
