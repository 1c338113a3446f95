/* What lets a user have the port is said where the system refuses it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/bind_hint.h"

static void a_container_names_the_flags_that_run_it(void **state)
{
    (void)state;
    const char *text = bind_hint_refused(true);
    assert_non_null(strstr(text, "--sysctl net.ipv4.ip_unprivileged_port_start=53"));
    assert_non_null(strstr(text, "-p 53:8853 -p 53:8853/udp"));
    assert_non_null(strstr(text, "--listen 0.0.0.0:8853"));
    assert_true(strlen(text) < BIND_HINT_BYTES);
}

static void elsewhere_the_capability_is_named(void **state)
{
    (void)state;
    assert_string_equal(bind_hint_refused(false), " (ports below 1024 need CAP_NET_BIND_SERVICE)");
}

static void other_errors_speak_for_themselves(void **state)
{
    (void)state;
    char text[BIND_HINT_BYTES];
    struct address address;
    assert_true(address_parse("192.0.2.1:53", 0, &address));
    assert_string_equal(bind_hint(EADDRNOTAVAIL, &address, PORT_TCP, text), "");
    assert_string_equal(bind_hint(EADDRINUSE, &address, PORT_UDP, text), ""); /* nobody is there */
    assert_string_not_equal(bind_hint(EACCES, &address, PORT_TCP, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_names_the_flags_that_run_it),
        cmocka_unit_test(elsewhere_the_capability_is_named),
        cmocka_unit_test(other_errors_speak_for_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
