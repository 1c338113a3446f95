/* tls_failure: what an error code of wolfSSL, or an alert of the peer, means. Pure; any thread. */
#ifndef UPSTREAM_TLS_FAILURE_H
#define UPSTREAM_TLS_FAILURE_H

#include <stdbool.h>

/* True if the code says that the peer's certificate or its chain was refused. */
bool tls_failure_is_certificate(int code);

/* In words, constant; NULL for 0. */
const char *tls_failure_text(int code);

/* A sentence with the name of the alert in RFC 8446, section 6 (and RFC 5246, section 7.2), constant. For an alert
 * without a name, a sentence that says so. */
const char *tls_failure_alert_text(int alert);

#endif
