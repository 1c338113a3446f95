/* ca_bundle: the file of trusted certificates: how it is loaded into a TLS context, and how a changed file is
 * recognised. Main thread. */
#ifndef APP_CA_BUNDLE_H
#define APP_CA_BUNDLE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "upstream/tls.h"

/* Identifies one version of the file. All zero: the file does not exist. */
struct ca_bundle_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct ca_bundle_mark ca_bundle_mark_of(const char *path);
bool ca_bundle_mark_equal(const struct ca_bundle_mark *a, const struct ca_bundle_mark *b);

/* Loads the bundle as it is now into a new context, which the caller owns, and tells its mark. False: `ret_error` says
 * what is wrong with the file; the other outputs are untouched. */
bool ca_bundle_load(const struct tls_options *options, struct tls_context **ret_tls, struct ca_bundle_mark *ret_mark,
                    char ret_error[static TLS_ERROR_MAX]);

/* What a start or a reload would say of the bundle, for --check-config: false, and why, where it would be refused. A
 * bundle of which no certificate is valid at this machine's clock is good; a warning is written then. */
bool ca_bundle_check(const struct tls_options *options, FILE *errors);

#endif
