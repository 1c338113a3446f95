#include "clients/cookie.h"

#include <stdio.h>
#include <string.h>

#include "common/hash.h"
#include "dns/message.h"

enum {
    VERSION = 1,
    SERVER_COOKIE_MIN = 8, /* octets behind the client's (RFC 7873, 4) */
    SERVER_COOKIE_MAX = 32,
    /* Offsets in a cookie, and what of it is hashed. */
    AT_VERSION = 8,
    AT_RESERVED = 9,
    AT_TIME = 12,
    AT_HASH = 16,
    IPV4_AT = 12, /* an IPv4 address in its IPv4-mapped form */
    DAY_S = 24 * 3600,
};

/* ---- keys ---- */

/* The secret of a day: SipHash-2-4 of the day's number under the master key, twice. */
static void derive(const uint8_t master[static COOKIE_SECRET_BYTES], uint32_t day,
                   uint8_t ret_secret[static COOKIE_SECRET_BYTES])
{
    for (uint32_t half = 0; half < 2; half++) {
        const uint32_t input[2] = {day, half};
        uint64_t word = hash_bytes_strong(master, input, sizeof input);
        memcpy(ret_secret + half * sizeof word, &word, sizeof word);
    }
}

static void derive_both(struct cookie_keys *keys, uint32_t day)
{
    keys->day = day;
    keys->current.count = 2;
    derive(keys->master, day, keys->current.secrets[0]);
    derive(keys->master, day - 1, keys->current.secrets[1]);
}

struct cookie_keys cookie_keys_of_master(const uint8_t master[static COOKIE_SECRET_BYTES], uint32_t now_s)
{
    struct cookie_keys keys = {.rotates = true};
    memcpy(keys.master, master, sizeof keys.master);
    derive_both(&keys, now_s / DAY_S);
    return keys;
}

struct cookie_keys cookie_keys_draw(uint32_t now_s)
{
    uint8_t master[COOKIE_SECRET_BYTES];
    const struct hash_key drawn = hash_key_draw();
    _Static_assert(sizeof drawn == sizeof master, "a key of SipHash");
    memcpy(master, &drawn, sizeof master);
    return cookie_keys_of_master(master, now_s);
}

void cookie_keys_update(struct cookie_keys *keys, uint32_t now_s)
{
    if (keys->rotates && now_s / DAY_S != keys->day) derive_both(keys, now_s / DAY_S);
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

static bool read_secret(const char *line, size_t size, uint8_t ret_secret[static COOKIE_SECRET_BYTES])
{
    uint8_t secret[COOKIE_SECRET_BYTES];
    if (size != 2 * COOKIE_SECRET_BYTES) return false;
    for (size_t i = 0; i < COOKIE_SECRET_BYTES; i++) {
        int high = hex_value(line[2 * i]);
        int low = hex_value(line[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        secret[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_secret, secret, sizeof secret);
    return true;
}

static size_t trimmed(const char *line, size_t size)
{
    while (size > 0 && strchr(" \t\r", line[size - 1])) size--;
    return size;
}

bool cookie_keys_parse(const char *text, size_t size, struct cookie_keys *ret_keys,
                       char ret_error[static COOKIE_ERROR_BYTES])
{
    struct cookie_keys keys = {.rotates = false};
    const char *end = text + size;
    for (unsigned number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *behind = newline ? newline : end;
        size_t line_size = trimmed(text, (size_t)(behind - text));
        bool counts = line_size > 0 && *text != '#';
        if (counts && keys.current.count == COOKIE_SECRETS_MAX) {
            snprintf(ret_error, COOKIE_ERROR_BYTES, "line %u: more than two secrets", number);
            return false;
        }
        if (counts && !read_secret(text, line_size, keys.current.secrets[keys.current.count++])) {
            snprintf(ret_error, COOKIE_ERROR_BYTES, "line %u: a secret is 32 hexadecimal digits", number);
            return false;
        }
        text = newline ? newline + 1 : end;
    }
    if (keys.current.count == 0) {
        snprintf(ret_error, COOKIE_ERROR_BYTES, "no secret in it");
        return false;
    }
    *ret_keys = keys;
    return true;
}

/* ---- cookies ---- */

/* The hash of a cookie's first 16 octets and the client's address. */
static uint64_t hash_cookie(const uint8_t secret[static COOKIE_SECRET_BYTES], const uint8_t *cookie,
                            const struct address *client)
{
    uint8_t input[AT_HASH + sizeof client->ip];
    size_t skip = address_is_ipv4(client) ? IPV4_AT : 0;
    memcpy(input, cookie, AT_HASH);
    memcpy(input + AT_HASH, client->ip + skip, sizeof client->ip - skip);
    return hash_bytes_strong(secret, input, sizeof input - skip);
}

/* Seconds since the cookie was made; negative if that lies ahead (RFC 1982). */
static int32_t age_s(const uint8_t *cookie, uint32_t now_s)
{
    return (int32_t)(now_s - dns_u32(cookie + AT_TIME));
}

bool cookie_is_well_formed(size_t option_size)
{
    return option_size == COOKIE_CLIENT_BYTES || (option_size >= COOKIE_CLIENT_BYTES + SERVER_COOKIE_MIN &&
                                                  option_size <= COOKIE_CLIENT_BYTES + SERVER_COOKIE_MAX);
}

bool cookie_is_valid(const struct cookie_secrets *secrets, const uint8_t *option, size_t option_size,
                     const struct address *client, uint32_t now_s)
{
    uint64_t hash;
    bool valid = false;
    if (option_size != COOKIE_BYTES || option[AT_VERSION] != VERSION) return false;
    int32_t age = age_s(option, now_s);
    if (age > COOKIE_AGE_MAX_S || age < -COOKIE_AHEAD_MAX_S) return false;
    memcpy(&hash, option + AT_HASH, sizeof hash);
    for (unsigned i = 0; i < secrets->count; i++) valid |= hash_cookie(secrets->secrets[i], option, client) == hash;
    return valid;
}

void cookie_answer(const struct cookie_secrets *secrets, const uint8_t *option, bool is_valid,
                   const struct address *client, uint32_t now_s, uint8_t ret_cookie[static COOKIE_BYTES])
{
    if (is_valid && age_s(option, now_s) <= COOKIE_RENEW_AGE_S) {
        memcpy(ret_cookie, option, COOKIE_BYTES);
        return;
    }
    memcpy(ret_cookie, option, COOKIE_CLIENT_BYTES);
    ret_cookie[AT_VERSION] = VERSION;
    memset(ret_cookie + AT_RESERVED, 0, AT_TIME - AT_RESERVED);
    dns_put_u32(ret_cookie + AT_TIME, now_s);
    uint64_t hash = hash_cookie(secrets->secrets[0], ret_cookie, client);
    memcpy(ret_cookie + AT_HASH, &hash, sizeof hash);
}
