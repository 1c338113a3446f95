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

/* The address of a record; false: its data has another size than the type, or is no address of a host. */
static bool read_ip(uint16_t type, const uint8_t *data, size_t size, uint8_t ret_ip[static 16])
{
    struct address address = {.ip = {[10] = 0xff, [11] = 0xff}}; /* IPv4-mapped */
    bool is_ipv4 = type == DNS_TYPE_A;
    if (size != (is_ipv4 ? 4 : 16)) return false;
    memcpy(address.ip + (is_ipv4 ? 12 : 0), data, size);
    memcpy(ret_ip, address.ip, sizeof address.ip);
    return address_is_host(&address);
}

/* Adds the addresses of the answer, or those alone that are among `wanted`, as far as there is room. */
static void add_all(const struct answer *answer, uint16_t type, const struct address_records *wanted,
                    struct address_records *records)
{
    struct reader reader = {.message = answer->bytes, .size = answer->message_size};
    reader_skip(&reader, DNS_HEADER_BYTES);
    for (unsigned left = message_count(answer->bytes, DNS_QUESTION); left > 0 && !reader.failed; left--) {
        reader_name(&reader, true);
        reader_skip(&reader, 4);
    }
    for (unsigned left = message_count(answer->bytes, DNS_ANSWER); left > 0 && !reader.failed; left--) {
        struct record record = {.type = 0};
        uint8_t ip[16];
        reader_record(&reader, &record);
        bool is_of_type = !reader.failed && record.type == type && record.class == DNS_CLASS_IN;
        if (is_of_type && read_ip(type, answer->bytes + record.data, record.data_size, ip) &&
            (!wanted || contains(wanted, ip)))
            add(records, ip);
    }
}

void address_records_read(const struct answer *answer, uint16_t type, const struct address_records *known,
                          struct address_records *ret_records)
{
    CHECK(type == DNS_TYPE_A || type == DNS_TYPE_AAAA);
    *ret_records = (struct address_records){.count = 0};
    add_all(answer, type, known, ret_records);
    add_all(answer, type, NULL, ret_records);
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
