#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "queries/record_list.h"

static struct record_list list;

static int setup(void **state)
{
    (void)state;
    list = (struct record_list){.records = NULL};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    record_list_clear(&list);
    return 0;
}

/* Adds a record, written as in a zone file. */
static enum record_list_status add(const char *text)
{
    struct zone_record record;
    assert_true(zone_record_parse(text, &record));
    enum record_list_status status = record_list_add(&list, &record);
    if (status != RECORD_LIST_OK) zone_record_free(&record); /* it stayed the caller's */
    return status;
}

static void records_keep_their_order(void **state)
{
    (void)state;
    static const char *const texts[] = {"b.example A 192.0.2.2", "a.example A 192.0.2.1", "b.example A 192.0.2.3"};
    for (size_t i = 0; i < 3; i++) assert_int_equal(add(texts[i]), RECORD_LIST_OK);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(list.records[i].text, texts[i]);
}

static void a_record_is_taken_once(void **state)
{
    (void)state;
    assert_int_equal(add("a.example 60 A 192.0.2.1"), RECORD_LIST_OK);
    assert_int_equal(add("a.example 60 A 192.0.2.1"), RECORD_LIST_TWICE);
    assert_int_equal(add("A.Example. 90 IN A 192.0.2.1"), RECORD_LIST_TWICE); /* TTL and spelling make no difference */
    assert_int_equal(add("a.example 60 A 192.0.2.2"), RECORD_LIST_OK);
    assert_int_equal(add("b.example 60 A 192.0.2.1"), RECORD_LIST_OK);
    assert_int_equal(add("a.example 60 TXT a"), RECORD_LIST_OK);
    assert_int_equal(list.count, 4);
}

static void a_cname_record_is_the_only_one_of_its_name(void **state)
{
    (void)state;
    assert_int_equal(add("a.example A 192.0.2.1"), RECORD_LIST_OK);
    assert_int_equal(add("a.example CNAME b.example"), RECORD_LIST_CONFLICT);
    assert_int_equal(add("c.example CNAME b.example"), RECORD_LIST_OK);
    assert_int_equal(add("c.example A 192.0.2.1"), RECORD_LIST_CONFLICT);
    assert_int_equal(add("c.example CNAME d.example"), RECORD_LIST_CONFLICT);
    assert_int_equal(add("x.c.example A 192.0.2.1"), RECORD_LIST_OK); /* another name */
    assert_int_equal(list.count, 3);
}

static void a_name_has_one_soa_record(void **state)
{
    (void)state;
    assert_int_equal(add("example SOA ns.example admin.example 1 2 3 4 5"), RECORD_LIST_OK);
    assert_int_equal(add("example SOA ns.example admin.example 2 2 3 4 5"), RECORD_LIST_CONFLICT);
    assert_int_equal(add("example NS ns.example"), RECORD_LIST_OK);
    assert_int_equal(add("other SOA ns.example admin.example 1 2 3 4 5"), RECORD_LIST_OK);
}

/* The list grows several times; each record is found afterwards, also those from before, and none twice. */
static void many_records_are_found_after_the_list_has_grown(void **state)
{
    (void)state;
    enum { RECORDS = 1000 };
    char text[64];
    for (int i = 0; i < RECORDS; i++) {
        snprintf(text, sizeof text, "n%d.example A 192.0.2.1", i);
        assert_int_equal(add(text), RECORD_LIST_OK);
        assert_true(list.capacity >= list.count);
        assert_true(list.capacity <= 16 || list.capacity < 2 * list.count); /* no more than doubled */
    }
    assert_int_equal(list.count, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        snprintf(text, sizeof text, "n%d.example A 192.0.2.1", i);
        assert_int_equal(add(text), RECORD_LIST_TWICE);
        snprintf(text, sizeof text, "n%d.example CNAME b.example", i);
        assert_int_equal(add(text), RECORD_LIST_CONFLICT);
    }
}

static void a_cleared_list_is_empty_and_takes_records(void **state)
{
    (void)state;
    assert_int_equal(add("a.example A 192.0.2.1"), RECORD_LIST_OK);
    record_list_clear(&list);
    assert_int_equal(list.count, 0);
    record_list_clear(&list);
    assert_int_equal(add("a.example A 192.0.2.1"), RECORD_LIST_OK);
    assert_int_equal(list.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cname_record_is_the_only_one_of_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_has_one_soa_record, setup, teardown),
        cmocka_unit_test_setup_teardown(many_records_are_found_after_the_list_has_grown, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cleared_list_is_empty_and_takes_records, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
