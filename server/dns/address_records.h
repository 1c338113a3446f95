/* address_records: the IP addresses of an answer. Pure; any thread. */
#ifndef DNS_ADDRESS_RECORDS_H
#define DNS_ADDRESS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/answer.h"

/* Addresses of one name and type. Of a server with more, these are used. */
enum { ADDRESS_RECORDS_MAX = 4 };

struct address_records {
    uint8_t ip[ADDRESS_RECORDS_MAX][16]; /* as common/address.h has them */
    unsigned count;
};

/* The A or AAAA records (`type`) in the answer section of the answer, in their order and each once, whatever alias
 * leads to them; those that are no host's (0.0.0.0, multicast, link-local) are left out. Where there are more than
 * ADDRESS_RECORDS_MAX, those that `known` has are taken first: answers of many records rotate, too. */
void address_records_read(const struct answer *answer, uint16_t type, const struct address_records *known,
                          struct address_records *ret_records);

/* Makes `records` those of `found`: what is in both keeps its order, so that an answer whose records merely rotate
 * changes nothing; what is new comes behind it. True if an address came or went. */
bool address_records_update(struct address_records *records, const struct address_records *found);

#endif
