#include "store/mac.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hmac.h>

#include "common/check.h"

_Static_assert((int)MAC_BYTES == (int)WC_SHA256_DIGEST_SIZE, "a code is as long as the hash");

void mac_make(const struct mac_key *key, const struct mac_part *parts, unsigned count,
              uint8_t ret_mac[static MAC_BYTES])
{
    Hmac hmac;
    CHECK(count <= MAC_PARTS_MAX);
    /* None of these calls can fail: they allocate nothing, and the key is longer than FIPS 198 demands. */
    CHECK(wc_HmacInit(&hmac, NULL, INVALID_DEVID) == 0);
    CHECK(wc_HmacSetKey(&hmac, WC_SHA256, key->bytes, sizeof key->bytes) == 0);
    for (unsigned i = 0; i < count; i++) CHECK(wc_HmacUpdate(&hmac, parts[i].bytes, (word32)parts[i].size) == 0);
    CHECK(wc_HmacFinal(&hmac, ret_mac) == 0);
    wc_HmacFree(&hmac);
}

bool mac_equal(const uint8_t mac[static MAC_BYTES], const uint8_t other[static MAC_BYTES])
{
    uint8_t difference = 0;
    for (unsigned i = 0; i < MAC_BYTES; i++) difference |= mac[i] ^ other[i];
    return difference == 0;
}
