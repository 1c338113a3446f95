/* packet: DNS messages for tests, put together octet by octet; nothing is checked, so that wrong ones can
 * be made, too. */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include <stdint.h>
#include <string.h>

#include "dns/message.h"

struct packet {
    size_t size;
    uint8_t bytes[DNS_MESSAGE_MAX + 1024];
};

static inline void packet_raw(struct packet *packet, const void *bytes, size_t size)
{
    memcpy(packet->bytes + packet->size, bytes, size);
    packet->size += size;
}

static inline void packet_u8(struct packet *packet, unsigned value)
{
    packet->bytes[packet->size++] = (uint8_t)value;
}

static inline void packet_u16(struct packet *packet, unsigned value)
{
    dns_put_u16(packet->bytes + packet->size, (uint16_t)value);
    packet->size += 2;
}

static inline void packet_u32(struct packet *packet, uint32_t value)
{
    dns_put_u32(packet->bytes + packet->size, value);
    packet->size += 4;
}

/* Starts anew; the counts are 0 until packet_count. */
static inline void packet_header(struct packet *packet, unsigned id, unsigned flags)
{
    packet->size = 0;
    memset(packet->bytes, 0, sizeof packet->bytes);
    packet_u16(packet, id);
    packet_u16(packet, flags);
    packet->size = DNS_HEADER_BYTES;
}

static inline void packet_count(struct packet *packet, enum dns_section section, unsigned count)
{
    dns_put_u16(packet->bytes + 4 + 2 * section, (uint16_t)count);
}

static inline void packet_add_count(struct packet *packet, enum dns_section section)
{
    packet_count(packet, section, message_count(packet->bytes, section) + 1u);
}

/* "www.example.com", or "" for the root; no escapes. */
static inline void packet_name(struct packet *packet, const char *name)
{
    while (*name) {
        size_t size = strcspn(name, ".");
        packet_u8(packet, (unsigned)size);
        packet_raw(packet, name, size);
        name += size + (name[size] == '.');
    }
    packet_u8(packet, 0);
}

/* A name of exactly `size` octets on the wire (3 or more), of labels as long as may be. */
static inline void packet_long_name(struct packet *packet, size_t size)
{
    for (size--; size > 0;) {
        size_t label = size > 64 ? 63 : size - 1;
        if (size - label - 1 == 1) label--; /* the next label must have an octet of its own */
        packet_u8(packet, (unsigned)label);
        for (size_t i = 0; i < label; i++) packet_u8(packet, 'x');
        size -= label + 1;
    }
    packet_u8(packet, 0);
}

static inline void packet_pointer(struct packet *packet, size_t target)
{
    packet_u16(packet, 0xc000u | (unsigned)target);
}

static inline void packet_question(struct packet *packet, const char *name, unsigned type)
{
    packet_name(packet, name);
    packet_u16(packet, type);
    packet_u16(packet, DNS_CLASS_IN);
    packet_add_count(packet, DNS_QUESTION);
}

/* What follows a record's owner. */
static inline void packet_fixed(struct packet *packet, unsigned type, uint32_t ttl, size_t data_size)
{
    packet_u16(packet, type);
    packet_u16(packet, DNS_CLASS_IN);
    packet_u32(packet, ttl);
    packet_u16(packet, (unsigned)data_size);
}

/* A record whose owner is the question's name. */
static inline void packet_record(struct packet *packet, enum dns_section section, unsigned type, uint32_t ttl,
                                 const void *data, size_t data_size)
{
    packet_pointer(packet, DNS_HEADER_BYTES);
    packet_fixed(packet, type, ttl, data_size);
    packet_raw(packet, data, data_size);
    packet_add_count(packet, section);
}

static inline void packet_a(struct packet *packet, enum dns_section section, uint32_t ttl)
{
    packet_record(packet, section, DNS_TYPE_A, ttl, "\xc0\x00\x02\x01", 4);
}

/* An SOA record of the root zone, with `minimum`. */
static inline void packet_soa(struct packet *packet, uint32_t ttl, uint32_t minimum)
{
    packet_u8(packet, 0);
    packet_fixed(packet, DNS_TYPE_SOA, ttl, 22);
    packet_raw(packet, "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 18);
    packet_u32(packet, minimum);
    packet_add_count(packet, DNS_AUTHORITY);
}

/* OPT with `ttl` (extended rcode, version, flags) and options as they are. */
static inline void packet_opt(struct packet *packet, uint32_t ttl, const void *options, size_t size)
{
    packet_u8(packet, 0);
    packet_u16(packet, DNS_TYPE_OPT);
    packet_u16(packet, 1232);
    packet_u32(packet, ttl);
    packet_u16(packet, (unsigned)size);
    packet_raw(packet, options, size);
    packet_add_count(packet, DNS_ADDITIONAL);
}

/* Reads on at `at`. */
static inline struct reader packet_reader(const struct packet *packet, size_t at)
{
    return (struct reader){.message = packet->bytes, .size = packet->size, .at = at};
}

#endif
