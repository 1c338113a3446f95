#include "shared/access.h"

#include <stdlib.h>

#include "common/random.h"
#include "keys.h"

enum { PREFIXES_MAX = 16 };

/* A list of prefixes, up to a NULL. */
static struct access_list *access_of(const char *const *texts)
{
    struct prefix prefixes[PREFIXES_MAX];
    size_t count = 0;
    for (; texts[count]; count++) assert_true(prefix_parse(texts[count], &prefixes[count]));
    struct access_list *access = access_new(prefixes, count);
    assert_non_null(access);
    return access;
}

#define ACCESS(...) access_of((const char *const[]){__VA_ARGS__, NULL})

static bool is_allowed(const struct access_list *access, const char *text)
{
    struct address address = address_of(text);
    return access_is_allowed(access, &address);
}

static void empty_list_allows_nobody(void **state)
{
    (void)state;
    struct access_list *access = access_new(NULL, 0);
    assert_false(is_allowed(access, "127.0.0.1"));
    assert_false(is_allowed(access, "[::]"));
    assert_false(is_allowed(access, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"));
    access_free(access);
    access_free(NULL);
}

static void prefix_allows_from_its_first_to_its_last(void **state)
{
    (void)state;
    struct access_list *access = ACCESS("172.16.0.0/12", "fc00::/7", "192.0.2.7");
    assert_false(is_allowed(access, "172.15.255.255"));
    assert_true(is_allowed(access, "172.16.0.0"));
    assert_true(is_allowed(access, "172.31.255.255"));
    assert_false(is_allowed(access, "172.32.0.0"));
    assert_false(is_allowed(access, "[fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"));
    assert_true(is_allowed(access, "[fc00::]"));
    assert_true(is_allowed(access, "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"));
    assert_false(is_allowed(access, "[fe00::]"));
    assert_false(is_allowed(access, "192.0.2.6"));
    assert_true(is_allowed(access, "192.0.2.7"));
    assert_false(is_allowed(access, "192.0.2.8"));
    access_free(access);
}

static void port_does_not_matter(void **state)
{
    (void)state;
    struct access_list *access = ACCESS("127.0.0.0/8");
    assert_true(is_allowed(access, "127.0.0.1:1"));
    assert_true(is_allowed(access, "127.0.0.1:65535"));
    access_free(access);
}

static void mapped_address_is_ipv4(void **state)
{
    (void)state;
    struct access_list *access = ACCESS("10.0.0.0/8");
    assert_true(is_allowed(access, "[::ffff:10.1.2.3]"));
    assert_false(is_allowed(access, "[::10.1.2.3]"));
    access_free(access);
}

static void everybody_is_allowed(void **state)
{
    (void)state;
    struct access_list *access = ACCESS("10.0.0.0/8", "::/0", "fe80::/10", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_true(is_allowed(access, "[::]"));
    assert_true(is_allowed(access, "8.8.8.8"));
    assert_true(is_allowed(access, "[2001:db8::1]"));
    assert_true(is_allowed(access, "[ff02::1]"));
    assert_true(is_allowed(access, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"));
    access_free(access);

    access = ACCESS("0.0.0.0/0");
    assert_true(is_allowed(access, "0.0.0.0"));
    assert_true(is_allowed(access, "255.255.255.255"));
    assert_false(is_allowed(access, "[::1]"));
    access_free(access);
}

static void nested_prefix_does_not_cut_the_outer_one(void **state)
{
    (void)state;
    struct access_list *access =
        ACCESS("10.1.2.3", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.0.0.0/8", "10.0.0.0/24");
    assert_true(is_allowed(access, "10.0.0.0"));
    assert_true(is_allowed(access, "10.1.2.4"));
    assert_true(is_allowed(access, "10.200.0.1"));
    assert_true(is_allowed(access, "10.255.255.255"));
    assert_false(is_allowed(access, "11.0.0.0"));
    assert_false(is_allowed(access, "9.255.255.255"));
    access_free(access);
}

static void adjacent_prefixes_become_one(void **state)
{
    (void)state;
    struct access_list *access =
        ACCESS("10.0.1.0/24", "10.0.0.0/24", "10.0.3.0/24", "::ffff:ffff:ffff/128", "::1:0:0:0/128");
    assert_true(is_allowed(access, "10.0.0.255"));
    assert_true(is_allowed(access, "10.0.1.0"));
    assert_false(is_allowed(access, "10.0.2.0"));
    assert_false(is_allowed(access, "10.0.2.255"));
    assert_true(is_allowed(access, "10.0.3.0"));
    assert_true(is_allowed(access, "255.255.255.255")); /* carries over six octets */
    assert_true(is_allowed(access, "[::1:0:0:0]"));
    assert_false(is_allowed(access, "[::1:0:0:1]"));
    access_free(access);
}

static void bits_behind_the_prefix_are_not_looked_at(void **state)
{
    (void)state;
    struct prefix prefix;
    assert_true(prefix_parse("10.1.2.3/32", &prefix));
    prefix.bits = 96 + 12;
    struct access_list *access = access_new(&prefix, 1);
    assert_true(is_allowed(access, "10.0.0.0"));
    assert_true(is_allowed(access, "10.15.255.255"));
    assert_false(is_allowed(access, "10.16.0.0"));
    access_free(access);
}

/* Ten thousand prefixes of all lengths against the plain question to each of them. */
static void many_prefixes_agree_with_each_of_them(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct prefix *prefixes = calloc(COUNT, sizeof *prefixes);
    struct random random = {5};
    for (unsigned i = 0; i < COUNT; i++) {
        struct address address = address_number((uint32_t)random_next(&random));
        if (i % 2)
            for (unsigned j = 0; j < 16; j++) address.ip[j] = (uint8_t)random_next(&random);
        prefixes[i] = prefix_of(address.ip, i % 2 ? 16 + (unsigned)random_next(&random) % 113 : 108 + i / 2 % 21);
    }
    struct access_list *access = access_new(prefixes, COUNT);
    unsigned allowed = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct address address = address_number((uint32_t)random_next(&random));
        if (i % 2) memcpy(address.ip, prefixes[random_next(&random) % COUNT].ip, 16);
        if (i % 4 == 1) address.ip[15]--; /* just before one of them, as a rule */
        bool expected = false;
        for (unsigned j = 0; j < COUNT && !expected; j++) expected = prefix_contains(&prefixes[j], address.ip);
        assert_int_equal(access_is_allowed(access, &address), expected);
        allowed += expected;
    }
    assert_in_range(allowed, 500, 1900); /* both answers were tried */
    access_free(access);
    free(prefixes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_list_allows_nobody),
        cmocka_unit_test(prefix_allows_from_its_first_to_its_last),
        cmocka_unit_test(port_does_not_matter),
        cmocka_unit_test(mapped_address_is_ipv4),
        cmocka_unit_test(everybody_is_allowed),
        cmocka_unit_test(nested_prefix_does_not_cut_the_outer_one),
        cmocka_unit_test(adjacent_prefixes_become_one),
        cmocka_unit_test(bits_behind_the_prefix_are_not_looked_at),
        cmocka_unit_test(many_prefixes_agree_with_each_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
