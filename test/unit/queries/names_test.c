/* How the names of a configuration and of a hosts file are put together. */
#include "names_story.h"

static void records_of_the_hosts_file_are_overridden(void **state)
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

static void hosts_of_one_name_are_bounded(void **state)
{
    char text[64];
    (void)state;
    for (unsigned i = 0; i < NAMES_HOSTS_MAX + 100; i++) {
        snprintf(text, sizeof text, "a.home.arpa A 10.0.%u.%u", i / 256, i % 256);
        add_record(names, text, false);
    }
    add_record(names, "b.home.arpa A 192.0.2.1", false);
    answer("a.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, NAMES_HOSTS_MAX, 0);
    assert_int_equal(names_figures(names).left_out, 100);
    assert_int_equal(names_figures(names).records, NAMES_HOSTS_MAX + 1);
}

static void hosts_of_a_former_table_are_taken_over(void **state)
{
    (void)state;
    add_record(names, "mine.home.arpa A 192.0.2.1", true);
    add_record(names, "a.home.arpa A 192.0.2.2", false);
    add_record(names, "a.home.arpa A 192.0.2.3", false);
    add_record(names, "nas A 192.0.2.4", false);
    add_record(names, "now.mine.home.arpa A 192.0.2.5", false);
    struct names *former = names;
    names = names_new(true);
    add_record(names, "now.mine.home.arpa A 192.0.2.6", true);
    assert_true(names_add_hosts_of(names, former));
    names_free(former);
    assert_int_equal(find("mine.home.arpa", TYPE_A), NAMES_SPECIAL); /* that was not of the hosts file */
    answer("a.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 2, 0);
    assert_false(found.overrides);
    answer("nas", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    answer("now.mine.home.arpa", TYPE_A);
    check_counts(DNS_RCODE_NOERROR, 1, 0);
    assert_true(found.overrides);
    assert_int_equal(names_figures(names).records, 4);
}

/* Every name is found among many, and none that is not there. */
static void many_names_are_distinguished(void **state)
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
        TEST(records_of_the_hosts_file_are_overridden), TEST(hosts_of_one_name_are_bounded),
        TEST(hosts_of_a_former_table_are_taken_over),   TEST(many_names_are_distinguished),
        TEST(table_lives_as_long_as_it_has_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
