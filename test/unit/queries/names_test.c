#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "dns/presentation.h"
#include "dns/validator.h"
#include "named_record.h"
#include "queries/names.h"

enum { TYPE_A = 1, TYPE_TXT = 16 };

static struct names *names;
static struct names_found found;
static struct names_alias alias;
static uint8_t bytes[ANSWER_BYTES_MAX];
static uint8_t name[DNS_NAME_MAX];
static size_t name_size;

static int setup(void **state)
{
    (void)state;
    names = names_new(true);
    return names ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    names_free(names);
    return 0;
}

static void add_zone(const char *text, uint16_t route)
{
    name_size = presentation_parse_name(text, name);
    assert_true(names_add_zone(names, name, name_size, route));
}

static enum names_verdict find(const char *text, uint16_t type)
{
    name_size = presentation_parse_name(text, name);
    assert_int_not_equal(name_size, 0);
    names_find(names, name, name_size, type, &found);
    return found.verdict;
}

/* Writes the answer; returns its message's size. */
static size_t answer(const char *text, uint16_t type)
{
    struct answer read;
    find(text, type);
    const struct question question = {.name = name, .name_size = (uint8_t)name_size, .type = type, .class = 1};
    size_t size = names_write(names, &found, &question, bytes, sizeof bytes, &alias);
    if (size == 0) return 0;
    assert_true(answer_unpack(bytes, size, &read));
    assert_true(validator_is_message(bytes, read.message_size));
    return read.message_size;
}

static void check_counts(uint16_t rcode, unsigned answers, unsigned authority)
{
    assert_int_equal(message_flags(bytes), DNS_QR | DNS_AA | DNS_RA | rcode);
    assert_int_equal(message_count(bytes, DNS_ANSWER), answers);
    assert_int_equal(message_count(bytes, DNS_AUTHORITY), authority);
}

/* The i-th record of the answer of `size` bytes: "OWNER TTL TYPE". */
static const char *record_text(size_t size, unsigned i)
{
    static char text[2 * PRESENTATION_NAME_BYTES];
    struct reader reader = {.message = bytes, .size = size, .at = DNS_HEADER_BYTES};
    struct record record = {0};
    reader_name(&reader, false);
    reader_skip(&reader, 4);
    for (unsigned at = 0; at <= i; at++) reader_record(&reader, &record);
    assert_false(reader.failed);
    uint8_t owner[DNS_NAME_MAX];
    char owner_text[PRESENTATION_NAME_BYTES], type[PRESENTATION_TYPE_BYTES];
    size_t owner_size = name_expand(bytes, record.owner, owner);
    snprintf(text, sizeof text, "%s %u %s", presentation_name(owner, owner_size, owner_text), record.ttl,
             presentation_type(record.type, type));
    return text;
}

