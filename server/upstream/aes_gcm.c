#include "upstream/aes_gcm.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#ifdef __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>

bool aes_gcm_has_instructions(void)
{
    const unsigned long wanted = HWCAP_AES | HWCAP_PMULL;
    return (getauxval(AT_HWCAP) & wanted) == wanted;
}
#elif defined __x86_64__
bool aes_gcm_has_instructions(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}
#else
bool aes_gcm_has_instructions(void)
{
    return false;
}
#endif

/* There is no more in it than the library's context, of which this is another name. */
static EVP_CIPHER_CTX *context_of(struct aes_gcm *gcm)
{
    return (EVP_CIPHER_CTX *)(void *)gcm;
}

static const EVP_CIPHER *cipher_of(size_t key_size)
{
    switch (key_size) {
    case 16: return EVP_aes_128_gcm();
    case 24: return EVP_aes_192_gcm();
    case 32: return EVP_aes_256_gcm();
    default: return NULL;
    }
}

struct aes_gcm *aes_gcm_new(const uint8_t *key, size_t key_size, bool seals)
{
    const EVP_CIPHER *cipher = cipher_of(key_size);
    EVP_CIPHER_CTX *context = cipher ? EVP_CIPHER_CTX_new() : NULL;
    if (!context) return NULL;
    if (EVP_CipherInit_ex2(context, cipher, key, NULL, seals, NULL) == 1) return (struct aes_gcm *)(void *)context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

void aes_gcm_free(struct aes_gcm *gcm)
{
    EVP_CIPHER_CTX_free(context_of(gcm));
}

/* The message between the nonce and the tag. */
static bool pass(EVP_CIPHER_CTX *context, const struct aes_gcm_message *message)
{
    int size;
    return EVP_CipherUpdate(context, NULL, &size, message->additional, (int)message->additional_size) == 1 &&
           EVP_CipherUpdate(context, message->out, &size, message->in, (int)message->size) == 1 &&
           EVP_CipherFinal_ex(context, message->out + size, &size) == 1;
}

bool aes_gcm_seal(struct aes_gcm *gcm, const struct aes_gcm_message *message, uint8_t ret_tag[static AES_GCM_TAG_BYTES])
{
    EVP_CIPHER_CTX *context = context_of(gcm);
    OSSL_PARAM tag[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, ret_tag, AES_GCM_TAG_BYTES),
                        OSSL_PARAM_END};
    return EVP_CipherInit_ex2(context, NULL, NULL, message->nonce, -1, NULL) == 1 && pass(context, message) &&
           EVP_CIPHER_CTX_get_params(context, tag) == 1;
}

bool aes_gcm_open(struct aes_gcm *gcm, const struct aes_gcm_message *message,
                  const uint8_t tag[static AES_GCM_TAG_BYTES])
{
    EVP_CIPHER_CTX *context = context_of(gcm);
    uint8_t wanted[AES_GCM_TAG_BYTES];
    memcpy(wanted, tag, sizeof wanted); /* the library's type for it is not const */
    const OSSL_PARAM parameters[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, wanted, sizeof wanted),
                                     OSSL_PARAM_END};
    return EVP_CipherInit_ex2(context, NULL, NULL, message->nonce, -1, parameters) == 1 && pass(context, message);
}
