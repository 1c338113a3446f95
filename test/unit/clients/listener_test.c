/* Sockets that clients connect to: opened, kept over a reload, and tried again where the machine has
 * no such address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/listener.h"

static const struct listeners no_former;

static struct log silent;

static int setup(void **state)
{
    (void)state;
    log_init(&silent, &(struct log_options){LOG_LEVEL_ERROR, LOG_FORMAT_TEXT}, STDERR_FILENO);
    return 0;
}

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, 0, &address));
    return address;
}

/* A port that is free at this moment. */
static struct address free_address(void)
{
    struct address address = address_of("127.0.0.1:1");
    struct sockaddr_storage storage;
    socklen_t size;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.port = 0;
    size = address_to_socket(&address, &storage);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, size), 0);
    size = sizeof storage;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &size), 0);
    close(fd);
    return address_from_socket(&storage);
}

static void each_address_is_opened_and_kept_over_a_reload(void **state)
{
    (void)state;
    char error[LISTENER_ERROR_BYTES];
    struct address addresses[] = {free_address(), free_address(), free_address()};
    struct listeners first, second;
    assert_true(listeners_open(&first, &no_former, addresses, 2, &silent, error));
    assert_int_equal(first.count, 2);
    assert_false(first.inherited);
    assert_true(listeners_reopen(&first, &second, addresses + 1, 2, &silent, error));
    assert_int_equal(second.count, 2);
    assert_int_equal(second.fds[0], first.fds[1]);
    assert_true(listeners_have(&second, first.fds[1]));
    assert_false(listeners_have(&second, first.fds[0]));
    listeners_retire(&first, &second);
    listeners_close_but(&first, &second);
    listeners_close(&second);
    assert_int_equal(second.count, 0);
}

static void a_port_in_use_is_reported_with_its_holder(void **state)
{
    (void)state;
    char error[LISTENER_ERROR_BYTES], text[ADDRESS_TEXT_BYTES], holder[64];
    struct address addresses[] = {free_address(), free_address()};
    struct listeners first, second;
    assert_true(listeners_open(&first, &no_former, addresses + 1, 1, &silent, error));
    assert_false(listeners_open(&second, &no_former, addresses, 2, &silent, error));
    assert_non_null(strstr(error, address_format(&addresses[1], text)));
    snprintf(holder, sizeof holder, "(process %d)", (int)getpid());
    assert_non_null(strstr(error, holder));
    assert_true(listeners_open(&second, &no_former, addresses, 1, &silent, error)); /* the other was closed again */
    listeners_close(&first);
    listeners_close(&second);
}

static void an_ipv6_address_of_another_machine_is_missing(void **state)
{
    (void)state;
    char error[LISTENER_ERROR_BYTES];
    struct address addresses[] = {free_address(), address_of("[2001:db8::53]:8853")};
    struct listeners listeners, next;
    assert_true(listeners_open(&listeners, &no_former, addresses, 2, &silent, error));
    assert_int_equal(listeners.count, 1);
    assert_int_equal(listeners.missing_count, 1);
    assert_true(address_equal(&listeners.missing[0], &addresses[1]));
    assert_false(listeners_retry(&listeners, &next)); /* it is still not there */
    listeners.missing[0] = free_address();            /* as if it had come */
    assert_true(listeners_retry(&listeners, &next));
    assert_int_equal(next.count, 2);
    assert_int_equal(next.missing_count, 0);
    assert_int_equal(next.fds[0], listeners.fds[0]);
    listeners_close(&next);
    assert_false(
        listeners_open(&listeners, &no_former, addresses + 1, 1, &silent, error)); /* nothing else would be served */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_is_opened_and_kept_over_a_reload),
        cmocka_unit_test(a_port_in_use_is_reported_with_its_holder),
        cmocka_unit_test(an_ipv6_address_of_another_machine_is_missing),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
