#include "app/ca_bundle.h"

#include "common/clock.h"

bool ca_bundle_load(const struct tls_options *options, struct tls_crypto *crypto, struct tls_context **ret_tls,
                    struct file_mark *ret_mark, char ret_error[static TLS_ERROR_MAX])
{
    /* The mark is taken before the file is read, so that a change in between is noticed later. */
    struct file_mark mark = file_mark_of(tls_ca_path(options));
    struct tls_context *tls = tls_context_new(options, crypto, ret_error);
    if (!tls) return false;
    *ret_tls = tls;
    *ret_mark = mark;
    return true;
}

bool ca_bundle_check(const struct tls_options *options, FILE *errors)
{
    char error[TLS_ERROR_MAX];
    struct tls_context *tls;
    struct file_mark mark;
    if (!ca_bundle_load(options, NULL, &tls, &mark, error)) {
        fprintf(errors, "'tls.ca_file': %s\n", error);
        return false;
    }
    if (!tls_context_is_valid_at(tls, clock_wall_s()))
        fprintf(errors, "warning: 'tls.ca_file': %s: no certificate in it is valid at this machine's clock\n",
                tls_ca_path(options));
    tls_context_free(tls);
    return true;
}
