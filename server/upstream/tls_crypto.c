#include "upstream/tls_crypto.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "upstream/aes_gcm.h"

enum { DEVICE = 0x444f54 }; /* any number but INVALID_DEVID: no other device is registered */

struct tls_crypto {
    const char *ciphers;
    int device;
    atomic_uint unclaimed_count; /* so that the lock is taken only where there is something to take */
    pthread_mutex_t lock;        /* guards `unclaimed` */
    struct list unclaimed;       /* of struct key */
};

/* A key of the library in libcrypto's form. The library's key object points to it. */
struct key {
    struct list node;    /* in tls_crypto.unclaimed, then in the list of its connection */
    pthread_t maker;     /* the thread on whose behalf it was made */
    const void *object;  /* the library's */
    struct aes_gcm *gcm; /* of these octets: */
    size_t size;
    bool seals;
    uint8_t octets[AES_GCM_KEY_MAX];
};

static void key_free(struct key *key)
{
    if (!key) return;
    aes_gcm_free(key->gcm);
    explicit_bzero(key->octets, sizeof key->octets);
    free(key);
}

#ifdef WOLF_CRYPTO_CB

static bool is_current(const struct key *key, const Aes *aes, bool seals)
{
    return key->seals == seals && key->size == (size_t)aes->keylen && memcmp(key->octets, aes->devKey, key->size) == 0;
}

/* Takes over the key that the library has in its object now. */
static bool key_set(struct key *key, const Aes *aes, bool seals)
{
    size_t size = (size_t)aes->keylen;
    struct aes_gcm *gcm = aes_gcm_new((const uint8_t *)aes->devKey, size, seals);
    if (!gcm) return false;
    aes_gcm_free(key->gcm);
    key->gcm = gcm;
    key->seals = seals;
    key->size = size;
    memcpy(key->octets, aes->devKey, size);
    return true;
}

/* The object was made, or initialised again, since it was used last. */
static struct key *key_new(struct tls_crypto *crypto, Aes *aes, bool seals)
{
    struct key *key = calloc(1, sizeof *key);
    if (!key || !key_set(key, aes, seals)) {
        key_free(key);
        return NULL;
    }
    key->maker = pthread_self();
    key->object = aes;
    aes->devCtx = key;
    pthread_mutex_lock(&crypto->lock);
    list_push(&crypto->unclaimed, &key->node);
    pthread_mutex_unlock(&crypto->lock);
    atomic_fetch_add_explicit(&crypto->unclaimed_count, 1, memory_order_relaxed);
    return key;
}

static struct aes_gcm *gcm_of(struct tls_crypto *crypto, Aes *aes, bool seals)
{
    struct key *key = aes->devCtx;
    if (!key) key = key_new(crypto, aes, seals);
    return key && (is_current(key, aes, seals) || key_set(key, aes, seals)) ? key->gcm : NULL;
}

/* The library asks for an operation. What is refused here, before anything was computed, it does by itself; not what
 * failed in between: the text may be encrypted in place by then, and the same key and nonce would decrypt it. */
static int on_operation(int device, wc_CryptoInfo *info, void *context)
{
    (void)device;
    if (info->algo_type != WC_ALGO_TYPE_CIPHER || info->cipher.type != WC_CIPHER_AES_GCM) return CRYPTOCB_UNAVAILABLE;
    bool seals = info->cipher.enc;
    const __typeof__(info->cipher.aesgcm_enc) *seal = &info->cipher.aesgcm_enc;
    const __typeof__(info->cipher.aesgcm_dec) *open = &info->cipher.aesgcm_dec;
    Aes *aes = seals ? seal->aes : open->aes;
    uint32_t nonce_size = seals ? seal->ivSz : open->ivSz;
    uint32_t tag_size = seals ? seal->authTagSz : open->authTagSz;
    const struct aes_gcm_message message = {
        .nonce = seals ? seal->iv : open->iv,
        .additional = seals ? seal->authIn : open->authIn,
        .additional_size = seals ? seal->authInSz : open->authInSz,
        .in = seals ? seal->in : open->in,
        .size = seals ? seal->sz : open->sz,
        .out = seals ? seal->out : open->out,
    };
    bool is_usual = aes && nonce_size == AES_GCM_NONCE_BYTES && tag_size == AES_GCM_TAG_BYTES && message.size > 0;
    struct aes_gcm *gcm = is_usual ? gcm_of(context, aes, seals) : NULL;
    if (!gcm) return CRYPTOCB_UNAVAILABLE;
    if (seals) return aes_gcm_seal(gcm, &message, seal->authTag) ? 0 : MEMORY_E;
    return aes_gcm_open(gcm, &message, open->authTag) ? 0 : AES_GCM_AUTH_E;
}

