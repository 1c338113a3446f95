/* ca_bundle: the file of trusted certificates: how it is loaded into a TLS context. Main thread. */
#ifndef APP_CA_BUNDLE_H
#define APP_CA_BUNDLE_H

#include <stdbool.h>
#include <stdio.h>

#include "app/file_mark.h"
#include "upstream/tls.h"

/* Loads the bundle as it is now into a new context, which the caller owns, and tells its mark. `crypto`: as for
 * tls_context_new. False: `ret_error` says what is wrong with the file; the other outputs are untouched. */
bool ca_bundle_load(const struct tls_options *options, struct tls_crypto *crypto, struct tls_context **ret_tls,
                    struct file_mark *ret_mark, char ret_error[static TLS_ERROR_MAX]);

/* What a start or a reload would say of the bundle, for --check-config: false, and why, if it would be refused. A
 * bundle of which no certificate is valid at this machine's clock is good; a warning is written then. */
bool ca_bundle_check(const struct tls_options *options, FILE *errors);

#endif
