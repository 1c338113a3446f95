/* Files take each other's place only when they are whole, and what is not ours is not read. */
#include "state/directory.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char path[64]; /* of the directory, which does not exist at first */
    char snapshot[96];
    char unfinished[96];
    char why[DIRECTORY_WHY_BYTES];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    char base[] = "/tmp/directory-test-XXXXXX";
    assert_non_null(mkdtemp(base));
    snprintf(place->path, sizeof place->path, "%s/state", base);
    snprintf(place->snapshot, sizeof place->snapshot, "%s/snapshot", place->path);
    snprintf(place->unfinished, sizeof place->unfinished, "%s/snapshot.new", place->path);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%.*s'", (int)(strrchr(place->path, '/') - place->path), place->path);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static void publish(struct place *place, const char *text)
{
    FILE *file = directory_create(place->path, place->why);
    assert_non_null(file);
    fputs(text, file);
    assert_true(directory_publish(place->path, file, NULL, place->why));
}

static void assert_text(struct place *place, const char *text)
{
    char found[32] = "";
    FILE *file = directory_open(place->path, place->why);
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found - 1, file), strlen(text));
    assert_string_equal(found, text);
    fclose(file);
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void a_published_file_takes_the_place_of_the_former(void **state)
{
    struct place *place = *state;
    struct stat status;
    assert_null(directory_open(place->path, place->why));
    assert_string_equal(place->why, "");
    publish(place, "one");
    assert_text(place, "one");
    FILE *file = directory_create(place->path, place->why);
    fputs("two", file);
    assert_text(place, "one"); /* until it is published */
    assert_true(directory_publish(place->path, file, NULL, place->why));
    assert_text(place, "two");
    assert_false(exists(place->unfinished));
    assert_int_equal(stat(place->snapshot, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static unsigned pages_in_memory(const char *path, unsigned pages)
{
    unsigned char resident[256] = {0};
    unsigned count = 0;
    size_t size = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && pages <= sizeof resident);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, size, resident), 0);
    for (unsigned i = 0; i < pages; i++) count += resident[i] & 1;
    munmap(map, size);
    close(fd);
    return count;
}

enum { PAGES = 100 };

static void put_pages(FILE *file)
{
    for (long i = 0; i < PAGES * sysconf(_SC_PAGESIZE); i++) fputc('a', file);
}

/* Whether the system gives up pages where it is asked to: a tmpfs never does, nor do all layers of a container. */
static bool gives_up_pages(const struct place *place)
{
    char path[80];
    snprintf(path, sizeof path, "%.*s/control", (int)(strrchr(place->path, '/') - place->path), place->path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    put_pages(file);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(fdatasync(fileno(file)), 0);
    posix_fadvise(fileno(file), 0, 0, POSIX_FADV_DONTNEED);
    fclose(file);
    return pages_in_memory(path, PAGES) < PAGES / 2;
}

/* It stays whole, and takes no room in the system's memory, unless it is to be read soon (or is in memory anyway). Of
 * single pages the system may have a use at any time. */
static void a_file_that_nobody_reads_soon_leaves_the_page_cache(void **state)
{
    struct place *place = *state;
    struct pace pace;
    pace_init(&pace);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file = directory_create(place->path, place->why);
        assert_non_null(file);
        put_pages(file);
        assert_true(directory_publish(place->path, file, i == 0 ? &pace : NULL, place->why));
        bool is_gone = i == 0 && gives_up_pages(place);
        assert_int_equal(pages_in_memory(place->snapshot, PAGES) < PAGES / 2, is_gone);
    }
    struct stat status;
    assert_int_equal(stat(place->snapshot, &status), 0);
    assert_int_equal(status.st_size, PAGES * sysconf(_SC_PAGESIZE));
    pace_done(&pace);
}

static void a_discarded_file_leaves_the_former(void **state)
{
    struct place *place = *state;
    publish(place, "one");
    FILE *file = directory_create(place->path, place->why);
    fputs("two", file);
    directory_discard(place->path, file);
    assert_text(place, "one");
    assert_false(exists(place->unfinished));
}

