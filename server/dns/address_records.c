#include "dns/address_records.h"

#include <string.h>

#include "common/address.h"
#include "common/check.h"

static bool contains(const struct address_records *records, const uint8_t ip[static 16])
{
    for (unsigned i = 0; i < records->count; i++)
        if (memcmp(records->ip[i], ip, sizeof records->ip[i]) == 0) return true;
    return false;
}

static void add(struct address_records *records, const uint8_t ip[static 16])
{
    if (records->count == ADDRESS_RECORDS_MAX || contains(records, ip)) return;
    memcpy(records->ip[records->count++], ip, sizeof *records->ip);
}

/* Data of another size than an address of the type has is passed over. */
static void add_data(struct address_records *records, uint16_t type, const uint8_t *data, size_t size)
{
    struct address address = {.ip = {[10] = 0xff, [11] = 0xff}}; /* IPv4-mapped */
    bool is_ipv4 = type == DNS_TYPE_A;
    if (size != (is_ipv4 ? 4 : 16)) return;
    memcpy(address.ip + (is_ipv4 ? 12 : 0), data, size);
    if (address_is_host(&address)) add(records, address.ip);
}

void address_records_read(const struct answer *answer, uint16_t type, struct address_records *ret_records)
{
    struct reader reader = {.message = answer->bytes, .size = answer->message_size};
    CHECK(type == DNS_TYPE_A || type == DNS_TYPE_AAAA);
    *ret_records = (struct address_records){.count = 0};
    reader_skip(&reader, DNS_HEADER_BYTES);
    for (unsigned left = message_count(answer->bytes, DNS_QUESTION); left > 0 && !reader.failed; left--) {
        reader_name(&reader, true);
        reader_skip(&reader, 4);
    }
    for (unsigned left = message_count(answer->bytes, DNS_ANSWER); left > 0 && !reader.failed; left--) {
        struct record record = {.type = 0};
        reader_record(&reader, &record);
        if (!reader.failed && record.type == type && record.class == DNS_CLASS_IN)
            add_data(ret_records, type, answer->bytes + record.data, record.data_size);
    }
}

bool address_records_update(struct address_records *records, const struct address_records *found)
{
    struct address_records updated = {.count = 0};
    for (unsigned i = 0; i < records->count; i++)
        if (contains(found, records->ip[i])) add(&updated, records->ip[i]);
    bool is_changed = updated.count != records->count;
    unsigned kept = updated.count;
    for (unsigned i = 0; i < found->count; i++) add(&updated, found->ip[i]);
    is_changed |= updated.count != kept;
    *records = updated;
    return is_changed;
}
