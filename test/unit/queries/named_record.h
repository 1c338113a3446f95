/* named_record: adds a record, written as in a zone file, to the names of a test. */
#ifndef NAMED_RECORD_H
#define NAMED_RECORD_H

#include "dns/zone_record.h"
#include "queries/names.h"

static inline void add_record(struct names *names, const char *text, bool overrides)
{
    struct zone_record record;
    assert_true(zone_record_parse(text, &record));
    const struct names_record added = {.owner = record.bytes,
                                       .owner_size = record.owner_size,
                                       .type = record.type,
                                       .data_size = record.data_size,
                                       .ttl_s = record.ttl_s,
                                       .data = zone_record_data(&record),
                                       .overrides = overrides};
    assert_true(names_add_record(names, &added));
    zone_record_free(&record);
}

#endif
