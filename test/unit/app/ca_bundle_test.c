/* A changed CA bundle is recognised by its file, and an unusable one is refused with a reason. */
#include "app/ca_bundle.h"

#include "../../fuzz/chain_material.h"
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
    struct file_mark first = file_mark_of(path);
    struct file_mark again = file_mark_of(path);
    assert_true(file_mark_equal(&first, &again));
    write_file(path, "more");
    struct file_mark changed = file_mark_of(path);
    assert_false(file_mark_equal(&first, &changed));
    close(fd);
    unlink(path);
    struct file_mark gone = file_mark_of(path);
    assert_int_equal(gone.inode, 0);
}

static void a_file_without_a_certificate_is_refused(void **state)
{
    (void)state;
    char error[TLS_ERROR_MAX] = "";
    struct tls_options options = {.ca_file = "/tmp/ca_bundle_test.XXXXXX"};
    struct tls_context *tls = NULL;
    struct file_mark mark = {.inode = 77};
    int fd = mkstemp(options.ca_file);
    assert_true(fd >= 0);
    write_file(options.ca_file, "no certificate\n");
    assert_false(ca_bundle_load(&options, NULL, &tls, &mark, error));
    assert_null(tls);
    assert_int_equal(mark.inode, 77); /* outputs are unchanged */
    assert_non_null(strstr(error, options.ca_file));
    close(fd);
    unlink(options.ca_file);
}

/* What --check-config writes of the file with this content; "" where it is good. */
static char *said_of(const char *content)
{
    struct tls_options options = {.ca_file = "/tmp/ca_bundle_test.XXXXXX"};
    char *said = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&said, &size);
    int fd = mkstemp(options.ca_file);
    assert_true(fd >= 0 && errors);
    write_file(options.ca_file, content);
    assert_int_equal(ca_bundle_check(&options, errors), strstr(content, "BEGIN CERTIFICATE") != NULL);
    fclose(errors);
    close(fd);
    unlink(options.ca_file);
    return said;
}

static void a_check_says_what_a_start_would(void **state)
{
    (void)state;
    char *said = said_of("");
    assert_non_null(strstr(said, "'tls.ca_file': /tmp/ca_bundle_test."));
    assert_non_null(strstr(said, "no usable CA certificate in PEM form"));
    free(said);
    said = said_of(material_root);
    assert_string_equal(said, "");
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_changes_has_another_mark),
        cmocka_unit_test(a_file_without_a_certificate_is_refused),
        cmocka_unit_test(a_check_says_what_a_start_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
