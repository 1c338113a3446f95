/* Files take each other's place only when they are whole, and what is not ours is not read. */
#include "state/directory.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
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
    assert_true(directory_publish(place->path, file, place->why));
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
    assert_true(directory_publish(place->path, file, place->why));
    assert_text(place, "two");
    assert_false(exists(place->unfinished));
    assert_int_equal(stat(place->snapshot, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
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
    assert_false(directory_publish(place->path, file, place->why));
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
    assert_false(directory_publish(place->path, file, place->why));
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
    assert_false(directory_publish(place->path, file, place->why));
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
