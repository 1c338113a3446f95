#include "upstream/tls.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "common/clock.h"
#include "common/sanitized.h"
#include "upstream/chain.h"
#include "upstream/tls_ciphers.h"
#include "upstream/tls_crypto.h"
#include "upstream/tls_failure.h"

/* One read takes a whole TLS record and more: the library by itself would read five octets and then the rest. */
enum { AHEAD_BYTES = 18 * 1024 };

enum { NAME_BYTES = 256 }; /* a DNS name and a NUL */

struct tls_context {
    WOLFSSL_CTX *ctx;
    struct tls_crypto *crypto; /* or NULL */
    struct chain_anchors *anchors;
    atomic_uint owners;
};

struct tls {
    WOLFSSL *ssl;
    int fd;
    bool drained;                /* the last read took all there was: the next one would find nothing */
    bool closed;                 /* the socket said end of stream, */
    bool reset;                  /* or broke */
    bool more;                   /* the turn's share is used up: the socket may have more */
    int code;                    /* the library's, of the last failure */
    enum chain_verdict verdict;  /* of a full handshake */
    struct tls_context *context; /* a share: a reload may take the pool's away during the handshake */
    struct list keys;            /* of tls_crypto.h */
    bool may_resume;             /* a ticket was offered */
    char name[NAME_BYTES];
    size_t share;      /* bytes that may still be read from the socket in this turn */
    uint64_t received; /* bytes read from it so far */
    size_t ahead_start, ahead_end;
    uint8_t ahead[AHEAD_BYTES]; /* read from the socket, not yet asked for by the library */
};

struct tls_ticket {
    WOLFSSL_SESSION *session;
};

