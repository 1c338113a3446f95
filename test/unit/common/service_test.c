/* Messages to systemd have the form of sd_notify(3), and without systemd nothing happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/service.h"

static int notify_fd = -1;

static int open_notify_socket(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    snprintf(name, sizeof name, "@service_test.%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1); /* an abstract socket: no file to remove */
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    setenv("NOTIFY_SOCKET", name, 1);
    return bind(notify_fd, (struct sockaddr *)&address, size);
}

static int close_notify_socket(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    return close(notify_fd);
}

static const char *received(void)
{
    static char text[512];
    ssize_t size = recv(notify_fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void each_state_has_its_message(void **state)
{
    (void)state;
    service_ready("Answering");
    assert_string_equal(received(), "READY=1\nSTATUS=Answering");
    service_status("Not ready");
    assert_string_equal(received(), "STATUS=Not ready");
    service_reloading();
    assert_memory_equal(received(), "RELOADING=1\nMONOTONIC_USEC=", 27);
    service_stopping("Draining", 7 * NS_PER_S);
    assert_string_equal(received(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\nSTATUS=Draining");
    service_alive();
    assert_string_equal(received(), "WATCHDOG=1");
    service_hung();
    assert_string_equal(received(), "WATCHDOG=trigger");
}

static void what_is_stored_has_its_name_and_stays_without_its_other_end(void **state)
{
    (void)state;
    assert_true(service_store(0));
    assert_string_equal(received(), "FDSTORE=1\nFDPOLL=0\nFDNAME=handover");
    service_empty_store();
    assert_string_equal(received(), "FDSTOREREMOVE=1\nFDNAME=handover");
}

/* As systemd says it since 254; nothing is tried out then. */
static void the_environment_tells_of_the_store(void **state)
{
    (void)state;
    setenv("FDSTORE", "16", 1);
    assert_true(service_has_store());
    setenv("FDSTORE", "0", 1);
    assert_false(service_has_store());
    unsetenv("FDSTORE");
    assert_string_equal(received(), "");
}

static void without_systemd_nothing_is_sent(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("LISTEN_FDS");
    int fds[SERVICE_SOCKETS_MAX];
    service_ready("Answering");
    assert_int_equal(service_watchdog_ns(), 0);
    assert_int_equal(service_sockets(fds), 0);
    assert_int_equal(service_stored(fds), 0);
    assert_false(service_has_store());
    assert_false(service_store(0));
}

static void the_watchdog_interval_is_read_from_the_environment(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "10000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(service_watchdog_ns(), 10 * NS_PER_S);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void only_a_listening_socket_is_a_listener(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_false(service_is_listener(fd));
    assert_int_equal(listen(fd, 1), 0);
    assert_true(service_is_listener(fd));
    assert_false(service_is_listener(STDIN_FILENO));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_state_has_its_message, open_notify_socket, close_notify_socket),
        cmocka_unit_test_setup_teardown(what_is_stored_has_its_name_and_stays_without_its_other_end, open_notify_socket,
                                        close_notify_socket),
        cmocka_unit_test_setup_teardown(the_environment_tells_of_the_store, open_notify_socket, close_notify_socket),
        cmocka_unit_test(without_systemd_nothing_is_sent),
        cmocka_unit_test(the_watchdog_interval_is_read_from_the_environment),
        cmocka_unit_test(only_a_listening_socket_is_a_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
