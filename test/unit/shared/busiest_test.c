#include "shared/busiest.h"

#include "keys.h"

#define START_NS (100 * NS_PER_S)

static struct address client_of(uint32_t number, uint16_t port)
{
    struct address address = address_number(number);
    address.port = port;
    return address;
}

static void report(struct busiest *busiest, uint32_t number, double queries_per_s, uint64_t now_ns)
{
    struct address client = client_of(number, 1024);
    busiest_report(busiest, &client, queries_per_s, now_ns);
}

/* The number of the client at a place of the list. */
static uint32_t number_of(const struct busiest_client *client)
{
    uint32_t number = 0;
    while (memcmp(address_number(number).ip, client->address.ip, 16) != 0) number++;
    return number;
}

static void busiest_comes_first(void **state)
{
    (void)state;
    struct busiest *busiest = busiest_new();
    struct busiest_client clients[3];
    assert_int_equal(busiest_list(busiest, START_NS, clients, 3), 0);
    report(busiest, 1, 10, START_NS);
    report(busiest, 2, 30, START_NS);
    report(busiest, 3, 20, START_NS);
    report(busiest, 4, 5, START_NS);
    assert_int_equal(busiest_list(busiest, START_NS, clients, 3), 3);
    assert_int_equal(number_of(&clients[0]), 2);
    assert_int_equal(number_of(&clients[1]), 3);
    assert_int_equal(number_of(&clients[2]), 1);
    assert_int_equal((int)clients[0].queries_per_s, 30);
    busiest_free(busiest);
    busiest_free(NULL);
}

static void ports_are_counted_apart(void **state)
{
    (void)state;
    struct busiest *busiest = busiest_new();
    struct busiest_client clients[3];
    struct address one = client_of(1, 1000);
    struct address two = client_of(1, 2000);
    busiest_report(busiest, &one, 10, START_NS);
    busiest_report(busiest, &two, 20, START_NS);
    assert_int_equal(busiest_list(busiest, START_NS, clients, 3), 2);
    assert_int_equal(clients[0].address.port, 2000);
    assert_int_equal(clients[1].address.port, 1000);
    busiest_free(busiest);
}

static void newer_report_replaces_the_older(void **state)
{
    (void)state;
    struct busiest *busiest = busiest_new();
    struct busiest_client clients[3];
    report(busiest, 1, 100, START_NS);
    report(busiest, 1, 10, START_NS + NS_PER_S);
    assert_int_equal(busiest_list(busiest, START_NS + NS_PER_S, clients, 3), 1);
    assert_int_equal((int)clients[0].queries_per_s, 10);
    busiest_free(busiest);
}

static void old_reports_are_not_shown(void **state)
{
    (void)state;
    struct busiest *busiest = busiest_new();
    struct busiest_client clients[3];
    report(busiest, 1, 100, START_NS);
    report(busiest, 2, 10, START_NS + NS_PER_S);
    assert_int_equal(busiest_list(busiest, START_NS + BUSIEST_RECENT_NS - 1, clients, 3), 2);
    assert_int_equal(busiest_list(busiest, START_NS + BUSIEST_RECENT_NS, clients, 3), 1);
    assert_int_equal(number_of(&clients[0]), 2);
    busiest_free(busiest);
}

static void least_busy_is_replaced_by_a_busier_one(void **state)
{
    (void)state;
    struct busiest *busiest = busiest_new();
    struct busiest_client clients[BUSIEST_KEPT];
    for (uint32_t i = 0; i < BUSIEST_KEPT; i++) report(busiest, i, 100 + (i * 37) % BUSIEST_KEPT, START_NS);
    report(busiest, 1000, 99, START_NS); /* less than all of them */
    report(busiest, 1001, 500, START_NS);
    assert_int_equal(busiest_list(busiest, START_NS, clients, BUSIEST_KEPT), BUSIEST_KEPT);
    assert_int_equal(number_of(&clients[0]), 1001);
    for (unsigned i = 1; i < BUSIEST_KEPT; i++) assert_int_equal((int)clients[i].queries_per_s, 164 - (int)i);
    busiest_free(busiest);
}

static void old_report_is_replaced_by_any(void **state)
{
    (void)state;
    struct busiest *busiest = busiest_new();
    struct busiest_client clients[BUSIEST_KEPT];
    for (uint32_t i = 0; i < BUSIEST_KEPT; i++) report(busiest, i, 100, i == 20 ? START_NS : START_NS + NS_PER_S);
    report(busiest, 1000, 1, START_NS + BUSIEST_RECENT_NS);
    assert_int_equal(busiest_list(busiest, START_NS + BUSIEST_RECENT_NS, clients, BUSIEST_KEPT), BUSIEST_KEPT);
    assert_int_equal(number_of(&clients[BUSIEST_KEPT - 1]), 1000);
    for (unsigned i = 0; i + 1 < BUSIEST_KEPT; i++) assert_true(number_of(&clients[i]) != 20);
    busiest_free(busiest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busiest_comes_first),
        cmocka_unit_test(ports_are_counted_apart),
        cmocka_unit_test(newer_report_replaces_the_older),
        cmocka_unit_test(old_reports_are_not_shown),
        cmocka_unit_test(least_busy_is_replaced_by_a_busier_one),
        cmocka_unit_test(old_report_is_replaced_by_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