/* The library wants bytes: from what was read ahead, else from the socket. */
static int on_receive(WOLFSSL *ssl, char *out, int size, void *context)
{
    (void)ssl;
    struct tls *tls = context;
    if (tls->ahead_start == tls->ahead_end) {
        if (tls->drained) {
            tls->drained = false;
            return WOLFSSL_CBIO_ERR_WANT_READ;
        }
        if (tls->share == 0) {
            tls->more = true;
            return WOLFSSL_CBIO_ERR_WANT_READ;
        }
        size_t room = tls->share < sizeof tls->ahead ? tls->share : sizeof tls->ahead;
        ssize_t got = recv(tls->fd, tls->ahead, room, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return WOLFSSL_CBIO_ERR_WANT_READ;
        if (got <= 0) {
            tls->closed = got == 0;
            tls->reset = got < 0;
            return tls->closed ? WOLFSSL_CBIO_ERR_CONN_CLOSE : WOLFSSL_CBIO_ERR_CONN_RST;
        }
        tls->ahead_start = 0;
        tls->ahead_end = (size_t)got;
        tls->share -= (size_t)got;
        tls->received += (uint64_t)got;
        tls->drained = (size_t)got < room;
    }
    size_t take = tls->ahead_end - tls->ahead_start;
    if (take > (size_t)size) take = (size_t)size;
    memcpy(out, tls->ahead + tls->ahead_start, take);
    tls->ahead_start += take;
    return (int)take;
}

static int on_send(WOLFSSL *ssl, char *bytes, int size, void *context)
{
    (void)ssl;
    struct tls *tls = context;
    ssize_t sent = send(tls->fd, bytes, (size_t)size, MSG_NOSIGNAL);
    if (sent >= 0) return (int)sent;
    if (errno == EAGAIN || errno == EINTR) return WOLFSSL_CBIO_ERR_WANT_WRITE;
    tls->reset = true;
    return WOLFSSL_CBIO_ERR_CONN_RST;
}

/* What wolfSSL is to trust, and how many of these it took. */
struct trusted {
    WOLFSSL_CTX *ctx;
    unsigned taken;
};

static bool is_date_code(int code)
{
    return code == ASN_BEFORE_DATE_E || code == ASN_AFTER_DATE_E;
}

/* The library adds the certificate whatever its dates are, then tries to add it as a "trusted peer", too, and returns
 * only what became of the latter. */
static void trust(void *context, struct chain_certificate certificate)
{
    struct trusted *trusted = context;
    int code = wolfSSL_CTX_load_verify_buffer_ex(trusted->ctx, certificate.der, (long)certificate.size,
                                                 WOLFSSL_FILETYPE_ASN1, 0, WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
    if (code == WOLFSSL_SUCCESS || is_date_code(code)) trusted->taken++;
}

static bool load_bundle(struct tls_context *context, const char *path, char ret_error[static TLS_ERROR_MAX])
{
    char why[64];
    struct trusted trusted = {.ctx = context->ctx};
    context->anchors = chain_anchors_load(path, why, sizeof why);
    if (!context->anchors) {
        snprintf(ret_error, TLS_ERROR_MAX, "%.160s: %s", path, why);
        return false;
    }
    if (!chain_anchors_visit(context->anchors, trust, &trusted)) return false;
    if (trusted.taken > 0) return true;
    snprintf(ret_error, TLS_ERROR_MAX, "%.160s: wolfSSL can use none of its certificates", path);
    return false;
}

bool tls_context_is_valid_at(const struct tls_context *context, int64_t now_s)
{
    return chain_anchors_valid_at(context->anchors, now_s);
}

/* ---- the peer's certificate ---- */

static enum chain_verdict judge(const struct tls *tls, const WOLFSSL_X509_STORE_CTX *store)
{
    struct chain_certificate sent[CHAIN_SENT_MAX];
    if (store->totalCerts < 1 || store->totalCerts > CHAIN_SENT_MAX) return CHAIN_MALFORMED;
    for (int i = 0; i < store->totalCerts; i++)
        sent[i] = (struct chain_certificate){store->certs[i].buffer, store->certs[i].length};
    return chain_judge(tls->context->anchors, tls->name, sent, (unsigned)store->totalCerts, clock_wall_s());
}

/* The values of X509_V_ERR_ for dates: wolfSSL 5.5.4 gives those that speak of the field, 5.7.2 the others. */
static bool is_date_error(int error)
{
    return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID ||
           error == X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD || error == X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD ||
           is_date_code(error);
}

/* wolfSSL has judged a certificate: the last one sent comes first, the peer's own (depth 0) last. Its acceptance needs
 * that of libcrypto. Its refusal stands, and libcrypto has the better reason for it; with one exception: a CA
 * certificate that is out of date does no harm beside one that is not, and libcrypto sees both. */
static int on_verify(int accepted, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls *tls = store->userCtx;
    bool is_leaf = store->error_depth == 0;
    if (accepted && !is_leaf) return 1;
    enum chain_verdict verdict = judge(tls, store);
    if (!accepted && !is_leaf && verdict == CHAIN_GOOD) return is_date_error(store->error);
    tls->verdict = verdict;
    return accepted && verdict == CHAIN_GOOD;
}

/* ---- contexts and connections ---- */

struct tls_context *tls_context_new(const struct tls_options *options, struct tls_crypto *crypto,
                                    char ret_error[static TLS_ERROR_MAX])
{
    snprintf(ret_error, TLS_ERROR_MAX, "out of memory");
    struct tls_context *context = calloc(1, sizeof *context);
    if (!context) return NULL;
    wolfSSL_Init();
    context->crypto = crypto;
    atomic_init(&context->owners, 1);
    context->ctx = wolfSSL_CTX_new(wolfSSLv23_client_method());
    if (!context->ctx) goto fail;
    wolfSSL_CTX_SetMinVersion(context->ctx, WOLFSSL_TLSV1_2);
    wolfSSL_CTX_set_verify(context->ctx, WOLFSSL_VERIFY_PEER, on_verify);
    wolfSSL_CTX_set_session_cache_mode(context->ctx, WOLFSSL_SESS_CACHE_OFF); /* tickets are kept by their upstream */
    wolfSSL_CTX_UseSessionTicket(context->ctx);
    wolfSSL_CTX_SetIORecv(context->ctx, on_receive);
    wolfSSL_CTX_SetIOSend(context->ctx, on_send);
    wolfSSL_CTX_SetDevId(context->ctx, tls_crypto_device(crypto));
    if (wolfSSL_CTX_set_cipher_list(context->ctx, tls_crypto_ciphers(crypto)) != WOLFSSL_SUCCESS) goto fail;
    if (!tls_ciphers_set_groups(context->ctx)) goto fail;
    if (!load_bundle(context, tls_ca_path(options), ret_error)) goto fail;
    return context;
fail:
    tls_context_free(context);
    return NULL;
}

struct tls_context *tls_context_share(struct tls_context *context)
{
    atomic_fetch_add(&context->owners, 1);
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (!context || atomic_fetch_sub(&context->owners, 1) != 1) return;
    wolfSSL_CTX_free(context->ctx);
    chain_anchors_free(context->anchors);
    wolfSSL_Cleanup();
    free(context);
}

struct tls *tls_new(struct tls_context *context, int fd, const char *name, const char *alpn,
                    const struct tls_ticket *ticket)
{
    char offered[16] = ""; /* the library wants it writable */
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls) return NULL;
    tls->fd = fd;
    list_init(&tls->keys);
    tls->verdict = CHAIN_NOT_JUDGED;
    tls->context = tls_context_share(context);
    tls->may_resume = ticket;
    if (snprintf(tls->name, sizeof tls->name, "%s", name) >= (int)sizeof tls->name) goto fail;
    tls->ssl = wolfSSL_new(context->ctx);
    if (!tls->ssl) goto fail;
    wolfSSL_SetIOReadCtx(tls->ssl, tls);
    wolfSSL_SetIOWriteCtx(tls->ssl, tls);
    wolfSSL_SetCertCbCtx(tls->ssl, tls);
    wolfSSL_set_using_nonblock(tls->ssl, 1);
    if (alpn) snprintf(offered, sizeof offered, "%s", alpn);
    if (wolfSSL_check_domain_name(tls->ssl, name) != WOLFSSL_SUCCESS ||
        wolfSSL_UseSNI(tls->ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)strlen(name)) != WOLFSSL_SUCCESS ||
        (alpn && wolfSSL_UseALPN(tls->ssl, offered, (unsigned)strlen(offered), WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) !=
                     WOLFSSL_SUCCESS))
        goto fail;
    if (ticket) wolfSSL_set_session(tls->ssl, ticket->session); /* a refused ticket only means a full handshake */
    return tls;
fail:
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls) return;
    wolfSSL_free(tls->ssl);
    tls_crypto_free_keys(&tls->keys);
    tls_context_free(tls->context);
    free(tls);
}

