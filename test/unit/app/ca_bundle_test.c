/* A changed CA bundle is recognised by its file, and an unusable one is refused with a reason. */
#include "app/ca_bundle.h"

#include "app_world.h"

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_file_that_changes_has_another_mark(void **state)
{
    (void)state;
    char path[] = "/tmp/ca_bundle_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct ca_bundle_mark first = ca_bundle_mark_of(path);
    struct ca_bundle_mark again = ca_bundle_mark_of(path);
    assert_true(ca_bundle_mark_equal(&first, &again));
    write_file(path, "more");
    struct ca_bundle_mark changed = ca_bundle_mark_of(path);
    assert_false(ca_bundle_mark_equal(&first, &changed));
    close(fd);
    unlink(path);
    struct ca_bundle_mark gone = ca_bundle_mark_of(path);
    assert_int_equal(gone.inode, 0);
}

static void a_file_without_a_certificate_is_refused(void **state)
{
    (void)state;
    char error[TLS_ERROR_MAX] = "";
    struct tls_options options = {.ca_file = "/tmp/ca_bundle_test.XXXXXX"};
    struct tls_context *tls = NULL;
    struct ca_bundle_mark mark = {.inode = 77};
    int fd = mkstemp(options.ca_file);
    assert_true(fd >= 0);
    write_file(options.ca_file, "no certificate\n");
    assert_false(ca_bundle_load(&options, &tls, &mark, error));
    assert_null(tls);
    assert_int_equal(mark.inode, 77); /* outputs are unchanged */
    assert_non_null(strstr(error, options.ca_file));
    close(fd);
    unlink(options.ca_file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_changes_has_another_mark),
        cmocka_unit_test(a_file_without_a_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
