/* What is done with a name, and the answers to it. */
#include "names_story.h"

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
    assert_string_equal(record_text(size, 0), "corp.example. 5 SOA"); /* MINIMUM, which is less (RFC 2308, 3) */
    add_record(names, "b.example 4 SOA ns.b.example admin.b.example 1 2 3 4 5", true);
    size = answer("b.example", TYPE_TXT);
    assert_string_equal(record_text(size, 0), "b.example. 4 SOA");
    size = answer("b.example", DNS_TYPE_SOA);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_string_equal(record_text(size, 0), "b.example. 4 SOA");
}

static void records_of_a_set_have_one_ttl(void **state)
{
    (void)state;
    add_record(names, "a.example 300 A 192.0.2.1", true);
    add_record(names, "a.example 60 A 192.0.2.2", true);
    add_record(names, "a.example 120 A 192.0.2.3", true);
    add_record(names, "a.example 30 TXT other", true);
    size_t size = answer("a.example", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 3, 0);
    assert_string_equal(record_text(size, 0), "a.example. 60 A");
    assert_string_equal(record_text(size, 1), "a.example. 60 A");
    assert_string_equal(record_text(size, 2), "a.example. 60 A");
}

static void wildcard_of_the_root_leaves_localhost_alone(void **state)
{
    (void)state;
    add_record(names, "* A 192.0.2.1", true);
    assert_int_equal(find("localhost", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(found.special, SPECIAL_ADDRESS);
    assert_int_equal(find("a.localhost", TYPE_A), NAMES_SPECIAL);
    assert_int_equal(find("localhost", TYPE_TXT), NAMES_SPECIAL);
    assert_int_equal(found.special, SPECIAL_NODATA);
    assert_int_equal(find("www.example", TYPE_A), NAMES_RECORD);
    assert_int_equal(find("xlocalhost", TYPE_A), NAMES_RECORD);
    assert_int_equal(find("printer.local", TYPE_A), NAMES_RECORD); /* other special-use names give way to records */
    names_free(names);
    names = names_new(false);
    add_record(names, "* A 192.0.2.1", true);
    assert_int_equal(find("localhost", TYPE_A), NAMES_RECORD);
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

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_names_only_special_ones_are_answered),
        TEST(records_answer_their_name_and_no_other),
        TEST(name_above_a_record_exists),
        TEST(soa_of_ours_is_told_for_what_is_below),
        TEST(records_of_a_set_have_one_ttl),
        TEST(wildcard_of_the_root_leaves_localhost_alone),
        TEST(wildcards_answer_as_in_rfc_4592),
        TEST(longest_zone_gives_the_route),
        TEST(records_and_routes_are_taken_by_the_longest_name),
        TEST(cname_is_followed_among_our_names),
        TEST(cname_leads_to_special_names_and_out),
        TEST(circle_of_cname_records_ends),
        TEST(answer_that_finds_no_room_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
