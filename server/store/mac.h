/* mac: HMAC-SHA256 (RFC 2104, FIPS 180-4), by wolfCrypt. Pure; any thread; keeps no memory. */
#ifndef STORE_MAC_H
#define STORE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_BYTES = 32, MAC_PARTS_MAX = 4 };

struct mac_key {
    uint8_t bytes[MAC_BYTES];
};

/* The code of what the parts hold, one behind the other. `count` at most MAC_PARTS_MAX. */
struct mac_part {
    const void *bytes;
    size_t size;
};
void mac_make(const struct mac_key *key, const struct mac_part *parts, unsigned count,
              uint8_t ret_mac[static MAC_BYTES]);

/* Takes as long whatever differs, so that nobody learns from the time how much of a guess was right. */
bool mac_equal(const uint8_t mac[static MAC_BYTES], const uint8_t other[static MAC_BYTES]);

#endif
