#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <string.h>

#include "common/address.h"

/* The text that a parsed address is written as, or "no" where it is refused. */
static const char *again(const char *text, uint16_t default_port, char out[static ADDRESS_TEXT_BYTES])
{
    struct address address;
    return address_parse(text, default_port, &address) ? address_format(&address, out) : "no";
}

static void addresses_with_a_port_are_taken(void **state)
{
    (void)state;
    char out[ADDRESS_TEXT_BYTES];
    assert_string_equal(again("1.1.1.1:853", 0, out), "1.1.1.1:853");
    assert_string_equal(again("[2606:4700:4700:0::1111]:853", 0, out), "[2606:4700:4700::1111]:853");
    assert_string_equal(again("0.0.0.0:1", 0, out), "0.0.0.0:1");
    assert_string_equal(again("[::]:65535", 0, out), "[::]:65535");
    assert_string_equal(again("1.1.1.1:53", 853, out), "1.1.1.1:53");
}

static void without_a_port_the_default_is_taken(void **state)
{
    (void)state;
    char out[ADDRESS_TEXT_BYTES];
    assert_string_equal(again("1.1.1.1", 853, out), "1.1.1.1:853");
    assert_string_equal(again("::1", 853, out), "[::1]:853");
    assert_string_equal(again("[::1]", 853, out), "[::1]:853");
    assert_string_equal(again("1.1.1.1", 0, out), "no");
    assert_string_equal(again("::1", 0, out), "no");
    assert_string_equal(again("[::1]", 0, out), "no");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":",
        ":53",
        "[]",
        "[]:53",
        "[",
        "]",
        "1.1.1.1:",
        "1.1.1.1:0",
        "1.1.1.1:65536",
        "1.1.1.1:-1",
        "1.1.1.1:+1",
        "1.1.1.1: 53",
        "1.1.1.1:53 ",
        " 1.1.1.1:53",
        "1.1.1.1:5x",
        "1.1.1.1:000053",
        "1.1.1:53",
        "1.1.1.256:53",
        "01.1.1.1:53",
        "[1.1.1.1]:53",
        "[::1",
        "[::1]53",
        "[::1]:",
        "[::1]]:53",
        "[::1]:53:53",
        "::1]:53",
        ":::1",
        "localhost:53",
        "1.1.1.1:domain",
        "1.1.1.1%lo:53",
        "[fe80::1%]:53",
        "[fe80::1%no-such-interface]:53",
        "1.1.1.1:53#name",
    };
    char out[ADDRESS_TEXT_BYTES];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_string_equal(again(bad[i], 853, out), "no");
}

static void a_text_longer_than_any_address_is_refused(void **state)
{
    (void)state;
    char text[512];
    memset(text, '1', sizeof text);
    text[0] = '[';
    struct address address = {.port = 4711};
    struct prefix prefix = {.bits = 99};
    for (size_t size = sizeof text - 1; size > 0; size--) {
        text[size] = '\0';
        assert_false(address_parse(text, 53, &address));
        assert_false(prefix_parse(text, &prefix));
    }
    assert_int_equal(address.port, 4711); /* untouched */
    assert_int_equal(prefix.bits, 99);
}

static void a_link_local_address_alone_needs_an_interface(void **state)
{
    (void)state;
    static const char *const needs[] = {"fe80::1", "febf::1"};
    static const char *const does_not[] = {"fe80::1%lo", "fec0::1", "fd00::1", "ff02::1", "::1", "169.254.1.1"};
    struct address address;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        assert_true(address_parse(needs[i], 53, &address));
        assert_true(address_needs_interface(&address));
    }
    for (size_t i = 0; i < sizeof does_not / sizeof *does_not; i++) {
        assert_true(address_parse(does_not[i], 53, &address));
        assert_false(address_needs_interface(&address));
    }
}

static void a_link_local_address_keeps_its_interface(void **state)
{
    (void)state;
    struct address address;
    struct sockaddr_storage storage;
    assert_true(address_parse("[fe80::1%lo]:53", 0, &address));
    assert_int_equal(address.scope, if_nametoindex("lo"));
    address_to_socket(&address, &storage);
    assert_int_equal(((const struct sockaddr_in6 *)(const void *)&storage)->sin6_scope_id, address.scope);
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    (void)state;
    struct address plain;
    struct address mapped;
    assert_true(address_parse("192.0.2.1:53", 0, &plain));
    assert_true(address_parse("[::ffff:192.0.2.1]:53", 0, &mapped));
    assert_true(address_equal(&plain, &mapped));
    assert_true(address_is_ipv4(&mapped));
    char out[ADDRESS_TEXT_BYTES];
    assert_string_equal(address_format(&mapped, out), "192.0.2.1:53");
    assert_string_equal(address_format_ip(&mapped, out), "192.0.2.1");
}

static void addresses_differ_in_ip_port_or_scope(void **state)
{
    (void)state;
    struct address a;
    assert_true(address_parse("[fe80::1]:53", 0, &a));
    struct address b = a;
    assert_true(address_equal(&a, &b));
    b.port++;
    assert_false(address_equal(&a, &b));
    b = a;
    b.scope++;
    assert_false(address_equal(&a, &b));
    b = a;
    b.ip[15]++;
    assert_false(address_equal(&a, &b));
}

