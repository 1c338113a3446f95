/* chain: the second judge of an upstream's certificate chain, by OpenSSL's libcrypto (RFC 5280, RFC 9525).
 *
 * wolfSSL accepts chains that it should refuse, and it accepts an intermediate certificate that some other server sent
 * earlier. So a chain counts only if it is good here too: see docs/decisions for the reasons and docs/THREATS.md for
 * the rules. Only the certificates that were sent and the CA certificates of the bundle are used; nothing is
 * remembered, fetched from the network or read from other files. This file and chain_anchors.c are the only ones that
 * include <openssl/...>.
 *
 * What is demanded:
 *   - a path from the first certificate to a certificate of the bundle (its anchor), in which signatures, dates (the
 *     anchor's too), basic constraints, path lengths and name constraints are right, and no critical extension is
 *     unknown;
 *   - a DNS name in the subject alternative name of the first certificate that equals the name wanted. "*" stands for
 *     the whole left-most label and needs two labels behind it. The common name, addresses and URIs do not count;
 *   - "TLS server" or "any" in every extended key usage that is there; digitalSignature in the key usage of the first
 *     certificate and keyCertSign in that of its issuers, if they have one;
 *   - keys of RSA with at least 2048 bits, of named curves with at least 256 (P-256), or of Ed25519; signatures of at
 *     least SHA-256, except the anchor's own, on which nothing depends.
 *
 * The bundle may hold certificates that are no CA's: such a certificate is trusted if it is sent as the first one,
 * and never as the issuer of another. */
#ifndef UPSTREAM_CHAIN_H
#define UPSTREAM_CHAIN_H

#include <stdint.h>

#include "upstream/chain_anchors.h"

enum { CHAIN_SENT_MAX = 16 }; /* certificates of a chain; wolfSSL takes fewer */

/* V(IDENTIFIER, text for log, EDE and status page: at most 64 bytes) */
#define CHAIN_VERDICTS(V)                                                                                              \
    V(GOOD, "the certificate is good")                                                                                 \
    V(NOT_JUDGED, "the certificate was not checked")                                                                   \
    V(MALFORMED, "a certificate of the chain is malformed")                                                            \
    V(NAME, "the certificate is for another name")                                                                     \
    V(UNKNOWN_CA, "unknown CA, or an intermediate certificate is missing")                                             \
    V(SELF_SIGNED, "the certificate is self-signed and not in the bundle")                                             \
    V(EXPIRED, "the certificate has expired")                                                                          \
    V(NOT_YET_VALID, "the certificate is not valid yet")                                                               \
    V(CA_EXPIRED, "a CA certificate of the chain has expired")                                                         \
    V(CA_NOT_YET_VALID, "a CA certificate of the chain is not valid yet")                                              \
    V(CLOCK, "no CA in the bundle is valid at this machine's clock")                                                   \
    V(SIGNATURE, "a signature of the chain is wrong")                                                                  \
    V(NOT_A_CA, "an issuer in the chain is not a CA")                                                                  \
    V(PATH_LENGTH, "the chain is longer than its CA allows")                                                           \
    V(KEY_USAGE, "the key usage of the certificate forbids servers")                                                   \
    V(EXTENDED_KEY_USAGE, "an extended key usage of the chain forbids servers")                                        \
    V(NAME_CONSTRAINTS, "a CA of the chain may not issue for this name")                                               \
    V(WEAK_KEY, "a key of the chain is too weak")                                                                      \
    V(WEAK_SIGNATURE, "a signature of the chain is weaker than SHA-256")                                               \
    V(CRITICAL_EXTENSION, "a critical extension is unknown")                                                           \
    V(MEMORY, "no memory to check the certificate")                                                                    \
    V(OTHER, "the certificate chain breaks RFC 5280")

enum chain_verdict {
#define V(id, text) CHAIN_##id,
    CHAIN_VERDICTS(V)
#undef V
        CHAIN_VERDICT_COUNT
};

/* Constant. */
const char *chain_verdict_text(enum chain_verdict verdict);

/* Judges a chain as a server sent it, the server's own certificate first. `name`: lower case, without a dot at its end.
 * Any thread. Time is bounded by CHAIN_SENT_MAX paths. */
enum chain_verdict chain_judge(const struct chain_anchors *anchors, const char *name,
                               const struct chain_certificate *sent, unsigned count, int64_t now_s);

#endif
