#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "dns/edns.h"
#include "dns/presentation.h"
#include "dns/special_names.h"
#include "dns/validator.h"

enum { TYPE_MX = 15, TYPE_TXT = 16, TYPE_SVCB = 64, TYPE_HTTPS = 65 };

static uint8_t name[DNS_NAME_MAX];
static size_t name_size;
static struct special_match match;

static enum special_verdict find(const char *text, uint16_t type)
{
    name_size = presentation_parse_name(text, name);
    assert_int_not_equal(name_size, 0);
    return special_names_find(name, name_size, type, &match);
}

/* The zones of RFC 6303, 4, RFC 7793, RFC 8375 and RFC 9665, written out: what the table must say, not what it says. */
static const char *const empty_zones[] = {
    "home.arpa",
    "service.arpa",
    "127.in-addr.arpa",
    "10.in-addr.arpa",
    "16.172.in-addr.arpa",
    "23.172.in-addr.arpa",
    "31.172.in-addr.arpa",
    "168.192.in-addr.arpa",
    "64.100.in-addr.arpa",
    "99.100.in-addr.arpa",
    "100.100.in-addr.arpa",
    "127.100.in-addr.arpa",
    "0.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
};

static void empty_zone_has_soa_and_ns_and_forwards_its_ds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof empty_zones / sizeof *empty_zones; i++) {
        char below[300];
        snprintf(below, sizeof below, "x.%s", empty_zones[i]);
        assert_int_equal(find(empty_zones[i], DNS_TYPE_SOA), SPECIAL_SOA);
        assert_int_equal(match.zone_at, 0);
        assert_int_equal(match.zone_size, name_size);
        assert_int_equal(find(empty_zones[i], DNS_TYPE_NS), SPECIAL_NS);
        assert_int_equal(find(empty_zones[i], DNS_TYPE_DS), SPECIAL_FORWARD);
        assert_int_equal(find(empty_zones[i], DNS_TYPE_A), SPECIAL_NODATA);
        assert_int_equal(find(empty_zones[i], TYPE_TXT), SPECIAL_NODATA);
        assert_int_equal(find(below, DNS_TYPE_PTR), SPECIAL_NXDOMAIN);
        assert_int_equal(match.zone_at, 2);
        assert_int_equal(match.zone_size, name_size - 2);
        assert_int_equal(find(below, DNS_TYPE_DS), SPECIAL_NXDOMAIN);
        assert_int_equal(find(below, DNS_TYPE_SOA), SPECIAL_NXDOMAIN);
        assert_int_equal(find(below, DNS_TYPE_NS), SPECIAL_NXDOMAIN);
    }
}

static void assert_no_data(const char *text, const uint16_t *types, size_t count)
{
    for (size_t i = 0; i < count; i++) assert_int_equal(find(text, types[i]), SPECIAL_NODATA);
}

static void localhost_is_the_loopback_address_at_every_name(void **state)
{
    static const char *const names[] = {"localhost", "x.localhost", "a.b.c.localhost", "LOCALHOST."};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(find(names[i], DNS_TYPE_A), SPECIAL_ADDRESS);
        assert_int_equal(find(names[i], DNS_TYPE_AAAA), SPECIAL_ADDRESS);
        assert_no_data(names[i], (const uint16_t[]){TYPE_MX, DNS_TYPE_NS, DNS_TYPE_DS, DNS_TYPE_PTR}, 4);
    }
    assert_int_equal(find("localhost", DNS_TYPE_SOA), SPECIAL_SOA);
    assert_int_equal(find("x.localhost", DNS_TYPE_SOA), SPECIAL_NODATA);
}

