#include "metrics/dnstap_message.h"

#include <stdbool.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"

/* The kinds of fields in protocol buffers' encoding. */
enum wire { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Fields of dnstap.proto. */
enum { IDENTITY = 1, VERSION = 2, MESSAGE = 14, TYPE = 15, TYPE_MESSAGE = 1 };
enum {
    M_TYPE = 1,
    M_FAMILY = 2,
    M_PROTOCOL = 3,
    M_CLIENT_ADDRESS = 4,
    M_SERVER_ADDRESS = 5,
    M_CLIENT_PORT = 6,
    M_SERVER_PORT = 7,
    M_QUERY_SECONDS = 8,
    M_QUERY_NS = 9,
    M_QUERY = 10,
    M_RESPONSE_SECONDS = 12,
    M_RESPONSE_NS = 13,
    M_RESPONSE = 14,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
};

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *put_key(uint8_t *out, unsigned field, enum wire wire)
{
    return put_varint(out, field << 3 | (unsigned)wire);
}

static uint8_t *put_number(uint8_t *out, unsigned field, uint64_t value)
{
    return put_varint(put_key(out, field, WIRE_VARINT), value);
}

static uint8_t *put_fixed32(uint8_t *out, unsigned field, uint32_t value)
{
    out = put_key(out, field, WIRE_FIXED32);
    for (int i = 0; i < 4; i++) *out++ = (uint8_t)(value >> 8 * i);
    return out;
}

static uint8_t *put_bytes(uint8_t *out, unsigned field, const void *bytes, size_t size)
{
    out = put_varint(put_key(out, field, WIRE_BYTES), size);
    if (size > 0) memcpy(out, bytes, size);
    return out + size;
}

static uint8_t *put_text(uint8_t *out, unsigned field, const char *text)
{
    size_t size = strnlen(text, DNSTAP_NAME_MAX);
    return size > 0 ? put_bytes(out, field, text, size) : out;
}

static uint8_t *put_address(uint8_t *out, unsigned field, const struct address *address)
{
    return address_is_ipv4(address) ? put_bytes(out, field, address->ip + 12, 4)
                                    : put_bytes(out, field, address->ip, 16);
}

/* Everything but the DNS message itself. */
static uint8_t *put_circumstances(uint8_t *out, const struct dnstap_message *message, bool is_response)
{
    const struct address *known = message->client ? message->client : message->server;
    out = put_number(out, M_TYPE, message->type);
    out = put_number(out, M_FAMILY, address_is_ipv4(known) ? FAMILY_INET : FAMILY_INET6);
    out = put_number(out, M_PROTOCOL, message->protocol);
    if (message->client) out = put_address(out, M_CLIENT_ADDRESS, message->client);
    if (message->server) out = put_address(out, M_SERVER_ADDRESS, message->server);
    if (message->client) out = put_number(out, M_CLIENT_PORT, message->client->port);
    if (message->server) out = put_number(out, M_SERVER_PORT, message->server->port);
    out = put_number(out, is_response ? M_RESPONSE_SECONDS : M_QUERY_SECONDS, message->wall_ns / NS_PER_S);
    return put_fixed32(out, is_response ? M_RESPONSE_NS : M_QUERY_NS, (uint32_t)(message->wall_ns % NS_PER_S));
}

size_t dnstap_message_write(const struct dnstap_message *message, const char *identity, const char *version,
                            uint8_t *out)
{
    uint8_t head[128], key[16];
    CHECK(message->size <= UINT16_MAX && (message->client || message->server));
    bool is_response = message->type == DNSTAP_CLIENT_RESPONSE || message->type == DNSTAP_FORWARDER_RESPONSE;
    size_t head_size = (size_t)(put_circumstances(head, message, is_response) - head);
    uint8_t *key_end = put_key(key, is_response ? M_RESPONSE : M_QUERY, WIRE_BYTES);
    size_t key_size = (size_t)(put_varint(key_end, message->size) - key);

    uint8_t *at = put_text(out, IDENTITY, identity);
    at = put_text(at, VERSION, version);
    at = put_varint(put_key(at, MESSAGE, WIRE_BYTES), head_size + key_size + message->size);
    memcpy(at, head, head_size);
    memcpy(at + head_size, key, key_size);
    at += head_size + key_size;
    if (message->size > 0) memcpy(at, message->bytes, message->size);
    at = put_number(at + message->size, TYPE, TYPE_MESSAGE);
    CHECK((size_t)(at - out) <= message->size + DNSTAP_EXTRA_BYTES);
    return (size_t)(at - out);
}
