/* zone_record: one record as it is written in a zone file (RFC 1035, 5.1; RFC 3597), read by ldns. The second file that
 * knows ldns, beside validator.c: that one reads what comes from the network, this one what an operator wrote.
 *
 * Names are absolute, with or without a dot at the end. TTL and class may be left out, and their order does not matter.
 * Pure, except that it allocates; any thread. */
#ifndef DNS_ZONE_RECORD_H
#define DNS_ZONE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dns/message.h"

enum {
    ZONE_RECORD_TEXT_MAX = 1000, /* characters of a record */
    ZONE_RECORD_TTL_S = 3600,    /* if none is given */
};

/* Owns its memory. */
struct zone_record {
    char *text;     /* as written */
    uint8_t *bytes; /* the owner, uncompressed and in lower case, then the data, whose names are uncompressed */
    uint8_t owner_size;
    uint16_t type;
    uint16_t data_size;
    uint32_t ttl_s;
};

static inline const uint8_t *zone_record_data(const struct zone_record *record)
{
    return record->bytes + record->owner_size;
}

/* False if the text is no record, is longer than ZONE_RECORD_TEXT_MAX, or memory is short: ret_record is untouched
 * then. Refused are also: a class other than IN, a TTL above 2^31-1, a missing owner or "@", types that no zone has
 * (RFC 6895, 3.1), DNAME, which would have to be followed for all names below it, letters outside ASCII in names, and
 * data that lacks a field. */
bool zone_record_parse(const char *text, struct zone_record *ret_record);

/* Why zone_record_parse refuses the text, in words; NULL: it does not. */
const char *zone_record_fault(const char *text);

/* What is said of a name with letters outside ASCII. */
#define ZONE_RECORD_NOT_ASCII "an international name is written in its ASCII form, as xn--bcher-kva.example"

void zone_record_free(struct zone_record *record);

/* Writes the records of the answer section of a message, each on a line that begins with `indent`. False: the message
 * cannot be read, or memory is short. */
bool zone_record_print(const uint8_t *message, size_t size, const char *indent, FILE *out);

/* Whether both are records of one name, of one type, with the same data. */
bool zone_record_equal(const struct zone_record *a, const struct zone_record *b);

#endif
