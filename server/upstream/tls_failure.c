#include "upstream/tls_failure.h"

#include <stddef.h>

#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "upstream/chain.h"

/* A(number, name), by number */
#define ALERTS(A)                                                                                                      \
    A(0, close_notify)                                                                                                 \
    A(10, unexpected_message)                                                                                          \
    A(20, bad_record_mac)                                                                                              \
    A(22, record_overflow)                                                                                             \
    A(40, handshake_failure)                                                                                           \
    A(42, bad_certificate)                                                                                             \
    A(43, unsupported_certificate)                                                                                     \
    A(44, certificate_revoked)                                                                                         \
    A(45, certificate_expired)                                                                                         \
    A(46, certificate_unknown)                                                                                         \
    A(47, illegal_parameter)                                                                                           \
    A(48, unknown_ca)                                                                                                  \
    A(49, access_denied)                                                                                               \
    A(50, decode_error)                                                                                                \
    A(51, decrypt_error)                                                                                               \
    A(70, protocol_version)                                                                                            \
    A(71, insufficient_security)                                                                                       \
    A(80, internal_error)                                                                                              \
    A(86, inappropriate_fallback)                                                                                      \
    A(90, user_canceled)                                                                                               \
    A(100, no_renegotiation)                                                                                           \
    A(109, missing_extension)                                                                                          \
    A(110, unsupported_extension)                                                                                      \
    A(112, unrecognized_name)                                                                                          \
    A(113, bad_certificate_status_response)                                                                            \
    A(115, unknown_psk_identity)                                                                                       \
    A(116, certificate_required)                                                                                       \
    A(120, no_application_protocol)

bool tls_failure_is_certificate(int code)
{
    switch (code) {
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
    case ASN_SIG_CONFIRM_E:
    case ASN_SIG_HASH_E:
    case ASN_BEFORE_DATE_E:
    case ASN_AFTER_DATE_E:
    case ASN_NAME_INVALID_E:
    case ASN_PATHLEN_SIZE_E:
    case ASN_PATHLEN_INV_E:
    case ASN_CRIT_EXT_E:
    case ASN_PARSE_E:
    case DOMAIN_NAME_MISMATCH:
    case VERIFY_CERT_ERROR:
    case NO_PEER_CERT:
    case EXTKEYUSE_AUTH_E:
    case EXTKEYUSAGE_E:
    case KEYUSAGE_E:
    case KEYUSE_SIGNATURE_E: return true;
    default: return false;
    }
}

const char *tls_failure_text(int code)
{
    switch (code) {
    case 0: return NULL;
    case DOMAIN_NAME_MISMATCH: return chain_verdict_text(CHAIN_NAME);
    case ASN_NO_SIGNER_E: return chain_verdict_text(CHAIN_UNKNOWN_CA);
    case ASN_SELF_SIGNED_E: return chain_verdict_text(CHAIN_SELF_SIGNED);
    case ASN_AFTER_DATE_E: return chain_verdict_text(CHAIN_EXPIRED);
    case ASN_BEFORE_DATE_E: return chain_verdict_text(CHAIN_NOT_YET_VALID);
    case ASN_SIG_CONFIRM_E: return chain_verdict_text(CHAIN_SIGNATURE);
    case ASN_NAME_INVALID_E: return chain_verdict_text(CHAIN_NAME_CONSTRAINTS);
    case ASN_CRIT_EXT_E: return chain_verdict_text(CHAIN_CRITICAL_EXTENSION);
    case ASN_PARSE_E: return chain_verdict_text(CHAIN_MALFORMED);
    case ASN_PATHLEN_SIZE_E:
    case ASN_PATHLEN_INV_E: return chain_verdict_text(CHAIN_PATH_LENGTH);
    case EXTKEYUSAGE_E:
    case EXTKEYUSE_AUTH_E: return chain_verdict_text(CHAIN_EXTENDED_KEY_USAGE);
    case KEYUSAGE_E: /* wolfSSL 5.6 and newer */
    case KEYUSE_SIGNATURE_E: return chain_verdict_text(CHAIN_KEY_USAGE);
    case NO_PEER_CERT: return "the peer showed no certificate";
    default: return wolfSSL_ERR_reason_error_string((unsigned long)code);
    }
}

const char *tls_failure_alert_text(int alert)
{
    switch (alert) {
#define A(number, name)                                                                                                \
    case number: return "the peer sent the TLS alert " #name " (" #number ")";
        ALERTS(A)
#undef A
    default: return "the peer sent a TLS alert that has no name";
    }
}
