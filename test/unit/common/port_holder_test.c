/* Who holds a port is read from files as the kernel writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/port_holder.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

static char path[64];

static const char *file_with(const char *rows)
{
    snprintf(path, sizeof path, "/tmp/port_holder_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, rows, strlen(rows)), (ssize_t)strlen(rows));
    close(fd);
    return path;
}

static void assert_holder_of(enum port_transport transport, const char *rows, const char *address_text,
                             const char *expected)
{
    char text[PORT_HOLDER_BYTES];
    struct address address;
    assert_true(address_parse(address_text, 0, &address));
    const struct port_files files = {file_with(rows), "/nowhere", "/nowhere"};
    assert_string_equal(port_holder_in(&files, &address, transport, text), expected);
    unlink(files.sockets);
}

static void assert_holder(const char *rows, const char *address_text, const char *expected)
{
    assert_holder_of(PORT_TCP, rows, address_text, expected);
}

static void the_stub_of_resolved_is_recognised(void **state)
{
    (void)state;
    static const char rows[] = HEAD
        "   0: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   102 0 20123 1 0 100 0 0 10 0\n";
    static const char expected[] = "; held by systemd-resolved, as it seems (set DNSStubListener=no in "
                                   "/etc/systemd/resolved.conf.d/, as "
                                   "/usr/share/doc/dns-tls-proxy/examples/resolved.conf does, then restart "
                                   "systemd-resolved)";
    assert_holder(rows, "0.0.0.0:53", expected);
    assert_holder(rows, "127.0.0.53:53", expected);
    assert_holder(rows, "127.0.0.1:53", ""); /* another address */
    assert_holder(rows, "0.0.0.0:853", "");  /* another port */
    assert_holder(rows, "[::1]:53", "");
}

static void another_holder_is_named_with_its_address(void **state)
{
    (void)state;
    static const char rows[] = HEAD
        "   0: 0100007F:0035 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0 0 20122 1 0 100 0 0 10 0\n"
        "   1: 00000000:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 0 20123 1 0 100 0 0 10 0\n";
    assert_holder(rows, "127.0.0.1:53", "; held by another process, at 0.0.0.0:53");
    assert_holder(HEAD, "127.0.0.1:53", "");
    assert_holder("rubbish\n", "127.0.0.1:53", "");
}

/* Of UDP a socket without a peer has the port (state 07); one with a peer (01) does not. */
static void a_holder_of_udp_has_no_peer(void **state)
{
    (void)state;
    static const char rows[] =
        HEAD "   0: 0100007F:0035 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0 0 20122 1 0 0\n"
             "   1: 0200007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0 0 20123 1 0 0\n";
    assert_holder_of(PORT_UDP, rows, "127.0.0.2:53", "; held by another process, at 127.0.0.2:53");
    assert_holder_of(PORT_UDP, rows, "127.0.0.1:53", "");
    assert_holder_of(PORT_TCP, rows, "127.0.0.2:53", "");
}

static void a_process_of_ours_is_found(void **state)
{
    (void)state;
    char text[PORT_HOLDER_BYTES], expected[64];
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    struct address address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(address_parse("127.0.0.1:1", 0, &address));
    address.port = 0;
    size = address_to_socket(&address, &storage);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    size = sizeof storage;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &size), 0);
    address = address_from_socket(&storage);
    snprintf(expected, sizeof expected, "(process %d)", (int)getpid());
    assert_non_null(strstr(port_holder(&address, PORT_TCP, text), expected));
    close(fd);
    assert_string_equal(port_holder(&address, PORT_TCP, text), "");
}

/* A process names itself as it likes. */
static void the_name_of_a_process_does_not_act_on_a_terminal(void **state)
{
    (void)state;
    char own[16] = "", text[PORT_HOLDER_BYTES];
    struct sockaddr_storage storage;
    struct address address;
    socklen_t size;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(listen(fd, 1), 0); /* the kernel chooses the port */
    size = sizeof storage;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &size), 0);
    address = address_from_socket(&storage);
    assert_int_equal(prctl(PR_GET_NAME, own), 0);
    assert_int_equal(prctl(PR_SET_NAME, "a\x1b[31mb\t\xc2\x9b"), 0);
    assert_non_null(strstr(port_holder(&address, PORT_TCP, text), "; held by a?[31mb??? (process "));
    assert_int_equal(prctl(PR_SET_NAME, own), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stub_of_resolved_is_recognised),
        cmocka_unit_test(another_holder_is_named_with_its_address),
        cmocka_unit_test(a_holder_of_udp_has_no_peer),
        cmocka_unit_test(a_process_of_ours_is_found),
        cmocka_unit_test(the_name_of_a_process_does_not_act_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
