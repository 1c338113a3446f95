/* grants: which files and ports remain, as a list and, in a child, by the kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/grants.h"

enum { NAME_BYTES = 256 };

/* A folder of the test's own, and names in it. */
static char root[] = "/tmp/grants_test.XXXXXX";

static const char *in_root(const char *name, char text[static NAME_BYTES])
{
    snprintf(text, NAME_BYTES, "%s/%s", root, name);
    return text;
}

static void make_file(const char *name)
{
    char path[NAME_BYTES];
    int fd = open(in_root(name, path), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void make_folder(const char *name)
{
    char path[NAME_BYTES];
    assert_int_equal(mkdir(in_root(name, path), 0700), 0);
}

static void make_link(const char *name, const char *target)
{
    char path[NAME_BYTES];
    unlink(in_root(name, path));
    assert_int_equal(symlink(target, path), 0);
}

static bool may_read(const struct grants *grants, const char *name)
{
    char path[NAME_BYTES];
    return grants_may_read(grants, in_root(name, path));
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[NAME_BYTES];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void a_file_is_granted_with_its_folder(void **state)
{
    (void)state;
    char path[NAME_BYTES];
    struct grants grants = {.count = 0};
    make_folder("config");
    make_folder("config-other");
    make_file("config/dns.yaml");
    make_file("config-other/dns.yaml");
    grants_add_file(&grants, in_root("config/dns.yaml", path));
    assert_int_equal(grants.count, 1);
    assert_true(may_read(&grants, "config/dns.yaml"));
    assert_true(may_read(&grants, "config/not-yet"));
    assert_false(may_read(&grants, "config-other/dns.yaml")); /* not below, though its name begins alike */
    assert_false(grants_may_read(&grants, "/etc/passwd"));
    make_file("config/new"); /* an editor's way to save */
    char from[NAME_BYTES];
    assert_int_equal(rename(in_root("config/new", from), path), 0);
    assert_true(may_read(&grants, "config/dns.yaml"));
    grants_done(&grants);
}

/* Kubernetes: file -> ..data/file, ..data -> ..2026/; an update makes a new folder and turns ..data to it. */
static void a_file_of_a_config_map_is_granted_over_its_updates(void **state)
{
    (void)state;
    char path[NAME_BYTES];
    struct grants grants = {.count = 0};
    make_folder("map");
    make_folder("map/..1");
    make_file("map/..1/ca.pem");
    make_link("map/..data", "..1");
    make_link("map/ca.pem", "..data/ca.pem");
    grants_add_file(&grants, in_root("map/ca.pem", path));
    make_folder("map/..2");
    make_file("map/..2/ca.pem");
    make_link("map/..data", "..2");
    assert_true(may_read(&grants, "map/ca.pem"));
    grants_done(&grants);
}

/* The target's folder is granted, too, where it is another one. */
static void a_link_is_granted_with_the_folder_it_leads_to(void **state)
{
    (void)state;
    char path[NAME_BYTES], target[NAME_BYTES];
    struct grants grants = {.count = 0};
    make_folder("here");
    make_folder("there");
    make_file("there/ca.pem");
    make_link("here/ca.pem", in_root("there/ca.pem", target));
    grants_add_file(&grants, in_root("here/ca.pem", path));
    assert_int_equal(grants.count, 2);
    assert_true(may_read(&grants, "here/ca.pem"));
    assert_true(may_read(&grants, "there/other.pem"));
    grants_done(&grants);
}

static void in_a_shared_folder_the_file_alone_is_granted(void **state)
{
    (void)state;
    struct grants grants = {.count = 0};
    grants_add_file(&grants, "/etc/passwd");
    assert_int_equal(grants.count, 1);
    assert_true(grants_may_read(&grants, "/etc/passwd"));
    assert_false(grants_may_read(&grants, "/etc/group"));
    assert_false(grants_may_read(&grants, "/etc/shadow"));
    grants_done(&grants);
    char file[] = "/tmp/grants_file.XXXXXX", other[] = "/tmp/grants_file.XXXXXX";
    int fds[2] = {mkstemp(file), mkstemp(other)};
    assert_true(fds[0] >= 0 && fds[1] >= 0);
    grants_add_file(&grants, file);
    assert_true(grants_may_read(&grants, file));
    assert_int_equal(rename(other, file), 0); /* another file, of the same name */
    assert_false(grants_may_read(&grants, file));
    unlink(file);
    close(fds[0]);
    close(fds[1]);
    grants_done(&grants);
}

static void what_does_not_exist_is_left_out(void **state)
{
    (void)state;
    struct grants grants = {.count = 0};
    assert_false(grants_add(&grants, "/no/such/file", LANDLOCK_READ));
    grants_add_file(&grants, "");
    grants_add_file(&grants, "/no/such/file");
    assert_int_equal(grants.count, 0);
    assert_true(grants_add(&grants, "/proc/self", LANDLOCK_READ));
    assert_true(grants_add(&grants, "/proc/self", LANDLOCK_READ)); /* once is enough */
    assert_int_equal(grants.count, 1);
    grants_done(&grants);
}

static void the_list_has_a_bound(void **state)
{
    (void)state;
    struct grants grants = {.count = 0};
    char name[32], path[NAME_BYTES];
    make_folder("many");
    for (unsigned i = 0; i < GRANTS_MAX + 2; i++) {
        snprintf(name, sizeof name, "many/%u", i);
        make_file(name);
        assert_int_equal(grants_add(&grants, in_root(name, path), LANDLOCK_READ), i < GRANTS_MAX);
    }
    grants_done(&grants);
}

static void ports_are_a_set(void **state)
{
    (void)state;
    struct port_set granted = {{0}}, wanted = {{0}};
    uint16_t port = 7;
    port_set_add(&granted, 53);
    port_set_add(&granted, 65535);
    assert_true(port_set_has(&granted, 53) && port_set_has(&granted, 65535));
    assert_false(port_set_has(&granted, 54) || port_set_has(&granted, 0));
    port_set_add(&wanted, 65535);
    assert_false(port_set_find_missing(&granted, &wanted, &port));
    assert_int_equal(port, 7);
    port_set_add(&wanted, 853);
    assert_true(port_set_find_missing(&granted, &wanted, &port));
    assert_int_equal(port, 853);
}

/* ---- by the kernel ---- */

static int open_error(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    close(fd);
    return 0;
}

static int port_error(int (*act)(int fd, const struct sockaddr *address, socklen_t size), uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = act(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* 0, or the line of what was not as it should be; 77: this kernel has no Landlock. */
static int try_grants(void)
{
    static struct grants grants;
    char read[NAME_BYTES], write[NAME_BYTES], inside[NAME_BYTES];
    int abi = 0;
    if (landlock_abi() == 0) return 77;
    grants_add_file(&grants, in_root("real/file", read));
    grants_add(&grants, in_root("state", write), LANDLOCK_WRITE);
    port_set_add(&grants.bind, 0);
    port_set_add(&grants.connect, 9);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !grants_enforce(&grants, false, &abi)) return __LINE__;
    if (open_error(read, O_RDONLY) != 0) return __LINE__;
    if (open_error(read, O_WRONLY) != EACCES) return __LINE__;
    if (open_error("/etc/passwd", O_RDONLY) != EACCES) return __LINE__;
    if (open_error(in_root("state/new", inside), O_WRONLY | O_CREAT | O_TRUNC) != 0) return __LINE__;
    if (rename(inside, in_root("state/renamed", write)) != 0 || unlink(write) != 0) return __LINE__;
    if (open_error(in_root("real/new", inside), O_WRONLY | O_CREAT) != EACCES) return __LINE__;
    if (abi < 4) return 0;
    if (port_error(bind, 0) != 0 || port_error(bind, 8) != EACCES) return __LINE__;
    if (port_error(connect, 9) != ECONNREFUSED || port_error(connect, 8) != EACCES) return __LINE__;
    return 0;
}

static void the_kernel_lets_through_what_is_granted_and_no_more(void **state)
{
    (void)state;
    int status;
    make_folder("real");
    make_file("real/file");
    make_folder("state");
    pid_t child = fork();
    if (child == 0) _exit(try_grants());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_granted_with_its_folder),
        cmocka_unit_test(a_file_of_a_config_map_is_granted_over_its_updates),
        cmocka_unit_test(a_link_is_granted_with_the_folder_it_leads_to),
        cmocka_unit_test(in_a_shared_folder_the_file_alone_is_granted),
        cmocka_unit_test(what_does_not_exist_is_left_out),
        cmocka_unit_test(the_list_has_a_bound),
        cmocka_unit_test(ports_are_a_set),
        cmocka_unit_test(the_kernel_lets_through_what_is_granted_and_no_more),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
