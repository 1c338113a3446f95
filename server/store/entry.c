#include "store/entry.h"

#include <string.h>

#include "common/check.h"

static const uint8_t magic[4] = {'D', 'T', 'P', 1};

enum { STORED_AT = 4, EXPIRES_AT = 12 };

static void derive(const uint8_t secret[static ENTRY_SECRET_BYTES], const char *purpose, struct mac_key *ret_key)
{
    struct mac_key key;
    const struct mac_part part = {purpose, strlen(purpose)};
    _Static_assert(sizeof key.bytes == ENTRY_SECRET_BYTES, "the secret is a key");
    memcpy(key.bytes, secret, sizeof key.bytes);
    mac_make(&key, &part, 1, ret_key->bytes);
    explicit_bzero(&key, sizeof key);
}

void entry_keys_derive(const uint8_t secret[static ENTRY_SECRET_BYTES], struct entry_keys *ret_keys)
{
    derive(secret, "dns-tls-proxy shared cache 1 name", &ret_keys->name);
    derive(secret, "dns-tls-proxy shared cache 1 value", &ret_keys->value);
}

void entry_digest_make(const struct entry_keys *keys, const char *origin, const struct question_key *key,
                       struct entry_digest *ret_digest)
{
    const struct mac_part parts[] = {{origin, strlen(origin) + 1}, {key->bytes, key->size}};
    mac_make(&keys->name, parts, 2, ret_digest->bytes);
}

void entry_key_write(const struct entry_digest *digest, char out[static ENTRY_KEY_DIGITS])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < ENTRY_KEY_DIGITS / 2; i++) {
        out[2 * i] = digits[digest->bytes[i] >> 4];
        out[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
}

static void put_u64(uint8_t *at, uint64_t value)
{
    dns_put_u32(at, (uint32_t)(value >> 32));
    dns_put_u32(at + 4, (uint32_t)value);
}

static uint64_t read_u64(const uint8_t *at)
{
    return (uint64_t)dns_u32(at) << 32 | dns_u32(at + 4);
}

static void sign(const struct entry_keys *keys, const struct entry_digest *digest, const uint8_t *bytes, size_t size,
                 uint8_t ret_mac[static MAC_BYTES])
{
    const struct mac_part parts[] = {{digest->bytes, sizeof digest->bytes}, {bytes, size}};
    mac_make(&keys->value, parts, 2, ret_mac);
}

size_t entry_write(const struct entry_keys *keys, const struct entry_digest *digest, const struct entry *entry,
                   uint8_t *out)
{
    size_t size = ENTRY_HEAD_BYTES + entry->message_size;
    CHECK(entry->message_size >= DNS_HEADER_BYTES && entry->message_size <= DNS_MESSAGE_MAX);
    memcpy(out, magic, sizeof magic);
    put_u64(out + STORED_AT, entry->stored_ms);
    put_u64(out + EXPIRES_AT, entry->expires_ms);
    memcpy(out + ENTRY_HEAD_BYTES, entry->message, entry->message_size);
    sign(keys, digest, out, size, out + size);
    return size + MAC_BYTES;
}

enum entry_verdict entry_read(const struct entry_keys *keys, const struct entry_digest *digest, const uint8_t *bytes,
                              size_t size, struct entry *ret_entry)
{
    uint8_t mac[MAC_BYTES];
    if (size < ENTRY_BYTES_MIN || size > ENTRY_BYTES_MAX || memcmp(bytes, magic, sizeof magic) != 0)
        return ENTRY_FORMAT;
    sign(keys, digest, bytes, size - MAC_BYTES, mac);
    if (!mac_equal(mac, bytes + size - MAC_BYTES)) return ENTRY_FORGED;
    *ret_entry = (struct entry){
        .stored_ms = read_u64(bytes + STORED_AT),
        .expires_ms = read_u64(bytes + EXPIRES_AT),
        .message = bytes + ENTRY_HEAD_BYTES,
        .message_size = size - ENTRY_HEAD_BYTES - MAC_BYTES,
    };
    return ENTRY_GOOD;
}
