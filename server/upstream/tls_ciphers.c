#include "upstream/tls_ciphers.h"

#include <stddef.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/openssl/evp.h>
#include <wolfssl/ssl.h>

#include "common/clock.h"
#include "upstream/aes_gcm.h"

/* A full TLS record: long enough for the cost of the bytes to outweigh that of the call. */
enum { SAMPLE_BYTES = 16 * 1024, ROUNDS = 5, KEY_BYTES_MAX = 32, NONCE_BYTES = 12, TAG_BYTES = 16 };

#define AES_GCM_13    "TLS13-AES128-GCM-SHA256"
#define CHACHA20_13   "TLS13-CHACHA20-POLY1305-SHA256"
#define AES256_GCM_13 "TLS13-AES256-GCM-SHA384"
#define AES_GCM_12    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define CHACHA20_12   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define AES256_GCM_12 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"

/* Encrypts the sample once. A key per call, so that the cost of its schedule is counted as in a short connection. */
static bool encrypt_sample(const WOLFSSL_EVP_CIPHER *cipher, WOLFSSL_EVP_CIPHER_CTX *context, uint8_t *out,
                           const uint8_t *sample)
{
    static const uint8_t key[KEY_BYTES_MAX] = {1};
    static const uint8_t nonce[NONCE_BYTES] = {2};
    uint8_t rest[TAG_BYTES];
    int size = 0;
    return wolfSSL_EVP_EncryptInit_ex(context, cipher, NULL, key, nonce) == WOLFSSL_SUCCESS &&
           wolfSSL_EVP_CipherUpdate(context, out, &size, sample, SAMPLE_BYTES) == WOLFSSL_SUCCESS &&
           wolfSSL_EVP_EncryptFinal_ex(context, rest, &size) == WOLFSSL_SUCCESS;
}

/* How long one call takes; false if the library refuses it. */
static bool time_once(const WOLFSSL_EVP_CIPHER *cipher, uint64_t *ret_ns)
{
    static const uint8_t sample[SAMPLE_BYTES];
    uint8_t out[SAMPLE_BYTES + TAG_BYTES];
    WOLFSSL_EVP_CIPHER_CTX *context = cipher ? wolfSSL_EVP_CIPHER_CTX_new() : NULL;
    if (!context) return false;
    uint64_t begin_ns = clock_now_ns();
    bool encrypted = encrypt_sample(cipher, context, out, sample);
    *ret_ns = clock_now_ns() - begin_ns;
    wolfSSL_EVP_CIPHER_CTX_free(context);
    return encrypted;
}

bool tls_ciphers_measure(struct tls_cipher_costs *ret_costs)
{
    struct tls_cipher_costs least = {UINT64_MAX, UINT64_MAX, aes_gcm_has_instructions()};
    /* In turn, and the least of each: a round that another process interrupted does not count. */
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t aes_gcm_ns = 0;
        uint64_t chacha20_ns = 0;
        if (!time_once(wolfSSL_EVP_aes_128_gcm(), &aes_gcm_ns)) return false;
        if (!time_once(wolfSSL_EVP_chacha20_poly1305(), &chacha20_ns)) return false;
        if (aes_gcm_ns < least.aes_gcm_ns) least.aes_gcm_ns = aes_gcm_ns;
        if (chacha20_ns < least.chacha20_ns) least.chacha20_ns = chacha20_ns;
    }
    *ret_costs = least;
    return true;
}

bool tls_ciphers_want_libcrypto(const struct tls_cipher_costs *costs)
{
    return costs && costs->libcrypto_has_instructions && costs->aes_gcm_ns >= costs->chacha20_ns;
}

const char *tls_ciphers_order(const struct tls_cipher_costs *costs, bool by_libcrypto)
{
    if (by_libcrypto || (costs && costs->aes_gcm_ns < costs->chacha20_ns))
        return AES_GCM_13 ":" CHACHA20_13 ":" AES256_GCM_13 ":" AES_GCM_12 ":" CHACHA20_12 ":" AES256_GCM_12;
    return CHACHA20_13 ":" AES_GCM_13 ":" AES256_GCM_13 ":" CHACHA20_12 ":" AES_GCM_12 ":" AES256_GCM_12;
}

int tls_ciphers_groups(uint32_t library_version, int ret_groups[static TLS_GROUPS_MAX])
{
    enum { HYBRIDS_FROM = 0x05008000, HYBRIDS_MENDED = 0x05009002 };
    /* In TLS 1.2 these are the curves of certificates, too. */
    static const int curves[TLS_GROUPS_MAX] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1,
                                               WOLFSSL_ECC_SECP521R1};
    if (library_version < HYBRIDS_FROM || library_version >= HYBRIDS_MENDED) return 0;
    memcpy(ret_groups, curves, sizeof curves);
    return TLS_GROUPS_MAX;
}

bool tls_ciphers_set_groups(struct WOLFSSL_CTX *ctx)
{
    int groups[TLS_GROUPS_MAX];
    int count = tls_ciphers_groups(wolfSSL_lib_version_hex(), groups);
    return count == 0 || wolfSSL_CTX_set_groups(ctx, groups, count) == WOLFSSL_SUCCESS;
}
