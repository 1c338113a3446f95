/* HMAC-SHA256 as RFC 4231 has it, whatever parts the message comes in. */
#include "store/mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A key of 32 octets: shorter ones of the RFC are padded with zeros, which HMAC does itself (RFC 2104, 2). */
static struct mac_key key_of(const char *text)
{
    struct mac_key key = {{0}};
    memcpy(key.bytes, text, strlen(text));
    return key;
}

/* RFC 4231, 4.3: "Jefe", "what do ya want for nothing?" */
static const uint8_t jefe[MAC_BYTES] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
                                        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
                                        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};

static void a_message_has_the_code_of_rfc_4231(void **state)
{
    (void)state;
    const struct mac_key key = key_of("Jefe");
    const struct mac_part whole = {"what do ya want for nothing?", 28};
    uint8_t mac[MAC_BYTES];
    mac_make(&key, &whole, 1, mac);
    assert_memory_equal(mac, jefe, sizeof jefe);
}

static void parts_count_as_one_message(void **state)
{
    (void)state;
    const struct mac_key key = key_of("Jefe");
    const struct mac_part parts[] = {{"what do ", 8}, {"", 0}, {"ya want for ", 12}, {"nothing?", 8}};
    uint8_t mac[MAC_BYTES];
    mac_make(&key, parts, 4, mac);
    assert_memory_equal(mac, jefe, sizeof jefe);
}

static void another_key_or_message_has_another_code(void **state)
{
    (void)state;
    const struct mac_key key = key_of("Jefe"), other = key_of("Jeff");
    const struct mac_part part = {"what do ya want for nothing?", 28}, shorter = {"what do ya want for nothing", 27};
    uint8_t mac[MAC_BYTES];
    mac_make(&other, &part, 1, mac);
    assert_false(mac_equal(mac, jefe));
    mac_make(&key, &shorter, 1, mac);
    assert_false(mac_equal(mac, jefe));
}

static void codes_that_differ_in_any_bit_are_not_equal(void **state)
{
    (void)state;
    uint8_t mac[MAC_BYTES];
    memcpy(mac, jefe, sizeof mac);
    assert_true(mac_equal(mac, jefe));
    for (unsigned bit = 0; bit < MAC_BYTES * 8; bit++) {
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(mac_equal(mac, jefe));
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_the_code_of_rfc_4231),
        cmocka_unit_test(parts_count_as_one_message),
        cmocka_unit_test(another_key_or_message_has_another_code),
        cmocka_unit_test(codes_that_differ_in_any_bit_are_not_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