static void loopback_addresses_lead_to_localhost(void **state)
{
    (void)state;
    assert_int_equal(find("1.0.0.127.in-addr.arpa", DNS_TYPE_PTR), SPECIAL_POINTER);
    assert_int_equal(find("1.0.0.127.in-addr.arpa", DNS_TYPE_A), SPECIAL_NODATA);
    assert_int_equal(find("0.0.127.in-addr.arpa", DNS_TYPE_PTR), SPECIAL_NODATA);
    assert_int_equal(find("0.127.in-addr.arpa", DNS_TYPE_PTR), SPECIAL_NODATA);
    assert_int_equal(find("2.0.0.127.in-addr.arpa", DNS_TYPE_PTR), SPECIAL_NXDOMAIN);
    assert_int_equal(find("1.0.127.in-addr.arpa", DNS_TYPE_PTR), SPECIAL_NXDOMAIN);
    assert_int_equal(find("x.1.0.0.127.in-addr.arpa", DNS_TYPE_PTR), SPECIAL_NXDOMAIN);
    assert_int_equal(find("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", DNS_TYPE_PTR),
                     SPECIAL_POINTER);
    assert_int_equal(find("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", DNS_TYPE_PTR),
                     SPECIAL_NODATA);
}

static void names_of_designated_resolvers_have_no_data(void **state)
{
    static const char *const names[] = {"resolver.arpa", "_dns.resolver.arpa", "x.y.resolver.arpa"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_no_data(names[i], (const uint16_t[]){TYPE_SVCB, DNS_TYPE_A, DNS_TYPE_DS, DNS_TYPE_NS}, 4);
    assert_int_equal(find("resolver.arpa", DNS_TYPE_SOA), SPECIAL_SOA);
    assert_int_equal(find("_dns.resolver.arpa", DNS_TYPE_SOA), SPECIAL_NODATA);
}

static void names_that_are_not_for_the_dns_do_not_exist(void **state)
{
    static const char *const names[] = {"test",        "invalid",   "onion",         "local",        "x.test",
                                        "a.b.invalid", "abc.onion", "printer.local", "PRINTER.Local"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(find(names[i], DNS_TYPE_A), SPECIAL_NXDOMAIN);
        assert_int_equal(find(names[i], DNS_TYPE_DS), SPECIAL_NXDOMAIN);
        assert_int_equal(find(names[i], DNS_TYPE_NS), SPECIAL_NXDOMAIN);
        assert_int_equal(find(names[i], TYPE_HTTPS), SPECIAL_NXDOMAIN);
    }
    assert_int_equal(find("test", DNS_TYPE_SOA), SPECIAL_SOA);
    assert_int_equal(find("x.test", DNS_TYPE_SOA), SPECIAL_NXDOMAIN);
}

static void other_names_are_not_special(void **state)
{
    static const char *const names[] = {
        ".",
        "com",
        "example",
        "example.com",
        "x.example.net",
        "alt",
        "x.alt",
        "ipv4only.arpa",
        "170.0.0.192.in-addr.arpa",
        "171.0.0.192.in-addr.arpa",
        "eap.arpa",
        "eap-noob.arpa",
        "6tisch.arpa",
        "internal",
        "x.internal",
        "lan",
        "home",
        "corp",
        "arpa",
        "in-addr.arpa",
        "ip6.arpa",
        "8.8.8.8.in-addr.arpa",
        "100.in-addr.arpa",
        "172.in-addr.arpa",
        "192.in-addr.arpa",
        "15.172.in-addr.arpa",
        "32.172.in-addr.arpa",
        "63.100.in-addr.arpa",
        "128.100.in-addr.arpa",
        "016.172.in-addr.arpa",
        "1x.172.in-addr.arpa",
        "272.172.in-addr.arpa",
        "167.192.in-addr.arpa",
        "255.255.255.in-addr.arpa",
        "254.255.255.255.in-addr.arpa",
        "c.f.ip6.arpa",
        "c.e.f.ip6.arpa",
        "f.e.f.ip6.arpa",
        "0.e.f.ip6.arpa",
        "f.f.f.3.ip6.arpa",
        "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(find(names[i], DNS_TYPE_A), SPECIAL_NONE);
        assert_int_equal(find(names[i], DNS_TYPE_DS), SPECIAL_NONE);
    }
}

/* "xlocal" ends in the letters of "local", and a label may hold what looks like the end of another name. */
static void names_are_matched_by_whole_labels(void **state)
{
    static const char *const names[] = {"xlocal",     "mylocalhost", "x.contest",  "1010.in-addr.arpa",
                                        "xhome.arpa", "x\\005local", "x\\004test", "a\\004home\\004arpa",
                                        "local.com",  "test.example"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(find(names[i], DNS_TYPE_A), SPECIAL_NONE);
}

static void longest_names_are_looked_up(void **state)
{
    (void)state;
    uint8_t longest[DNS_NAME_MAX];
    for (size_t i = 0; i < 244; i += 2) memcpy(longest + i, "\1x", 2);
    memcpy(longest + 244, "\11localhost", 11);
    assert_int_equal(special_names_find(longest, DNS_NAME_MAX, DNS_TYPE_A, &match), SPECIAL_ADDRESS);
    assert_int_equal(match.zone_at, 244);
}

/* ---- the answer ---- */

static uint8_t reply[SPECIAL_ANSWER_BYTES + EDNS_REPLY_MAX];

/* The reply's size. */
static size_t answer(const char *text, uint16_t type, bool edns)
{
    static uint8_t spelt[DNS_NAME_MAX];
    enum special_verdict verdict = find(text, type);
    for (size_t i = 0; i < name_size; i++) spelt[i] = name[i];
    spelt[1] = (uint8_t)(spelt[1] >= 'a' && spelt[1] <= 'z' ? spelt[1] - 32 : spelt[1]);
    const struct question question = {.id = 7,
                                      .flags = DNS_RD,
                                      .name = spelt,
                                      .name_size = (uint8_t)name_size,
                                      .type = type,
                                      .class = 1,
                                      .edns = edns};
    size_t size = special_names_write(verdict, &match, &question, reply);
    assert_true(size > 0 && size <= SPECIAL_ANSWER_BYTES);
    const struct reply_profile profile = reply_profile_of(&question);
    const struct answer_use use = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    size = answer_to_reply(reply, size, &profile, spelt, &use);
    assert_true(validator_is_message(reply, size));
    assert_memory_equal(reply + DNS_HEADER_BYTES, spelt, name_size);
    return size;
}

static void check_header(uint16_t rcode, unsigned answers, unsigned authority)
{
    assert_int_equal(message_flags(reply), DNS_QR | DNS_AA | DNS_RD | DNS_RA | rcode);
    assert_int_equal(message_count(reply, DNS_ANSWER), answers);
    assert_int_equal(message_count(reply, DNS_AUTHORITY), authority);
}

/* The one record of the reply. */
static struct record only_record(size_t size)
{
    struct reader reader = {.message = reply, .size = size, .at = DNS_HEADER_BYTES + name_size + 4};
    struct record record = {0};
    reader_record(&reader, &record);
    assert_false(reader.failed);
    assert_int_equal(record.class, DNS_CLASS_IN);
    assert_int_equal(record.ttl, 10800);
    return record;
}

static void check_soa(size_t size, const char *zone)
{
    struct record record = only_record(size);
    uint8_t wire[DNS_NAME_MAX], owner[DNS_NAME_MAX];
    size_t wire_size = presentation_parse_name(zone, wire);
    static const uint8_t rest[] = "\6nobody\7invalid\0\0\0\0\1\0\0\016\020\0\0\004\260\0\011\072\200\0\0\052\060";
    assert_int_equal(record.type, DNS_TYPE_SOA);
    assert_int_equal(name_expand(reply, record.owner, owner), wire_size);
    assert_memory_equal(owner, wire, wire_size);
    assert_int_equal(record.data_size, wire_size + sizeof rest - 1);
    assert_memory_equal(reply + record.data, wire, wire_size);
    assert_memory_equal(reply + record.data + wire_size, rest, sizeof rest - 1);
}

static void negative_answers_carry_the_zones_soa(void **state)
{
    (void)state;
    size_t size = answer("printer.local", DNS_TYPE_A, false);
    check_header(DNS_RCODE_NXDOMAIN, 0, 1);
    check_soa(size, "local");
    size = answer("local", DNS_TYPE_A, false);
    check_header(DNS_RCODE_NXDOMAIN, 0, 1);
    check_soa(size, "local");
    size = answer("_dns.resolver.arpa", TYPE_SVCB, false);
    check_header(DNS_RCODE_NOERROR, 0, 1);
    check_soa(size, "resolver.arpa");
    size = answer("5.3.20.172.in-addr.arpa", DNS_TYPE_PTR, false);
    check_header(DNS_RCODE_NXDOMAIN, 0, 1);
    check_soa(size, "20.172.in-addr.arpa");
    size = answer("localhost", DNS_TYPE_SOA, false);
    check_header(DNS_RCODE_NOERROR, 1, 0);
    check_soa(size, "localhost");
}

static void positive_answers_carry_the_record(void **state)
{
    (void)state;
    struct record record = only_record(answer("a.localhost", DNS_TYPE_A, false));
    check_header(DNS_RCODE_NOERROR, 1, 0);
    assert_int_equal(dns_u16(reply + record.owner), 0xc000 | DNS_HEADER_BYTES);
    assert_int_equal(record.data_size, 4);
    assert_memory_equal(reply + record.data, "\177\0\0\1", 4);
    record = only_record(answer("localhost", DNS_TYPE_AAAA, false));
    assert_int_equal(record.data_size, 16);
    assert_memory_equal(reply + record.data, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    record = only_record(answer("1.0.0.127.in-addr.arpa", DNS_TYPE_PTR, false));
    assert_int_equal(record.data_size, 11);
    assert_memory_equal(reply + record.data, "\11localhost", 11);
    record = only_record(answer("home.arpa", DNS_TYPE_NS, false));
    assert_memory_equal(reply + record.data, "\4home\4arpa", 11);
}

static void reply_has_edns_where_the_query_had(void **state)
{
    (void)state;
    answer("x.onion", DNS_TYPE_A, false);
    assert_int_equal(message_count(reply, DNS_ADDITIONAL), 0);
    answer("x.onion", DNS_TYPE_A, true);
    assert_int_equal(message_count(reply, DNS_ADDITIONAL), 1);
}

/* The longest name leaves room for all there is to say, in a buffer of SPECIAL_ANSWER_BYTES. */
static void longest_answer_finds_room(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'x', sizeof text);
    for (size_t i = 1; i < 244; i += 2) text[i] = '.';
    snprintf(text + 244, sizeof text - 244, "localhost");
    answer(text, TYPE_MX, true);
    check_header(DNS_RCODE_NOERROR, 0, 1);
}

static void every_row_names_its_rfc_and_is_found(void **state)
{
    (void)state;
    size_t count;
    const struct special_zone *table = special_names_table(&count);
    assert_int_equal(count, 27);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(table[i].rfc, "RFC ", 4);
        if (table[i].last > 0) continue;
        assert_int_equal(special_names_find((const uint8_t *)table[i].name, table[i].name_size, DNS_TYPE_SOA, &match),
                         SPECIAL_SOA);
        assert_ptr_equal(match.zone, &table[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_zone_has_soa_and_ns_and_forwards_its_ds),
        cmocka_unit_test(localhost_is_the_loopback_address_at_every_name),
        cmocka_unit_test(loopback_addresses_lead_to_localhost),
        cmocka_unit_test(names_of_designated_resolvers_have_no_data),
        cmocka_unit_test(names_that_are_not_for_the_dns_do_not_exist),
        cmocka_unit_test(other_names_are_not_special),
        cmocka_unit_test(names_are_matched_by_whole_labels),
        cmocka_unit_test(longest_names_are_looked_up),
        cmocka_unit_test(negative_answers_carry_the_zones_soa),
        cmocka_unit_test(positive_answers_carry_the_record),
        cmocka_unit_test(reply_has_edns_where_the_query_had),
        cmocka_unit_test(longest_answer_finds_room),
        cmocka_unit_test(every_row_names_its_rfc_and_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
