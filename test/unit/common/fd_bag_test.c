/* A bag keeps descriptors open, in their order, can be read more than once, and is empty for everybody once emptied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd_bag.h"

enum { MANY = 600 }; /* three messages */

static int number_of(int fd)
{
    int number = -1;
    assert_int_equal(pread(fd, &number, sizeof number, 0), sizeof number);
    return number;
}

/* A file that holds its number. */
static int numbered(int number)
{
    char path[] = "/tmp/fd_bag_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(pwrite(fd, &number, sizeof number, 0), sizeof number);
    return fd;
}

static void fill(int ends[2], int count)
{
    int fds[MANY];
    assert_true(fd_bag_make(ends));
    for (int i = 0; i < count; i++) fds[i] = numbered(i);
    assert_true(fd_bag_put(ends[1], fds, (unsigned)count));
    for (int i = 0; i < count; i++) close(fds[i]);
}

static void demand_all(int bag, int count)
{
    struct fd_bag_reader reader;
    assert_true(fd_bag_begin(&reader, bag));
    for (int i = 0; i < count; i++) {
        int fd = fd_bag_next(&reader);
        assert_int_equal(number_of(fd), i);
        close(fd);
    }
    assert_int_equal(fd_bag_next(&reader), -1);
    assert_false(reader.is_cut);
    fd_bag_end(&reader);
}

static void what_is_in_it_comes_out_in_order_and_again(void **state)
{
    (void)state;
    int ends[2];
    fill(ends, MANY);
    close(ends[1]); /* as when the process that filled it has ended */
    demand_all(ends[0], MANY);
    demand_all(ends[0], MANY);
    close(ends[0]);
}

static void a_reader_may_stop_early(void **state)
{
    (void)state;
    int ends[2];
    struct fd_bag_reader reader;
    fill(ends, 3);
    int before = dup(0);
    close(before);
    assert_true(fd_bag_begin(&reader, ends[0]));
    close(fd_bag_next(&reader));
    fd_bag_end(&reader);
    int after = dup(0);
    assert_int_equal(after, before); /* the other copies were closed */
    close(after);
    demand_all(ends[0], 3);
    close(ends[0]);
    close(ends[1]);
}

static void emptied_it_is_empty_and_its_descriptors_are_closed(void **state)
{
    (void)state;
    int ends[2], pair[2];
    struct fd_bag_reader reader;
    assert_true(fd_bag_make(ends));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(fd_bag_put(ends[1], &pair[0], 1));
    close(pair[0]);
    int kept = dup(ends[0]); /* somebody keeps it open */
    uint8_t byte;
    assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1); /* still connected */
    fd_bag_empty(ends[0]);
    assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
    assert_true(fd_bag_begin(&reader, kept));
    assert_int_equal(fd_bag_next(&reader), -1);
    close(kept);
    close(pair[1]);
    close(ends[0]);
    close(ends[1]);
}

static void it_is_known_whether_it_is_kept(void **state)
{
    (void)state;
    int ends[2];
    assert_true(fd_bag_make(ends));
    int kept = dup(ends[0]);
    close(ends[0]);
    assert_true(fd_bag_is_kept(ends[1]));
    close(kept);
    assert_false(fd_bag_is_kept(ends[1]));
    close(ends[1]);
}

static void what_is_no_bag_is_told(void **state)
{
    (void)state;
    int pair[2];
    struct fd_bag_reader reader;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(fd_bag_begin(&reader, pair[0]));
    assert_false(fd_bag_begin(&reader, -1));
    int file = numbered(1);
    assert_false(fd_bag_begin(&reader, file));
    fd_bag_empty(file);
    close(file);
    close(pair[0]);
    close(pair[1]);
}

/* A lower limit of descriptors than the former process had: it ends before the first that is lost. */
static void where_descriptors_are_short_it_ends_early(void **state)
{
    (void)state;
    int ends[2];
    struct fd_bag_reader reader;
    struct rlimit limit;
    fill(ends, 100);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int lowest = dup(0);
    close(lowest);
    const struct rlimit low = {(rlim_t)lowest + 50, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_true(fd_bag_begin(&reader, ends[0]));
    int got = 0;
    int fds[100];
    while (got < 100 && (fds[got] = fd_bag_next(&reader)) >= 0) got++;
    assert_true(reader.is_cut);
    assert_true(got > 0 && got <= 50);
    for (int i = 0; i < got; i++) {
        assert_int_equal(number_of(fds[i]), i);
        close(fds[i]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    demand_all(ends[0], 100);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_it_comes_out_in_order_and_again),
        cmocka_unit_test(a_reader_may_stop_early),
        cmocka_unit_test(emptied_it_is_empty_and_its_descriptors_are_closed),
        cmocka_unit_test(it_is_known_whether_it_is_kept),
        cmocka_unit_test(what_is_no_bag_is_told),
        cmocka_unit_test(where_descriptors_are_short_it_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
