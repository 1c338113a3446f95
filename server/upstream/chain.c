#include "upstream/chain.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum {
    RSA_BITS_MIN = 2048,
    EC_BITS_MIN = 256,
    SIGNATURE_SECURITY_BITS_MIN = 128, /* what SHA-256 gives against collisions */
    AUTH_LEVEL = 2,                    /* libcrypto's own bound: 112 bits */
};

/* What X509_check_ca returns: basic constraints say so; self-signed, of version 1, which has no extensions. */
enum { CA_BY_CONSTRAINTS = 1, CA_VERSION_1 = 3 };

const char *chain_verdict_text(enum chain_verdict verdict)
{
    static const char *const texts[] = {
#define V(id, text) text,
        CHAIN_VERDICTS(V)
#undef V
    };
    return (unsigned)verdict < CHAIN_VERDICT_COUNT ? texts[verdict] : texts[CHAIN_OTHER];
}

/* ---- the verdict of libcrypto ---- */

static enum chain_verdict verdict_of(int error, int depth)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return depth == 0 ? CHAIN_EXPIRED : CHAIN_CA_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return depth == 0 ? CHAIN_NOT_YET_VALID : CHAIN_CA_NOT_YET_VALID;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED: return CHAIN_UNKNOWN_CA;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return CHAIN_SELF_SIGNED;
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return CHAIN_SIGNATURE;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_NON_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN: return CHAIN_NOT_A_CA;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED: return CHAIN_PATH_LENGTH;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX: return CHAIN_NAME_CONSTRAINTS;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS: return CHAIN_WEAK_KEY;
    case X509_V_ERR_CA_MD_TOO_WEAK: return CHAIN_WEAK_SIGNATURE;
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: return CHAIN_CRITICAL_EXTENSION;
    case X509_V_ERR_HOSTNAME_MISMATCH: return CHAIN_NAME;
    case X509_V_ERR_OUT_OF_MEM: return CHAIN_MEMORY;
    default: return CHAIN_OTHER;
    }
}

/* ---- what libcrypto does not demand ---- */

static bool is_key_strong(const X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int explicit_curve = 0;
    if (!key) return false;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS: return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    case EVP_PKEY_EC:
        EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_curve);
        return EVP_PKEY_get_bits(key) >= EC_BITS_MIN && !explicit_curve;
    case EVP_PKEY_ED25519: return true;
    default: return false;
    }
}

static bool is_signature_strong(X509 *certificate)
{
    int security_bits;
    return X509_get_signature_info(certificate, NULL, NULL, &security_bits, NULL) == 1 &&
           security_bits >= SIGNATURE_SECURITY_BITS_MIN;
}

static bool is_same_or_below(const char *name, const char *base, size_t base_size)
{
    size_t size = strlen(name);
    if (base_size > 0 && base[0] == '.') { /* only what is below it */
        base++;
        base_size--;
        if (size == base_size) return false;
    }
    if (base_size == 0) return true;
    if (size < base_size || strncasecmp(name + size - base_size, base, base_size) != 0) return false;
    return size == base_size || name[size - base_size - 1] == '.';
}

/* libcrypto compares the excluded names with those in the certificate, and "*.example.org" is not below
 * "www.example.org". So the name that is wanted is compared, too. */
static bool is_name_excluded(const X509 *ca, const char *name)
{
    NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);
    bool excluded = false;
    for (int i = 0; constraints && i < sk_GENERAL_SUBTREE_num(constraints->excludedSubtrees); i++) {
        const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(constraints->excludedSubtrees, i)->base;
        if (base->type != GEN_DNS) continue;
        excluded |= is_same_or_below(name, (const char *)ASN1_STRING_get0_data(base->d.dNSName),
                                     (size_t)ASN1_STRING_length(base->d.dNSName));
    }
    NAME_CONSTRAINTS_free(constraints);
    return excluded;
}

/* Of a chain that libcrypto accepts, the certificate at `depth`. */
static enum chain_verdict judge_certificate(X509 *certificate, int depth, bool is_anchor, const char *name)
{
    uint32_t usage = X509_get_key_usage(certificate); /* all bits set if the extension is absent */
    uint32_t extended = X509_get_extended_key_usage(certificate);
    if (X509_get_extension_flags(certificate) & EXFLAG_INVALID) return CHAIN_MALFORMED;
    if (!is_key_strong(certificate)) return CHAIN_WEAK_KEY;
    if (!is_anchor && !is_signature_strong(certificate)) return CHAIN_WEAK_SIGNATURE;
    if (!(extended & (XKU_SSL_SERVER | XKU_ANYEKU))) return CHAIN_EXTENDED_KEY_USAGE;
    if (depth == 0) return usage & KU_DIGITAL_SIGNATURE ? CHAIN_GOOD : CHAIN_KEY_USAGE;
    int ca = X509_check_ca(certificate);
    if (ca != CA_BY_CONSTRAINTS && !(is_anchor && ca == CA_VERSION_1)) return CHAIN_NOT_A_CA;
    return is_name_excluded(certificate, name) ? CHAIN_NAME_CONSTRAINTS : CHAIN_GOOD;
}