static int register_device(struct tls_crypto *crypto)
{
    return wc_CryptoCb_RegisterDevice(DEVICE, on_operation, crypto) == 0 ? DEVICE : INVALID_DEVID;
}

static void unregister_device(const struct tls_crypto *crypto)
{
    if (crypto->device != INVALID_DEVID) wc_CryptoCb_UnRegisterDevice(crypto->device);
}

#else /* the library was built without devices */

static int register_device(struct tls_crypto *crypto)
{
    (void)crypto;
    return INVALID_DEVID;
}

static void unregister_device(const struct tls_crypto *crypto)
{
    (void)crypto;
}

#endif

struct tls_crypto *tls_crypto_new(const struct tls_cipher_costs *costs)
{
    struct tls_cipher_costs measured;
    struct tls_crypto *crypto = calloc(1, sizeof *crypto);
    if (!crypto) return NULL;
    wolfSSL_Init();
    crypto->device = INVALID_DEVID;
    pthread_mutex_init(&crypto->lock, NULL);
    list_init(&crypto->unclaimed);
    if (!costs && tls_ciphers_measure(&measured)) costs = &measured;
    if (tls_ciphers_want_libcrypto(costs)) crypto->device = register_device(crypto);
    crypto->ciphers = tls_ciphers_order(costs, crypto->device != INVALID_DEVID);
    return crypto;
}

void tls_crypto_free(struct tls_crypto *crypto)
{
    if (!crypto) return;
    unregister_device(crypto);
    tls_crypto_free_keys(&crypto->unclaimed); /* of who did not claim them */
    pthread_mutex_destroy(&crypto->lock);
    wolfSSL_Cleanup();
    free(crypto);
}

const char *tls_crypto_ciphers(const struct tls_crypto *crypto)
{
    return crypto ? crypto->ciphers : tls_ciphers_order(NULL, false);
}

int tls_crypto_device(const struct tls_crypto *crypto)
{
    return crypto ? crypto->device : INVALID_DEVID;
}

/* ---- whose a key is ---- */

/* The library initialises its object again for each new key of a connection. */
static void free_former(struct list *keys, const void *object)
{
    list_for_each_safe (node, keys) {
        struct key *key = container_of(node, struct key, node);
        if (key->object != object) continue;
        list_remove(node);
        key_free(key);
    }
}

void tls_crypto_claim(struct tls_crypto *crypto, struct list *keys)
{
    struct list made;
    struct list *node;
    /* What this thread made it has counted itself: no order between threads matters. */
    if (!crypto || atomic_load_explicit(&crypto->unclaimed_count, memory_order_relaxed) == 0) return;
    list_init(&made);
    pthread_mutex_lock(&crypto->lock);
    list_for_each_safe (candidate, &crypto->unclaimed) {
        if (!pthread_equal(container_of(candidate, struct key, node)->maker, pthread_self())) continue;
        list_remove(candidate);
        list_push(&made, candidate);
    }
    pthread_mutex_unlock(&crypto->lock);
    while ((node = list_take(&made))) {
        atomic_fetch_sub_explicit(&crypto->unclaimed_count, 1, memory_order_relaxed);
        free_former(keys, container_of(node, struct key, node)->object);
        list_push(keys, node);
    }
}

void tls_crypto_free_keys(struct list *keys)
{
    struct list *node;
    while ((node = list_take(keys))) key_free(container_of(node, struct key, node));
}
