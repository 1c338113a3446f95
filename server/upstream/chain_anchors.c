#include "upstream/chain_anchors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct chain_anchors {
    X509_STORE *store;
    STACK_OF(X509) * certificates;
};

static bool add_anchor(struct chain_anchors *anchors, X509 *certificate)
{
    /* Reads its extensions, which OpenSSL then keeps in it: now, and not when several threads use it. */
    X509_check_purpose(certificate, -1, 0);
    if (X509_STORE_add_cert(anchors->store, certificate) != 1) return false;
    if (sk_X509_push(anchors->certificates, certificate) > 0) return true;
    return false;
}

/* Adds what is readable; false: out of memory. A block with an error is passed over, the next one is tried. */
static bool add_anchors(struct chain_anchors *anchors, BIO *pem)
{
    for (;;) {
        ERR_clear_error();
        X509 *certificate = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL);
        if (certificate) {
            if (add_anchor(anchors, certificate)) continue;
            X509_free(certificate);
            return false;
        }
        unsigned long error = ERR_peek_last_error();
        if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE) return true;
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) return false;
        if (BIO_eof(pem)) return true;
    }
}

struct chain_anchors *chain_anchors_parse(const void *pem, size_t size, char *ret_error, size_t error_bytes)
{
    snprintf(ret_error, error_bytes, "out of memory");
    if (size > CHAIN_BUNDLE_BYTES_MAX) {
        snprintf(ret_error, error_bytes, "larger than %d MiB", CHAIN_BUNDLE_BYTES_MAX / 1024 / 1024);
        return NULL;
    }
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); /* no settings but ours */
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    struct chain_anchors *anchors = calloc(1, sizeof *anchors);
    if (!bio || !anchors) goto fail;
    anchors->store = X509_STORE_new();
    anchors->certificates = sk_X509_new_null();
    if (!anchors->store || !anchors->certificates || !add_anchors(anchors, bio)) goto fail;
    if (sk_X509_num(anchors->certificates) == 0) {
        snprintf(ret_error, error_bytes, "no usable CA certificate in PEM form");
        goto fail;
    }
    BIO_free(bio);
    ERR_clear_error();
    return anchors;
fail:
    BIO_free(bio);
    ERR_clear_error();
    chain_anchors_free(anchors);
    return NULL;
}

/* Reads at most `capacity` bytes; -1 with errno. */
static ssize_t read_all(int fd, char *bytes, size_t capacity)
{
    size_t size = 0;
    while (size < capacity) {
        ssize_t got = read(fd, bytes + size, capacity - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

/* The bytes of an open file, to be freed; NULL with `ret_error`. */
static char *read_file(int fd, size_t *ret_size, char *ret_error, size_t error_bytes)
{
    struct stat status = {.st_mode = 0};
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(ret_error, error_bytes, "is %s, not a file",
                 S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
        return NULL;
    }
    size_t capacity = CHAIN_BUNDLE_BYTES_MAX + 1;
    if (status.st_size < CHAIN_BUNDLE_BYTES_MAX) capacity = (size_t)status.st_size + 1; /* malloc(0) may give NULL */
    char *bytes = malloc(capacity);
    ssize_t got = bytes ? read_all(fd, bytes, capacity) : -1;
    if (got >= 0) {
        *ret_size = (size_t)got;
        return bytes;
    }
    snprintf(ret_error, error_bytes, "%s", strerrordesc_np(errno));
    free(bytes);
    return NULL;
}

struct chain_anchors *chain_anchors_load(const char *path, char *ret_error, size_t error_bytes)
{
    size_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not block */
    if (fd < 0) {
        snprintf(ret_error, error_bytes, "%s", strerrordesc_np(errno));
        return NULL;
    }
    char *pem = read_file(fd, &size, ret_error, error_bytes);
    close(fd);
    if (!pem) return NULL;
    struct chain_anchors *anchors = chain_anchors_parse(pem, size, ret_error, error_bytes);
    free(pem);
    return anchors;
}

void chain_anchors_free(struct chain_anchors *anchors)
{
    if (!anchors) return;
    X509_STORE_free(anchors->store);
    sk_X509_pop_free(anchors->certificates, X509_free);
    free(anchors);
}

unsigned chain_anchors_count(const struct chain_anchors *anchors)
{
    return (unsigned)sk_X509_num(anchors->certificates);
}

static bool is_valid_at(const X509 *certificate, time_t when)
{
    return X509_cmp_time(X509_get0_notBefore(certificate), &when) < 0 &&
           X509_cmp_time(X509_get0_notAfter(certificate), &when) > 0;
}

bool chain_anchors_valid_at(const struct chain_anchors *anchors, int64_t now_s)
{
    for (int i = 0; i < sk_X509_num(anchors->certificates); i++)
        if (is_valid_at(sk_X509_value(anchors->certificates, i), (time_t)now_s)) return true;
    return false;
}

bool chain_anchors_visit(const struct chain_anchors *anchors,
                         void (*visit)(void *context, struct chain_certificate certificate), void *context)
{
    for (int i = 0; i < sk_X509_num(anchors->certificates); i++) {
        uint8_t *der = NULL;
        int size = i2d_X509(sk_X509_value(anchors->certificates, i), &der);
        if (size <= 0) return false;
        visit(context, (struct chain_certificate){der, (size_t)size});
        OPENSSL_free(der);
    }
    return true;
}

X509_STORE *chain_anchors_store(const struct chain_anchors *anchors)
{
    return anchors->store;
}
