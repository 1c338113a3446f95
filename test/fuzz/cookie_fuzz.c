/* Any bytes as a COOKIE option, and as a file of secrets: only a cookie of ours is valid, and what is answered to any
 * well-formed option is valid from then on. The input's first 5 octets are the time and a bit of the client. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cookie.h"
#include "dns/message.h"
#include "need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char secrets[] = "e5e973e5a6b2a43f48e7dc849e37bfcf\n445536bcd2513298075a5d379663c962\n";

static struct cookie_keys keys_of(const char *text, size_t size)
{
    struct cookie_keys keys;
    char error[COOKIE_ERROR_BYTES];
    need(cookie_keys_parse(text, size, &keys, error));
    return keys;
}

static void check_option(const struct cookie_secrets *secrets_of_server, const uint8_t *option, size_t size,
                         const struct address *client, uint32_t now_s)
{
    uint8_t answer[COOKIE_BYTES];
    bool valid = cookie_is_valid(secrets_of_server, option, size, client, now_s);
    if (valid) need(cookie_is_well_formed(size) && size == COOKIE_BYTES);
    if (!cookie_is_well_formed(size)) return;
    cookie_answer(secrets_of_server, option, valid, client, now_s, answer);
    need(memcmp(answer, option, COOKIE_CLIENT_BYTES) == 0);
    need(cookie_is_valid(secrets_of_server, answer, sizeof answer, client, now_s));
    answer[COOKIE_BYTES - 1] ^= 1;
    need(!cookie_is_valid(secrets_of_server, answer, sizeof answer, client, now_s));
}

static void check_file(const uint8_t *data, size_t size)
{
    struct cookie_keys keys;
    char error[COOKIE_ERROR_BYTES] = "";
    if (cookie_keys_parse((const char *)data, size, &keys, error))
        need(keys.current.count >= 1 && keys.current.count <= COOKIE_SECRETS_MAX && !keys.rotates);
    else
        need(error[0] != '\0' && memchr(error, '\0', sizeof error));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cookie_keys keys = keys_of(secrets, sizeof secrets - 1);
    struct address client;
    check_file(data, size);
    if (size < 5) return 0;
    need(address_parse(data[4] & 1 ? "192.0.2.1" : "2001:db8::1", 53, &client));
    check_option(&keys.current, data + 5, size - 5, &client, dns_u32(data));
    return 0;
}