static void an_address_survives_the_way_through_a_socket_address(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1:8853", "[2001:db8::1]:65535"};
    for (size_t i = 0; i < 2; i++) {
        struct address address;
        struct sockaddr_storage storage;
        assert_true(address_parse(texts[i], 0, &address));
        socklen_t size = address_to_socket(&address, &storage);
        assert_int_equal(storage.ss_family, i == 0 ? AF_INET : AF_INET6);
        assert_int_equal(size, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        struct address back = address_from_socket(&storage);
        assert_true(address_equal(&address, &back));
    }
}

static void a_socket_address_of_another_family_is_no_address(void **state)
{
    (void)state;
    struct sockaddr_storage storage = {.ss_family = AF_UNIX};
    struct address address = address_from_socket(&storage);
    struct address zero = {0};
    assert_true(address_equal(&address, &zero));
}

static void loopback_is_127_8_and_one(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.9"};
    static const char *const no[] = {"128.0.0.1", "10.0.0.1", "::", "::2", "fe80::1"};
    struct address address;
    for (size_t i = 0; i < 4; i++) assert_true(address_parse(yes[i], 1, &address) && address_is_loopback(&address));
    for (size_t i = 0; i < 5; i++) assert_true(address_parse(no[i], 1, &address) && !address_is_loopback(&address));
}

static bool contains(const char *prefix_text, const char *ip)
{
    struct prefix prefix;
    struct address address;
    assert_true(prefix_parse(prefix_text, &prefix));
    assert_true(address_parse(ip, 1, &address));
    return prefix_contains(&prefix, address.ip);
}

static void a_prefix_contains_what_begins_like_it(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.1.2"));
    assert_false(contains("10.0.0.0/8", "11.0.0.0"));
    assert_true(contains("100.64.0.0/10", "100.127.255.255"));
    assert_false(contains("100.64.0.0/10", "100.128.0.0"));
    assert_true(contains("192.0.2.1", "192.0.2.1"));
    assert_false(contains("192.0.2.1/32", "192.0.2.0"));
    assert_true(contains("fc00::/7", "fdff::1"));
    assert_false(contains("fc00::/7", "fe00::"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
}

static void everything_of_one_family_is_not_everything_of_the_other(void **state)
{
    (void)state;
    assert_true(contains("0.0.0.0/0", "255.255.255.255"));
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_true(contains("::/0", "::1"));
    assert_true(contains("::ffff:0:0/96", "1.2.3.4"));
}

static void what_is_no_prefix_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        "10.0.0.0/8/8",
        "10.0.0.0/x",
        "::/129",
        "10.0.0.1/8",
        "128.0.0.0/0",
        "2001:db8::1/32",
        "fe80::%lo/10",
        "10.0.0/8",
        "[::]/0",
        "10.0.0.0:53/8",
        "lan/8",
    };
    struct prefix prefix = {.bits = 99};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(prefix_parse(bad[i], &prefix));
    assert_int_equal(prefix.bits, 99);
}

static void a_prefix_of_an_address_is_zero_behind_its_bits(void **state)
{
    (void)state;
    uint8_t ones[16];
    memset(ones, 0xff, sizeof ones);
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct prefix prefix = prefix_of(ones, bits);
        unsigned set = 0;
        for (size_t i = 0; i < 16; i++) set += (unsigned)__builtin_popcount(prefix.ip[i]);
        assert_int_equal(prefix.bits, bits);
        assert_int_equal(set, bits);
        assert_true(prefix_contains(&prefix, ones));
        if (bits == 0) continue;
        uint8_t other[16];
        memcpy(other, ones, 16);
        other[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8); /* its last bit */
        assert_false(prefix_contains(&prefix, other));
    }
}

static void a_host_is_what_a_connection_can_be_made_to(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "10.0.0.1", "223.255.255.255", "::1", "2001:db8::1", "fd00::1"};
    static const char *const others[] = {"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255",
                                         "::",      "ff02::1", "fe80::1"};
    struct address address;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_true(address_parse(hosts[i], 53, &address));
        assert_true(address_is_host(&address));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(address_parse(others[i], 53, &address));
        assert_false(address_is_host(&address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_what_a_connection_can_be_made_to),
        cmocka_unit_test(addresses_with_a_port_are_taken),
        cmocka_unit_test(without_a_port_the_default_is_taken),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_text_longer_than_any_address_is_refused),
        cmocka_unit_test(a_link_local_address_keeps_its_interface),
        cmocka_unit_test(a_link_local_address_alone_needs_an_interface),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(addresses_differ_in_ip_port_or_scope),
        cmocka_unit_test(an_address_survives_the_way_through_a_socket_address),
        cmocka_unit_test(a_socket_address_of_another_family_is_no_address),
        cmocka_unit_test(loopback_is_127_8_and_one),
        cmocka_unit_test(a_prefix_contains_what_begins_like_it),
        cmocka_unit_test(everything_of_one_family_is_not_everything_of_the_other),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(a_prefix_of_an_address_is_zero_behind_its_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
