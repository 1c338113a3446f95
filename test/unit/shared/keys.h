/* keys: keys and addresses to test the shared tables with. */
#ifndef UNIT_SHARED_KEYS_H
#define UNIT_SHARED_KEYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/address.h"
#include "common/clock.h"
#include "common/hash.h"

static const struct hash_key test_hash_key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* A key with its own bytes. */
struct test_key {
    char text[40];
    struct hashed_key hashed;
};

static inline const struct hashed_key *key_of(struct test_key *key, const char *name, unsigned number)
{
    int size = snprintf(key->text, sizeof key->text, "%s-%u.example", name, number);
    key->hashed.bytes = (const uint8_t *)key->text;
    key->hashed.size = (uint16_t)size;
    key->hashed.hash = hash_bytes(&test_hash_key, key->text, (size_t)size);
    return &key->hashed;
}

static inline struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, 1024, &address));
    return address;
}

/* 10.0.0.0 and up. */
static inline struct address address_number(uint32_t number)
{
    struct address address = {.port = 1024};
    memset(address.ip + 10, 0xff, 2);
    number += UINT32_C(10) << 24;
    for (int i = 0; i < 4; i++) address.ip[12 + i] = (uint8_t)(number >> (24 - 8 * i));
    return address;
}

#endif
