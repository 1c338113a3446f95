/* What the files of the shared cache may hold, and what makes two settings the same store. */
#include "store/setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DIGITS "00112233445566778899aAbBcCdDeEfF00112233445566778899aabbccddeeff"

static bool parse_secret(const char *text, uint8_t ret_secret[static ENTRY_SECRET_BYTES])
{
    return store_secret_parse(text, strlen(text), ret_secret);
}

static void a_secret_is_64_hexadecimal_digits(void **state)
{
    (void)state;
    static const uint8_t expected[ENTRY_SECRET_BYTES] = {
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const char *const good[] = {DIGITS, DIGITS "\n", DIGITS "\r\n", "\n  " DIGITS " \n\n"};
    uint8_t secret[ENTRY_SECRET_BYTES];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        memset(secret, 0, sizeof secret);
        assert_true(parse_secret(good[i], secret));
        assert_memory_equal(secret, expected, sizeof secret);
    }
}

static void anything_else_is_no_secret(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\n",
                                      "none",
                                      DIGITS "0",
                                      (DIGITS "\n" DIGITS),
                                      "0x" DIGITS,
                                      "0011223344556677 8899aabbccddeeff00112233445566778899aabbccddeeff",
                                      "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
    uint8_t secret[ENTRY_SECRET_BYTES] = {42};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(parse_secret(bad[i], secret));
    assert_false(store_secret_parse(DIGITS, 63, secret));
    assert_int_equal(secret[0], 42);
}

static void a_password_is_one_line(void **state)
{
    (void)state;
    char password[SETUP_PASSWORD_MAX + 1], longest[SETUP_PASSWORD_MAX + 2];
    assert_true(store_password_parse("s3 cret \n", 9, password));
    assert_string_equal(password, "s3 cret ");
    assert_true(store_password_parse("x\r\n", 3, password));
    assert_string_equal(password, "x");
    assert_true(store_password_parse("no end", 6, password));
    assert_string_equal(password, "no end");
    assert_false(store_password_parse("", 0, password));
    assert_false(store_password_parse("\n", 1, password));
    assert_false(store_password_parse("two\nlines\n", 10, password));
    assert_false(store_password_parse("nul\0l", 5, password));
    memset(longest, 'p', sizeof longest);
    assert_true(store_password_parse(longest, SETUP_PASSWORD_MAX, password));
    assert_false(store_password_parse(longest, SETUP_PASSWORD_MAX + 1, password));
}

static struct upstream_options upstream(const char *address, const char *name)
{
    struct upstream_options options = {.transport = name[0] ? UPSTREAM_TLS : UPSTREAM_TCP};
    assert_true(address_parse(address, 0, &options.address));
    snprintf(options.name, sizeof options.name, "%s", name);
    return options;
}

static void the_origin_is_who_is_asked_and_not_where_or_in_which_order(void **state)
{
    (void)state;
    const struct upstream_options upstreams[] = {
        upstream("9.9.9.9:853", "dns.quad9.net"), upstream("1.1.1.1:853", "cloudflare-dns.com"),
        upstream("1.0.0.1:853", "cloudflare-dns.com"), upstream("10.0.0.1:53", "")};
    char origin[SETUP_ORIGIN_BYTES];
    store_origin_write(upstreams, 1, origin);
    assert_string_equal(origin, "dns.quad9.net");
    store_origin_write(upstreams, 4, origin);
    assert_string_equal(origin, "10.0.0.1:53,cloudflare-dns.com,dns.quad9.net");
    store_origin_write(upstreams + 1, 2, origin);
    assert_string_equal(origin, "cloudflare-dns.com");
}

static void the_longest_names_have_room(void **state)
{
    (void)state;
    struct upstream_options upstreams[UPSTREAMS_MAX];
    char origin[SETUP_ORIGIN_BYTES];
    for (unsigned i = 0; i < UPSTREAMS_MAX; i++) {
        upstreams[i] = upstream("192.0.2.1:853", "x");
        memset(upstreams[i].name, 'a' + (char)i, UPSTREAM_NAME_MAX);
        upstreams[i].name[UPSTREAM_NAME_MAX] = '\0';
    }
    store_origin_write(upstreams, UPSTREAMS_MAX, origin);
    assert_int_equal(strlen(origin), UPSTREAMS_MAX * (UPSTREAM_NAME_MAX + 1) - 1);
}

/* ---- made from files ---- */