/* Emptying counts for what is being written, too. */
static void nothing_is_published_that_was_begun_before_the_directory_was_emptied(void **state)
{
    struct place *place = *state;
    publish(place, "one");
    FILE *file = directory_create(place->path, place->why);
    fputs("two", file);
    assert_true(directory_empty(place->path, place->why));
    assert_false(directory_publish(place->path, file, NULL, place->why));
    assert_string_equal(place->why, "");
    assert_false(exists(place->snapshot));
    assert_true(directory_empty(place->path, place->why));
}

static void a_full_disk_leaves_the_former(void **state)
{
    struct place *place = *state;
    publish(place, "one");
    FILE *file = directory_create(place->path, place->why);
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0 && dup2(full, fileno(file)) >= 0);
    close(full);
    fputs("two", file);
    assert_false(directory_publish(place->path, file, NULL, place->why));
    assert_non_null(strstr(place->why, "No space left"));
    assert_text(place, "one");
    assert_false(exists(place->unfinished));
}

static void assert_not_read(struct place *place, const char *why)
{
    assert_null(directory_open(place->path, place->why));
    if (!strstr(place->why, why)) fail_msg("'%s', not '%s'", place->why, why);
}

static void what_is_no_file_of_ours_is_not_read(void **state)
{
    struct place *place = *state;
    publish(place, "one");
    assert_int_equal(chmod(place->snapshot, 0622), 0);
    assert_not_read(place, "others may write");
    assert_int_equal(unlink(place->snapshot), 0);
    assert_int_equal(symlink("/etc/passwd", place->snapshot), 0);
    assert_not_read(place, "cannot be opened");
    assert_int_equal(unlink(place->snapshot), 0);
    assert_int_equal(mkfifo(place->snapshot, 0600), 0);
    assert_not_read(place, "not a regular file");
    assert_int_equal(unlink(place->snapshot), 0);
    assert_int_equal(mkdir(place->snapshot, 0700), 0);
    assert_not_read(place, "not a regular file");
    FILE *file = directory_create(place->path, place->why); /* nor is it written over */
    assert_false(directory_publish(place->path, file, NULL, place->why));
    assert_non_null(strstr(place->why, "directory"));
}

static void another_users_file_is_not_read(void **state)
{
    struct place *place = *state;
    publish(place, "one");
    if (geteuid() != 0 || chown(place->snapshot, 12345, 12345) != 0) skip();
    assert_not_read(place, "another user");
}

static void a_link_in_place_of_the_new_file_is_not_followed(void **state)
{
    struct place *place = *state;
    publish(place, "one");
    assert_int_equal(symlink(place->snapshot, place->unfinished), 0);
    FILE *file = directory_create(place->path, place->why);
    fputs("two", file);
    assert_text(place, "one");
    directory_discard(place->path, file);
}

static void a_directory_that_cannot_be_made_is_reported(void **state)
{
    struct place *place = *state;
    assert_null(directory_create("/proc/no-such", place->why));
    assert_non_null(strstr(place->why, "cannot be made"));
    assert_null(directory_create("/etc/passwd", place->why));
    assert_non_null(strstr(place->why, "cannot be opened"));
    assert_null(directory_open("/etc/passwd", place->why));
    assert_string_equal(place->why, "");
}

static void the_directory_is_the_settings_or_systemds(void **state)
{
    (void)state;
    char path[STATE_PATH_MAX];
    struct state_options options = {.directory = "/a:b"};
    setenv("STATE_DIRECTORY", "/c:/d", 1);
    assert_true(directory_find(&options, path));
    assert_string_equal(path, "/a:b");
    options.directory[0] = '\0';
    assert_true(directory_find(&options, path));
    assert_string_equal(path, "/c");
    options.is_off = true;
    assert_false(directory_find(&options, path));
    options.is_off = false;
    setenv("STATE_DIRECTORY", "", 1);
    assert_false(directory_find(&options, path));
    unsetenv("STATE_DIRECTORY");
    assert_false(directory_find(&options, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_published_file_takes_the_place_of_the_former, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_nobody_reads_soon_leaves_the_page_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(a_discarded_file_leaves_the_former, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_published_that_was_begun_before_the_directory_was_emptied, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_former, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_of_ours_is_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(another_users_file_is_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_in_place_of_the_new_file_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_is_reported, setup, teardown),
        cmocka_unit_test(the_directory_is_the_settings_or_systemds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