/* What a call that did not return bytes means. */
static enum tls_status status_of(struct tls *tls, int result)
{
    int code = wolfSSL_get_error(tls->ssl, result);
    if (code == WOLFSSL_ERROR_WANT_READ || code == WOLFSSL_ERROR_WANT_WRITE) return TLS_AGAIN;
    tls->code = code;
    if (tls_failure_is_certificate(code)) return TLS_UNTRUSTED;
    if (code == WOLFSSL_ERROR_ZERO_RETURN || tls->closed) return TLS_CLOSED;
    return tls->reset ? TLS_RESET : TLS_FAILED;
}

enum tls_status tls_handshake(struct tls *tls)
{
    int result = wolfSSL_connect(tls->ssl);
    tls_crypto_claim(tls->context->crypto, &tls->keys);
    if (result != WOLFSSL_SUCCESS) return status_of(tls, result);
    if (tls->verdict == CHAIN_GOOD || (tls->may_resume && tls_is_resumed(tls))) return TLS_DONE;
    tls->code = VERIFY_CERT_ERROR; /* a library that does not call the verify callback must not be trusted */
    return TLS_UNTRUSTED;
}

enum tls_status tls_read(struct tls *tls, void *out, size_t capacity, size_t *ret_size)
{
    int result = wolfSSL_read(tls->ssl, out, (int)capacity);
    tls_crypto_claim(tls->context->crypto, &tls->keys);
    if (result <= 0) return status_of(tls, result);
    *ret_size = (size_t)result;
    return TLS_DONE;
}