static void write_file(char path[static 32], const char *content)
{
    strcpy(path, "/tmp/setup_test.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static struct store_options options_of(const char *secret_file)
{
    struct store_options options = {.prefix = "dtp:"};
    assert_true(address_parse("192.0.2.6:6379", 0, &options.address));
    snprintf(options.secret_file, sizeof options.secret_file, "%s", secret_file);
    return options;
}

static struct store_setup *make(const struct store_options *options, const char *expected_error)
{
    const struct upstream_options one = upstream("1.1.1.1:853", "cloudflare-dns.com");
    char error[SETUP_ERROR_BYTES] = "";
    struct store_setup *setup = store_setup_new(options, &one, 1, NULL, error);
    if (expected_error)
        assert_non_null(strstr(error, expected_error));
    else
        assert_non_null(setup);
    return setup;
}

static void files_that_cannot_be_used_are_named(void **state)
{
    (void)state;
    char secret[32], password[32];
    write_file(secret, DIGITS "\n");
    write_file(password, "pass\nword\n");
    struct store_options options = options_of("/nonexistent/secret");
    assert_null(make(&options, "shared_cache.secret_file '/nonexistent/secret': No such file or directory"));
    options = options_of(password);
    assert_null(make(&options, "': must hold 64 hexadecimal digits and nothing else"));
    options = options_of(secret);
    strcpy(options.password_file, password);
    assert_null(make(&options, "': must hold one line of 1 to 512 bytes"));
    strcpy(options.password_file, "/nonexistent/password");
    assert_null(make(&options, "shared_cache.password_file '/nonexistent/password': No such file"));
    strcpy(options.password_file, "/dev/zero");
    assert_null(make(&options, "it is no regular file"));
    char large[5000];
    memset(large, 'p', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    unlink(password);
    write_file(password, large);
    strcpy(options.password_file, password);
    assert_null(make(&options, "it is too large"));
    unlink(secret);
    unlink(password);
}

static void without_a_secret_the_keys_are_those_of_zeros(void **state)
{
    (void)state;
    static const uint8_t zeros[ENTRY_SECRET_BYTES];
    struct entry_keys keys;
    const struct store_options options = options_of(STORE_UNSIGNED);
    struct store_setup *setup = make(&options, NULL);
    entry_keys_derive(zeros, &keys);
    assert_memory_equal(&setup->keys, &keys, sizeof keys);
    assert_string_equal(setup->origin, "cloudflare-dns.com");
    assert_string_equal(setup->password, "");
    store_setup_free(setup);
}

static void what_makes_another_store(void **state)
{
    (void)state;
    char secret[32];
    write_file(secret, DIGITS);
    struct store_options options = options_of(STORE_UNSIGNED);
    struct store_setup *setup = make(&options, NULL);
    options.timeout_ns = 7;
    options.queue_bytes = 7;
    options.routes = true;
    struct store_setup *other = make(&options, NULL);
    assert_true(store_setup_is_same_store(setup, other));
    store_setup_free(other);
    for (unsigned i = 0; i < 4; i++) {
        struct store_options changed = options_of(i == 0 ? secret : STORE_UNSIGNED);
        if (i == 1) strcpy(changed.prefix, "x:");
        if (i == 2) changed.address.port++;
        if (i == 3) strcpy(changed.user, "dns");
        other = make(&changed, NULL);
        assert_false(store_setup_is_same_store(setup, other));
        store_setup_free(other);
    }
    store_setup_free(setup);
    unlink(secret);
}

static void the_last_owner_frees_it(void **state)
{
    (void)state;
    const struct store_options options = options_of(STORE_UNSIGNED);
    struct store_setup *setup = make(&options, NULL);
    assert_ptr_equal(store_setup_share(setup), setup);
    store_setup_free(setup);
    assert_string_equal(setup->origin, "cloudflare-dns.com");
    store_setup_free(setup);
    store_setup_free(NULL);
    assert_null(store_setup_share(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_64_hexadecimal_digits),
        cmocka_unit_test(anything_else_is_no_secret),
        cmocka_unit_test(a_password_is_one_line),
        cmocka_unit_test(the_origin_is_who_is_asked_and_not_where_or_in_which_order),
        cmocka_unit_test(the_longest_names_have_room),
        cmocka_unit_test(files_that_cannot_be_used_are_named),
        cmocka_unit_test(without_a_secret_the_keys_are_those_of_zeros),
        cmocka_unit_test(what_makes_another_store),
        cmocka_unit_test(the_last_owner_frees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