static void without_names_only_special_ones_are_answered(void **state)
{
    (void)state;
    assert_int_equal(find("example.com", TYPE_A), NAMES_RESOLVE);
    assert_int_equal(found.route, NAMES_ROUTE_DEFAULT);
    assert_int_equal(find("x.local", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(found.special, SPECIAL_NXDOMAIN);
    assert_int_equal(find("home.arpa", DNS_TYPE_DS), NAMES_RESOLVE);
    names_free(names);
    names = names_new(false);
    assert_int_equal(find("x.local", TYPE_A), NAMES_RESOLVE);
    assert_int_equal(find("localhost", TYPE_A), NAMES_RESOLVE);
}

static void records_answer_their_name_and_no_other(void **state)
{
    (void)state;
    add_record(names, "nas.home.arpa 60 A 192.0.2.5", true);
    add_record(names, "nas.home.arpa 60 A 192.0.2.6", true);
    assert_int_equal(find("nas.home.arpa", TYPE_A), NAMES_RECORD);
    assert_false(found.is_wildcard);
    size_t size = answer("nas.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 2, 0);
    assert_string_equal(record_text(size, 1), "nas.home.arpa. 60 A");
    size = answer("nas.home.arpa", TYPE_TXT);
    check_counts(DNS_RCODE_NOERROR, 0, 1);
    assert_string_equal(record_text(size, 0), "nas.home.arpa. 300 SOA");
    assert_int_equal(find("x.nas.home.arpa", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(find("other.home.arpa", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(find("xnas.home.arpa", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(find("nas", TYPE_A), NAMES_RESOLVE);
}

/* RFC 8020: nothing may be said not to exist that has a name below it. */
static void name_above_a_record_exists(void **state)
{
    (void)state;
    add_record(names, "a.b.home.arpa A 192.0.2.5", true);
    add_record(names, "a.b.example.com A 192.0.2.5", true);
    assert_int_equal(find("b.home.arpa", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(found.special, SPECIAL_NODATA);
    answer("b.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 0, 1);
    assert_int_equal(find("c.home.arpa", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(found.special, SPECIAL_NXDOMAIN);
    assert_int_equal(find("b.example.com", TYPE_A), NAMES_RESOLVE);
}

static void soa_of_ours_is_told_for_what_is_below(void **state)
{
    (void)state;
    add_record(names, "corp.example 900 SOA ns.corp.example admin.corp.example 1 2 3 4 5", true);
    add_record(names, "a.corp.example A 192.0.2.5", true);
    size_t size = answer("a.corp.example", TYPE_TXT);
    check_counts(DNS_RCODE_NOERROR, 0, 1);
    assert_string_equal(record_text(size, 0), "corp.example. 900 SOA");
}

/* RFC 4592, 2.2.1, as far as it has types that we have. */
static void wildcards_answer_as_in_rfc_4592(void **state)
{
    (void)state;
    add_record(names, "*.example 3600 TXT wild", true);
    add_record(names, "*.example 3600 MX 10 host1.example", true);
    add_record(names, "sub.*.example 3600 TXT beside", true);
    add_record(names, "host1.example 3600 A 192.0.2.1", true);
    add_record(names, "_ssh._tcp.host1.example 3600 SRV 0 0 22 host1.example", true);
    assert_int_equal(find("host3.example", 15), NAMES_RECORD);
    assert_true(found.is_wildcard);
    size_t size = answer("host3.example", 15);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_string_equal(record_text(size, 0), "host3.example. 3600 MX");
    answer("host3.example", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 0, 1);
    answer("foo.bar.example", TYPE_TXT);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    answer("host1.example", 15);
    check_counts(DNS_RCODE_NOERROR, 0, 1);
    answer("sub.*.example", 15);
    check_counts(DNS_RCODE_NOERROR, 0, 1);
    assert_int_equal(find("_telnet._tcp.host1.example", 33), NAMES_RESOLVE); /* its encloser has no wildcard */
    assert_int_equal(find("_tcp.host1.example", 33), NAMES_RESOLVE);         /* an empty non-terminal */
    assert_int_equal(find("ghost.*.example", 15), NAMES_RESOLVE);            /* the encloser is the wildcard */
    answer("*.example", TYPE_TXT);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_int_equal(find("example", TYPE_TXT), NAMES_RESOLVE);
}

static void longest_zone_gives_the_route(void **state)
{
    (void)state;
    add_zone("example", 1);
    add_zone("b.example", 2);
    add_zone("a.b.example", 3);
    add_zone("10.in-addr.arpa", 4);
    static const struct {
        const char *name;
        uint16_t route;
        size_t zone_at;
    } cases[] = {
        {"example", 1, 0},           {"x.example", 1, 2},       {"xb.example", 1, 3},      {"b.example", 2, 0},
        {"x.b.example", 2, 2},       {"a.b.example", 3, 0},     {"x.y.a.b.example", 3, 4}, {"xa.b.example", 2, 3},
        {"1.10.in-addr.arpa", 4, 2}, {"10.in-addr.arpa", 4, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(find(cases[i].name, TYPE_A), NAMES_RESOLVE);
        assert_int_equal(found.route, cases[i].route);
        assert_int_equal(found.zone_at, cases[i].zone_at);
    }
    assert_int_equal(find("example.com", TYPE_A), NAMES_RESOLVE);
    assert_int_equal(found.route, NAMES_ROUTE_DEFAULT);
    assert_int_equal(find("168.192.in-addr.arpa", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(names_figures(names).zones, 4);
}

static void records_and_routes_are_taken_by_the_longest_name(void **state)
{
    (void)state;
    add_record(names, "*.example A 192.0.2.1", true);
    add_record(names, "x.b.example A 192.0.2.2", true);
    add_record(names, "*.c.d.example A 192.0.2.3", true);
    add_zone("example", 1);
    add_zone("b.example", 2);
    add_zone("d.example", 3);
    assert_int_equal(find("a.example", TYPE_A), NAMES_RECORD);    /* the wildcard is longer than the zone above it */
    assert_int_equal(find("y.b.example", TYPE_A), NAMES_RESOLVE); /* the zone is longer than the wildcard's parent */
    assert_int_equal(found.route, 2);
    assert_int_equal(find("b.example", TYPE_A), NAMES_RESOLVE);
    assert_int_equal(found.route, 2);
    assert_int_equal(find("x.b.example", TYPE_A), NAMES_RECORD);
    assert_int_equal(find("x.c.d.example", TYPE_A), NAMES_RECORD);
    assert_int_equal(find("x.d.example", TYPE_A), NAMES_RESOLVE);
    assert_int_equal(found.route, 3);
    assert_int_equal(find("example", TYPE_A), NAMES_RESOLVE);
    assert_int_equal(found.route, 1);
}

static void cname_is_followed_among_our_names(void **state)
{
    (void)state;
    add_record(names, "a.home.arpa 60 CNAME B.home.arpa", true);
    add_record(names, "b.home.arpa 61 CNAME c.home.arpa", true);
    add_record(names, "c.home.arpa 62 A 192.0.2.5", true);
    size_t size = answer("a.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 3, 0);
    assert_int_equal(alias.name_size, 0);
    assert_string_equal(record_text(size, 0), "a.home.arpa. 60 CNAME");
    assert_string_equal(record_text(size, 1), "b.home.arpa. 61 CNAME");
    assert_string_equal(record_text(size, 2), "c.home.arpa. 62 A");
    size = answer("a.home.arpa", TYPE_TXT);
    check_counts(DNS_RCODE_NOERROR, 2, 1);
    assert_string_equal(record_text(size, 2), "c.home.arpa. 300 SOA");
    answer("a.home.arpa", DNS_TYPE_CNAME);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
}

static void cname_leads_to_special_names_and_out(void **state)
{
    (void)state;
    add_record(names, "a.home.arpa CNAME x.localhost", true);
    add_record(names, "b.home.arpa CNAME gone.home.arpa", true);
    add_record(names, "c.home.arpa CNAME WWW.Example.com", true);
    add_record(names, "d.home.arpa CNAME x.corp.example", true);
    add_zone("corp.example", 5);
    answer("a.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 2, 0);
    answer("b.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NXDOMAIN, 1, 1);
    answer("c.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_int_equal(alias.name_size, 17);
    assert_memory_equal(alias.name, "\3www\7example\3com", 17);
    assert_int_equal(alias.route, NAMES_ROUTE_DEFAULT);
    answer("d.home.arpa", TYPE_A);
    assert_int_equal(alias.route, 5);
}

static void circle_of_cname_records_ends(void **state)
{
    (void)state;
    add_record(names, "a.home.arpa CNAME b.home.arpa", true);
    add_record(names, "b.home.arpa CNAME a.home.arpa", true);
    assert_int_equal(answer("a.home.arpa", TYPE_A), 0);
}

static void records_of_the_hosts_file_give_way(void **state)
{
    (void)state;
    add_record(names, "a.home.arpa 60 A 192.0.2.1", true);
    add_record(names, "a.home.arpa 61 A 192.0.2.2", false);
    add_record(names, "b.home.arpa 61 A 192.0.2.3", false);
    add_record(names, "b.home.arpa 61 A 192.0.2.3", false);
    answer("a.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_true(found.overrides);
    answer("b.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_false(found.overrides);
}

static void answer_that_finds_no_room_is_none(void **state)
{
    char text[64];
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "a.home.arpa A 10.0.%u.%u", i / 256, i % 256);
        add_record(names, text, true);
    }
    assert_int_equal(answer("a.home.arpa", TYPE_A), 0);
}

/* Every name is found among many, and none that is not there. */
static void many_names_are_told_apart(void **state)
{
    char text[64];
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "host%u.example A 10.0.%u.%u", i, i / 256, i % 256);
        add_record(names, text, true);
        snprintf(text, sizeof text, "zone%u.example", i % 1000);
        if (i < 1000) add_zone(text, (uint16_t)(i + 1));
    }
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "host%u.example", i);
        assert_int_equal(find(text, TYPE_A), NAMES_RECORD);
        snprintf(text, sizeof text, "host%u.example", 10000 + i);
        assert_int_equal(find(text, TYPE_A), NAMES_RESOLVE);
        assert_int_equal(found.route, NAMES_ROUTE_DEFAULT);
        snprintf(text, sizeof text, "x.zone%u.example", i % 1000);
        assert_int_equal(find(text, TYPE_A), NAMES_RESOLVE);
        assert_int_equal(found.route, i % 1000 + 1);
    }
    assert_int_equal(names_figures(names).records, 10000);
}

static void table_lives_as_long_as_it_has_owners(void **state)
{
    (void)state;
    struct names *shared = names_share(names);
    names_free(names);
    assert_int_equal(find("x.local", TYPE_A), NAMES_SPECIAL);
    names = shared;
    names_free(NULL);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_names_only_special_ones_are_answered),
        TEST(records_answer_their_name_and_no_other),
        TEST(name_above_a_record_exists),
        TEST(soa_of_ours_is_told_for_what_is_below),
        TEST(wildcards_answer_as_in_rfc_4592),
        TEST(longest_zone_gives_the_route),
        TEST(records_and_routes_are_taken_by_the_longest_name),
        TEST(cname_is_followed_among_our_names),
        TEST(cname_leads_to_special_names_and_out),
        TEST(circle_of_cname_records_ends),
        TEST(records_of_the_hosts_file_give_way),
        TEST(answer_that_finds_no_room_is_none),
        TEST(many_names_are_told_apart),
        TEST(table_lives_as_long_as_it_has_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