enum tls_status tls_write(struct tls *tls, const void *bytes, size_t size, size_t *ret_size)
{
    int result = wolfSSL_write(tls->ssl, bytes, (int)size);
    tls_crypto_claim(tls->context->crypto, &tls->keys);
    if (result <= 0) return status_of(tls, result);
    *ret_size = (size_t)result;
    return TLS_DONE;
}

void tls_on_readable(struct tls *tls)
{
    tls->drained = false;
}

void tls_begin_turn(struct tls *tls, size_t share)
{
    tls->share = share;
    tls->more = false;
}

bool tls_has_more(const struct tls *tls)
{
    return tls->more;
}

uint64_t tls_received(const struct tls *tls)
{
    return tls->received;
}

void tls_close(struct tls *tls)
{
    wolfSSL_shutdown(tls->ssl);
    tls_crypto_claim(tls->context->crypto, &tls->keys);
}

bool tls_is_resumed(const struct tls *tls)
{
    return wolfSSL_session_reused(tls->ssl) == 1;
}

int64_t tls_certificate_expiry_s(struct tls *tls)
{
    WOLFSSL_X509 *certificate = wolfSSL_get_peer_certificate(tls->ssl);
    if (!certificate) return 0;
    struct tm until;
    memset(&until, 0, sizeof until);
    const WOLFSSL_ASN1_TIME *end = wolfSSL_X509_get_notAfter(certificate);
    int64_t seconds = 0;
    if (end && wolfSSL_ASN1_TIME_to_tm(end, &until) == WOLFSSL_SUCCESS) seconds = timegm(&until);
    wolfSSL_X509_free(certificate);
    return seconds;
}

struct tls_ticket *tls_take_ticket(struct tls *tls)
{
    /* wolfSSL 5.5.4 keeps a wrong secret with the ticket of a resumed connection: the next peer answers
     * illegal_parameter. The ticket of the full handshake serves again and again. */
    if (tls_is_resumed(tls)) return NULL;
    WOLFSSL_SESSION *session = wolfSSL_get1_session(tls->ssl);
    if (!session) return NULL;
    struct tls_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket) {
        wolfSSL_SESSION_free(session);
        return NULL;
    }
    ticket->session = session;
    return ticket;
}

void tls_ticket_free(struct tls_ticket *ticket)
{
    if (!ticket) return;
    wolfSSL_SESSION_free(ticket->session);
    free(ticket);
}

const char *tls_error(const struct tls *tls)
{
    WOLFSSL_ALERT_HISTORY alerts;
    bool is_certificate = tls_failure_is_certificate(tls->code);
    if (is_certificate && tls->verdict != CHAIN_GOOD && tls->verdict != CHAIN_NOT_JUDGED)
        return chain_verdict_text(tls->verdict);
    if (is_certificate) return tls_failure_text(tls->code);
    if (tls->code && wolfSSL_get_alert_history(tls->ssl, &alerts) == WOLFSSL_SUCCESS && alerts.last_rx.code > 0)
        return tls_failure_alert_text(alerts.last_rx.code);
    if (tls->closed || tls->code == WOLFSSL_ERROR_ZERO_RETURN) return "the peer closed the connection";
    if (tls->reset) return "the connection was reset";
    return tls_failure_text(tls->code);
}

void tls_trim(void)
{
#ifdef FP_ECC
    wc_ecc_fp_free();
#endif
    if (!IS_SANITIZED) malloc_trim(0); /* else memory is not glibc's to be trimmed */
}

const char *tls_library_version(void)
{
    return wolfSSL_lib_version();
}
