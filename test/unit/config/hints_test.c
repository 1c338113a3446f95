/* What an operator may have meant is named; nothing is named where two edits make anything of anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/hints.h"

static const char *nearest_of(const char *word, struct hint *hint)
{
    static const char *const known[] = {"listen", "workers", "max_size", "max_ttl", "http"};
    *hint = hint_begin(word);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) hint_offer(hint, known[i]);
    return hint->found;
}

static void the_nearest_word_is_found(void **state)
{
    (void)state;
    struct hint hint;
    assert_string_equal(nearest_of("lisen", &hint), "listen");
    assert_string_equal(nearest_of("listeen", &hint), "listen");
    assert_string_equal(nearest_of("wrokers", &hint), "workers");
    assert_string_equal(nearest_of("maxsize", &hint), "max_size");
    assert_string_equal(nearest_of("htp", &hint), "http");
    assert_string_equal(nearest_of("htpt", &hint), "http"); /* one edit: two letters are swapped */
    assert_string_equal(nearest_of("listen", &hint), "listen");
    assert_int_equal(hint.edits, 0);
}

static void a_word_that_is_similar_to_no_setting_finds_nothing(void **state)
{
    (void)state;
    struct hint hint;
    assert_string_equal(nearest_of("", &hint), "");
    assert_string_equal(nearest_of("x", &hint), "");
    assert_string_equal(nearest_of("hp", &hint), "");
    assert_string_equal(nearest_of("upstream", &hint), "");
    assert_string_equal(nearest_of("listen-listen-listen-listen-listen", &hint), "");
}

static void assert_address_hint(const char *wrong, const char *expected)
{
    char text[HINT_BYTES];
    assert_string_equal(hint_for_address(wrong, 53, false, text), expected);
}

static void assert_host_hint(const char *wrong, const char *expected)
{
    char text[HINT_BYTES];
    assert_string_equal(hint_for_address(wrong, 53, true, text), expected);
}

static void the_correct_form_of_an_address_is_shown(void **state)
{
    (void)state;
    static const char all_of_53[] = "; write \"0.0.0.0:53\" for all IPv4 addresses or \"[::]:53\" for all of IPv6";
    assert_address_hint(":53", all_of_53);
    assert_address_hint("*:53", all_of_53);
    assert_address_hint("*#53", all_of_53);
    assert_address_hint("53", all_of_53);
    assert_address_hint("0.0.0.0", "; the port is missing: write \"0.0.0.0:53\"");
    assert_address_hint("::", "; the port is missing: write \"[::]:53\"");
    assert_address_hint("fd00::1", "; the port is missing: write \"[fd00::1]:53\"");
    assert_address_hint("[::1]", "; the port is missing: write \"[::1]:53\"");
    assert_address_hint("localhost", "; write \"127.0.0.1:53\" or \"[::1]:53\"");
    assert_address_hint("localhost:8853", "; write \"127.0.0.1:8853\" or \"[::1]:8853\"");
    assert_address_hint("::1:53", "; write \"[::1]:53\", or \"[::1:53]:53\" if all of it is the address");
}

/* Where somebody is to be connected to, "all addresses" is nobody. */
static void a_host_is_shown_where_one_is_wanted(void **state)
{
    (void)state;
    static const char *const nobody[] = {"0.0.0.0", "0.0.0.0:53", "::", "[::]:53", "224.0.0.1", "ff02::1"};
    char text[HINT_BYTES];
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        assert_host_hint(nobody[i], "");
        assert_string_equal(hint_for_ip(nobody[i], true, text), "");
    }
    assert_host_hint(":53", "; write \"127.0.0.1:53\" for this machine");
    assert_host_hint("*:53", "; write \"127.0.0.1:53\" for this machine");
    assert_host_hint("53", "; write \"127.0.0.1:53\" for this machine");
    assert_host_hint("192.0.2.1", "; the port is missing: write \"192.0.2.1:53\"");
    assert_host_hint("::1:53", "; write \"[::1]:53\", or \"[::1:53]:53\" if all of it is the address");
    assert_host_hint("::0:53", "; the port is missing: write \"[::53]:53\"");
    assert_host_hint("dns.example:53", "; an IP address is wanted, not a name");
}

/* Half of a name would be the name of somebody else. */
static void a_long_name_is_not_cut(void **state)
{
    (void)state;
    static const char label[] = "a23456789012345678901234567890.";
    char name[8 * sizeof label], upstream[sizeof name + 16], text[HINT_BYTES];
    for (unsigned labels = 1; labels <= 8; labels++) {
        name[0] = upstream[0] = '\0';
        for (unsigned i = 0; i < labels; i++) strcat(name, label);
        name[strlen(name) - 1] = '\0';
        snprintf(upstream, sizeof upstream, "192.0.2.1#%s", name);
        hint_for_ip(upstream, true, text);
        assert_non_null(strstr(text, "; write {address: \"192.0.2.1\", port: 853, name: "));
        assert_true(strstr(text, name) || strstr(text, ": ...}"));
        assert_true(strchr(text, '}') == text + strlen(text) - 1);
        hint_for_ip(name, true, text);
        assert_true(strstr(text, name) || strcmp(text, "; write {name: ...} for a server by its name alone") == 0);
    }
}

