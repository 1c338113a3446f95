#include "state/snapshot.h"

#include <string.h>
#include <zlib.h>

static const uint8_t magic[] = {'D', 'T', 'P', 'S', 'T', 'A', 'T', 'E'};
static const uint8_t mark[4] = {SNAPSHOT_MARK_FIRST, 'R', 'E', 'C'};

/* Offsets in the head of the file, and of a record. */
enum { AT_VERSION = 8, AT_SALT = 12, AT_SAVED = 16, AT_ORIGIN = 24, AT_HEAD_SUM = 36 };
enum {
    AT_KIND = 4,
    AT_USED = 5,
    AT_KEY_SIZE = 6,
    AT_VALUE_SIZE = 8,
    AT_FIRST = 12,
    AT_SECOND = 20,
    AT_BODY_SUM = 28,
    AT_SUM = 32
};

static void put_u64(uint8_t *at, uint64_t value)
{
    dns_put_u32(at, (uint32_t)(value >> 32));
    dns_put_u32(at + 4, (uint32_t)value);
}

static uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)dns_u32(at) << 32 | dns_u32(at + 4);
}

static uint32_t sum(uint32_t begin, const uint8_t *bytes, size_t size)
{
    return size > 0 ? (uint32_t)crc32_z(begin, bytes, size) : begin; /* of NULL it would be another one */
}

void snapshot_head_write(const struct snapshot_head *head, uint8_t out[static SNAPSHOT_HEAD_BYTES])
{
    memset(out, 0, SNAPSHOT_HEAD_BYTES);
    memcpy(out, magic, sizeof magic);
    dns_put_u32(out + AT_VERSION, SNAPSHOT_VERSION);
    dns_put_u32(out + AT_SALT, head->salt);
    put_u64(out + AT_SAVED, head->saved_ns);
    put_u64(out + AT_ORIGIN, head->origin);
    dns_put_u32(out + AT_HEAD_SUM, sum(0, out, AT_HEAD_SUM));
}

enum snapshot_verdict snapshot_head_read(const uint8_t bytes[static SNAPSHOT_HEAD_BYTES],
                                         struct snapshot_head *ret_head)
{
    if (memcmp(bytes, magic, sizeof magic) != 0) return SNAPSHOT_FOREIGN;
    if (dns_u32(bytes + AT_VERSION) != SNAPSHOT_VERSION) return SNAPSHOT_OTHER_VERSION;
    if (dns_u32(bytes + AT_HEAD_SUM) != sum(0, bytes, AT_HEAD_SUM)) return SNAPSHOT_FOREIGN;
    *ret_head = (struct snapshot_head){
        .saved_ns = get_u64(bytes + AT_SAVED),
        .origin = get_u64(bytes + AT_ORIGIN),
        .salt = dns_u32(bytes + AT_SALT),
    };
    return SNAPSHOT_SOUND;
}

void snapshot_record_write(const struct snapshot_record *record, uint32_t salt,
                           uint8_t out[static SNAPSHOT_RECORD_BYTES])
{
    memset(out, 0, SNAPSHOT_RECORD_BYTES);
    memcpy(out, mark, sizeof mark);
    out[AT_KIND] = (uint8_t)record->kind;
    out[AT_USED] = record->is_used;
    dns_put_u16(out + AT_KEY_SIZE, record->key_size);
    dns_put_u32(out + AT_VALUE_SIZE, record->value_size);
    put_u64(out + AT_FIRST, record->first);
    put_u64(out + AT_SECOND, record->second);
    dns_put_u32(out + AT_BODY_SUM, sum(sum(salt, record->key, record->key_size), record->value, record->value_size));
    dns_put_u32(out + AT_SUM, sum(salt, out, AT_SUM));
}

bool snapshot_record_read(const uint8_t bytes[static SNAPSHOT_RECORD_BYTES], uint32_t salt,
                          struct snapshot_record *ret_record)
{
    if (memcmp(bytes, mark, sizeof mark) != 0) return false;
    if (dns_u32(bytes + AT_SUM) != sum(salt, bytes, AT_SUM)) return false;
    uint8_t kind = bytes[AT_KIND];
    const struct snapshot_record record = {
        .kind = (enum snapshot_kind)kind,
        .is_used = bytes[AT_USED] != 0,
        .key_size = dns_u16(bytes + AT_KEY_SIZE),
        .value_size = dns_u32(bytes + AT_VALUE_SIZE),
        .first = get_u64(bytes + AT_FIRST),
        .second = get_u64(bytes + AT_SECOND),
    };
    if (kind < SNAPSHOT_COOKIE_KEY || kind > SNAPSHOT_END) return false;
    if (record.key_size > SNAPSHOT_KEY_MAX || record.value_size > SNAPSHOT_VALUE_MAX) return false;
    *ret_record = record;
    return true;
}

bool snapshot_record_take_body(const uint8_t *bytes, uint32_t salt, struct snapshot_record *record)
{
    record->key = bytes + SNAPSHOT_RECORD_BYTES;
    record->value = record->key + record->key_size;
    return dns_u32(bytes + AT_BODY_SUM) == sum(salt, record->key, (size_t)record->key_size + record->value_size);
}
