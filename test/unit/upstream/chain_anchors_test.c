/* The file of trusted certificates: what can be wrong with it, and what is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../fuzz/chain_material.h"
#include "upstream/chain_anchors.h"

static char folder[] = "/tmp/chain-anchors-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/bundle.pem", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* Why the file with this content is refused; "" where it is not. `ret_count`: its certificates. */
static const char *refusal(const char *content, unsigned *ret_count)
{
    static char error[64];
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    struct chain_anchors *anchors = chain_anchors_load(path, error, sizeof error);
    *ret_count = anchors ? chain_anchors_count(anchors) : 0;
    if (anchors) error[0] = '\0';
    chain_anchors_free(anchors);
    return error;
}

static void certificates_are_read(void **state)
{
    (void)state;
    unsigned count;
    char twice[2 * sizeof material_root];
    assert_string_equal(refusal(material_root, &count), "");
    assert_int_equal(count, 1);
    snprintf(twice, sizeof twice, "%s%s", material_root, material_root);
    assert_string_equal(refusal(twice, &count), "");
    assert_int_equal(count, 2);
}

static void what_is_no_certificate_is_passed_over(void **state)
{
    (void)state;
    unsigned count;
    char mixed[4 * sizeof material_root];
    snprintf(mixed, sizeof mixed, "# comment\n%.80s\n-----END CERTIFICATE-----\n%s%s%sgarbage", material_root,
             "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
             "-----BEGIN CERTIFICATE-----\n*!*\n-----END CERTIFICATE-----\n",
             material_root, "-----BEGIN CERTIFICATE-----\nMIIB");
    assert_string_equal(refusal(mixed, &count), "");
    assert_int_equal(count, 1);
}

static void a_file_without_certificates_is_refused(void **state)
{
    (void)state;
    unsigned count;
    static const char *const contents[] = {"", "\n", "text\n",
                                           "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        assert_string_equal(refusal(contents[i], &count), "no usable CA certificate in PEM form");
}

static const char *refusal_of_path(const char *other)
{
    static char error[64];
    assert_null(chain_anchors_load(other, error, sizeof error));
    return error;
}

static void what_is_no_file_is_refused_and_named(void **state)
{
    (void)state;
    char fifo[80];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_string_equal(refusal_of_path(folder), "is a directory, not a file");
    assert_string_equal(refusal_of_path("/dev/zero"), "is a device or pipe, not a file");
    assert_string_equal(refusal_of_path(fifo), "is a device or pipe, not a file"); /* and does not block */
    unlink(fifo);
    assert_string_equal(refusal_of_path(fifo), "No such file or directory");
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), CHAIN_BUNDLE_BYTES_MAX + 1), 0);
    fclose(file);
    assert_string_equal(refusal_of_path(path), "larger than 16 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_read),
        cmocka_unit_test(what_is_no_certificate_is_passed_over),
        cmocka_unit_test(a_file_without_certificates_is_refused),
        cmocka_unit_test(what_is_no_file_is_refused_and_named),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