/* ---- judging ---- */

/* Of what and by what a path is judged. */
struct chain_case {
    X509_STORE *store;
    const char *name;
    X509 *leaf;
    STACK_OF(X509) * others;
    time_t now_s;
};

static bool set_rules(X509_STORE_CTX *verification, const struct chain_case *on)
{
    X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(verification);
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_time(rules, on->now_s);
    X509_VERIFY_PARAM_set_auth_level(rules, AUTH_LEVEL);
    X509_VERIFY_PARAM_set_depth(rules, CHAIN_SENT_MAX);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set_trust(rules, X509_TRUST_SSL_SERVER) == 1 &&
           X509_VERIFY_PARAM_set1_host(rules, on->name, 0) == 1;
}

/* The path that libcrypto finds. `ret_culprit`: the certificate to do without if another path is tried, or NULL. */
static enum chain_verdict judge_path(X509_STORE_CTX *verification, const struct chain_case *on, X509 **ret_culprit)
{
    enum chain_verdict verdict = CHAIN_GOOD;
    int at;
    bool accepted = X509_verify_cert(verification) == 1;
    const STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(verification);
    int count = path ? sk_X509_num(path) : 0;
    if (accepted) {
        for (at = 0; at < count && verdict == CHAIN_GOOD; at++)
            verdict = judge_certificate(sk_X509_value(path, at), at, at == count - 1, on->name);
        at--;
        if (count == 0) verdict = CHAIN_OTHER;
    } else {
        int error = X509_STORE_CTX_get_error(verification);
        at = X509_STORE_CTX_get_error_depth(verification);
        verdict = verdict_of(error, at);
    }
    *ret_culprit = verdict != CHAIN_GOOD && at > 0 && at < count ? sk_X509_value(path, at) : NULL;
    return verdict;
}

static enum chain_verdict try_path(const struct chain_case *on, X509 **ret_culprit)
{
    enum chain_verdict verdict = CHAIN_MEMORY;
    *ret_culprit = NULL;
    X509_STORE_CTX *verification = X509_STORE_CTX_new();
    if (verification && X509_STORE_CTX_init(verification, on->store, on->leaf, on->others) == 1 &&
        set_rules(verification, on))
        verdict = judge_path(verification, on, ret_culprit);
    X509_STORE_CTX_free(verification);
    return verdict;
}

/* libcrypto takes the first issuer that fits by name, and does not come back for another one where that leads nowhere.
 * So what led nowhere is taken away, and the rest is tried. */
static enum chain_verdict judge_paths(const struct chain_case *on)
{
    X509 *culprit;
    enum chain_verdict first = try_path(on, &culprit);
    enum chain_verdict verdict = first;
    while (verdict != CHAIN_GOOD && culprit) {
        X509 *dropped = sk_X509_delete_ptr(on->others, culprit);
        if (!dropped) break; /* an anchor: nobody sent it */
        verdict = try_path(on, &culprit);
        X509_free(dropped);
    }
    return verdict == CHAIN_GOOD ? verdict : first;
}

static X509 *parse(struct chain_certificate certificate)
{
    const uint8_t *at = certificate.der;
    X509 *parsed = d2i_X509(NULL, &at, (long)certificate.size);
    if (parsed && at == certificate.der + certificate.size) return parsed;
    X509_free(parsed);
    return NULL;
}

static bool is_date_verdict(enum chain_verdict verdict)
{
    return verdict == CHAIN_EXPIRED || verdict == CHAIN_NOT_YET_VALID || verdict == CHAIN_CA_EXPIRED ||
           verdict == CHAIN_CA_NOT_YET_VALID;
}

enum chain_verdict chain_judge(const struct chain_anchors *anchors, const char *name,
                               const struct chain_certificate *sent, unsigned count, int64_t now_s)
{
    enum chain_verdict verdict = CHAIN_MALFORMED;
    struct chain_case on = {.store = chain_anchors_store(anchors), .name = name, .now_s = (time_t)now_s};
    if (name[0] == '\0' || name[0] == '.') return CHAIN_NAME; /* means something else to libcrypto */
    if (count == 0 || count > CHAIN_SENT_MAX) return CHAIN_MALFORMED;
    on.others = sk_X509_new_null();
    on.leaf = parse(sent[0]);
    if (!on.others || !on.leaf) goto end;
    for (unsigned i = 1; i < count; i++) {
        X509 *other = parse(sent[i]);
        if (!other || sk_X509_push(on.others, other) <= 0) {
            X509_free(other);
            goto end;
        }
    }
    verdict = judge_paths(&on);
    if (is_date_verdict(verdict) && !chain_anchors_valid_at(anchors, now_s)) verdict = CHAIN_CLOCK;
end:
    X509_free(on.leaf);
    sk_X509_pop_free(on.others, X509_free);
    ERR_clear_error();
    return verdict;
}
