/* Alerts and the library's error codes as an operator reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/tls_failure.h"

/* Codes of wolfSSL: wolfssl/error-ssl.h, wolfcrypt/error-crypt.h. */
enum {
    CODE_NO_SIGNER = -188,
    CODE_NAME_MISMATCH = -322,
    CODE_UNKNOWN_RECORD = -307,
    CODE_VERIFY_CERT = -329,
    CODE_KEY_USAGE = -226
};

static void alerts_are_called_by_their_name(void **state)
{
    (void)state;
    assert_string_equal(tls_failure_alert_text(40), "the peer sent the TLS alert handshake_failure (40)");
    assert_string_equal(tls_failure_alert_text(0), "the peer sent the TLS alert close_notify (0)");
    assert_string_equal(tls_failure_alert_text(120), "the peer sent the TLS alert no_application_protocol (120)");
}

static void a_number_without_a_name_is_a_sentence_too(void **state)
{
    (void)state;
    for (int alert = -1; alert < 300; alert++) assert_non_null(strstr(tls_failure_alert_text(alert), "TLS alert"));
    assert_string_equal(tls_failure_alert_text(41), "the peer sent a TLS alert that has no name");
}

static void faults_of_the_certificate_are_recognised(void **state)
{
    (void)state;
    assert_true(tls_failure_is_certificate(CODE_NO_SIGNER));
    assert_true(tls_failure_is_certificate(CODE_NAME_MISMATCH));
    assert_true(tls_failure_is_certificate(CODE_VERIFY_CERT));
    assert_true(tls_failure_is_certificate(CODE_KEY_USAGE)); /* of wolfSSL 5.6 and newer */
    assert_false(tls_failure_is_certificate(CODE_UNKNOWN_RECORD));
    assert_false(tls_failure_is_certificate(0));
}

static void codes_have_texts_except_success(void **state)
{
    (void)state;
    assert_null(tls_failure_text(0));
    assert_string_equal(tls_failure_text(CODE_NAME_MISMATCH), "the certificate is for another name");
    assert_non_null(tls_failure_text(CODE_UNKNOWN_RECORD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alerts_are_called_by_their_name),
        cmocka_unit_test(a_number_without_a_name_is_a_sentence_too),
        cmocka_unit_test(faults_of_the_certificate_are_recognised),
        cmocka_unit_test(codes_have_texts_except_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