static void a_link_local_address_needs_an_interface_that_is_there(void **state)
{
    (void)state;
    char text[HINT_BYTES];
    assert_address_hint("fe80::1", "; a link-local address needs its interface: write \"[fe80::1%eth0]:53\"");
    assert_address_hint("[fe80::1]:5353", "; a link-local address needs its interface: write \"[fe80::1%eth0]:5353\"");
    assert_address_hint("[fe80::1%no-such]:53", "; there is no interface 'no-such'");
    assert_address_hint("fe80::1%", "; there is no interface ''");
    assert_string_equal(hint_for_ip("fe80::1", true, text),
                        "; a link-local address needs its interface: write \"fe80::1%eth0\"");
    assert_string_equal(hint_for_ip("fe80::1%no-such", true, text), "; there is no interface 'no-such'");
    assert_string_equal(hint_for_ip("1.1.1.1%lo", true, text), "");
    /* One that is there stays in what is shown. */
    assert_address_hint("fe80::1%lo", "; the port is missing: write \"[fe80::1%lo]:53\"");
    assert_string_equal(hint_for_ip("[fe80::1%lo]:8853", true, text),
                        "; write {address: \"fe80::1%lo\", port: 8853, ...}");
    assert_string_equal(hint_for_ip("[fe80::1%lo]:8853#one.example", true, text),
                        "; write {address: \"fe80::1%lo\", port: 8853, name: one.example}");
}

static void the_part_that_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const ports[] = {":0", ":70000", "*:70000", "127.0.0.1:0", "127.0.0.1:99999", "[::1]:65536"};
    static const char *const names[] = {"eth0", "eth0:53", "dns.example", "dns.example:53", "localhost:70000"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) assert_address_hint(ports[i], "; a port is 1..65535");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_address_hint(names[i], "; an IP address is wanted, not a name");
    assert_address_hint("10.0.0.0/8:53", "; an address is wanted, not a network");
}

static void no_form_is_shown_for_what_is_no_address(void **state)
{
    (void)state;
    static const char *const texts[] = {"", ":", "*", "*:*", "1.2.3:53", "127.0.0.1:x", "[::1", "a_b:53"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_address_hint(texts[i], "");
}

static void an_upstream_is_taken_apart(void **state)
{
    (void)state;
    char text[HINT_BYTES];
    assert_string_equal(hint_for_ip("1.1.1.1#one.example", true, text),
                        "; write {address: \"1.1.1.1\", port: 853, name: one.example}");
    assert_string_equal(hint_for_ip("[2001:db8::1]:8853#one.example", true, text),
                        "; write {address: \"2001:db8::1\", port: 8853, name: one.example}");
    assert_string_equal(hint_for_ip("1.1.1.1:8853", true, text), "; write {address: \"1.1.1.1\", port: 8853, ...}");
    assert_string_equal(hint_for_ip("tls://1.1.1.1", true, text), "; write {address: \"1.1.1.1\", port: 853, ...}");
    assert_string_equal(hint_for_ip("1.1.1.1@8853#one.example", true, text),
                        "; write {address: \"1.1.1.1\", port: 8853, name: one.example}");
    assert_string_equal(hint_for_ip("2001:db8::1@853#one.example", true, text),
                        "; write {address: \"2001:db8::1\", port: 853, name: one.example}");
    assert_string_equal(hint_for_ip("one.example", true, text),
                        "; write {name: one.example} for a server by its name alone");
    assert_string_equal(hint_for_ip("tls://one.example", true, text),
                        "; write {name: one.example} for a server by its name alone");
    assert_string_equal(hint_for_ip("one.example", false, text), "; an IP address is wanted, not a name");
    assert_string_equal(hint_for_ip("1.1.1.1@", true, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(a_word_that_is_similar_to_no_setting_finds_nothing),
        cmocka_unit_test(the_correct_form_of_an_address_is_shown),
        cmocka_unit_test(a_host_is_shown_where_one_is_wanted),
        cmocka_unit_test(a_long_name_is_not_cut),
        cmocka_unit_test(a_link_local_address_needs_an_interface_that_is_there),
        cmocka_unit_test(the_part_that_is_wrong_is_named),
        cmocka_unit_test(no_form_is_shown_for_what_is_no_address),
        cmocka_unit_test(an_upstream_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
