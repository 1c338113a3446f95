/* Where libcrypto is the faster, it computes AES-GCM for the TLS library: the same octets as the library would, with
 * the key that the library has at that moment. Keys belong to the connection for which they were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <openssl/evp.h>
#include <pthread.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "upstream/tls_crypto.h"

enum { TEXT_BYTES = 300, NONCE_BYTES = 12, TAG_BYTES = 16, ADDITIONAL_BYTES = 5 };

static const struct tls_cipher_costs libcrypto_is_faster = {30, 10, true};
static const struct tls_cipher_costs library_is_faster = {1, 10, true};

struct sealed {
    uint8_t text[TEXT_BYTES];
    uint8_t tag[TAG_BYTES];
};

static const uint8_t nonce[NONCE_BYTES] = {1, 2, 3};
static const uint8_t additional[ADDITIONAL_BYTES] = {0x17, 3, 3, 1, 2};
static const uint8_t plain[TEXT_BYTES] = {4, 5, 6};

/* Between the program and libcrypto: what reads the tag of a sealed message can be made to fail. */
static bool is_tag_refused;

int EVP_CIPHER_CTX_get_params(EVP_CIPHER_CTX *context, OSSL_PARAM parameters[])
{
    int (*next)(EVP_CIPHER_CTX *, OSSL_PARAM *);
    *(void **)&next = dlsym(RTLD_NEXT, "EVP_CIPHER_CTX_get_params");
    return is_tag_refused ? 0 : next(context, parameters);
}

static void set_key(Aes *aes, uint8_t first, unsigned size)
{
    const uint8_t key[32] = {first, 7, 8};
    assert_int_equal(wc_AesGcmSetKey(aes, key, size), 0);
}

static void seal(Aes *aes, struct sealed *ret_sealed)
{
    assert_int_equal(wc_AesGcmEncrypt(aes, ret_sealed->text, plain, TEXT_BYTES, nonce, NONCE_BYTES, ret_sealed->tag,
                                      TAG_BYTES, additional, ADDITIONAL_BYTES),
                     0);
}

static int open_sealed(Aes *aes, const struct sealed *sealed, uint8_t out[static TEXT_BYTES])
{
    return wc_AesGcmDecrypt(aes, out, sealed->text, TEXT_BYTES, nonce, NONCE_BYTES, sealed->tag, TAG_BYTES, additional,
                            ADDITIONAL_BYTES);
}

static size_t count(const struct list *list)
{
    size_t count = 0;
    list_for_each (node, list) count++;
    return count;
}

static void both_compute_the_same(void **state)
{
    (void)state;
    struct tls_crypto *crypto = tls_crypto_new(&libcrypto_is_faster);
    struct list keys;
    list_init(&keys);
    assert_int_not_equal(tls_crypto_device(crypto), INVALID_DEVID);
    assert_non_null(strstr(tls_crypto_ciphers(crypto), "TLS13-AES128-GCM-SHA256:TLS13-CHACHA20"));
    for (unsigned size = 16; size <= 32; size += 8) {
        Aes by_libcrypto, by_library;
        struct sealed one, other;
        uint8_t out[TEXT_BYTES];
        wc_AesInit(&by_libcrypto, NULL, tls_crypto_device(crypto));
        wc_AesInit(&by_library, NULL, INVALID_DEVID);
        set_key(&by_libcrypto, 1, size);
        set_key(&by_library, 1, size);
        seal(&by_libcrypto, &one);
        tls_crypto_claim(crypto, &keys);
        assert_non_null(by_libcrypto.devCtx); /* it was libcrypto, indeed */
        seal(&by_library, &other);
        assert_memory_equal(&one, &other, sizeof one);
        assert_int_equal(open_sealed(&by_libcrypto, &one, out), 0);
        assert_memory_equal(out, plain, TEXT_BYTES);
        one.text[TEXT_BYTES / 2] ^= 1;
        assert_int_equal(open_sealed(&by_libcrypto, &one, out), AES_GCM_AUTH_E);
        wc_AesFree(&by_libcrypto);
        wc_AesFree(&by_library);
        tls_crypto_free_keys(&keys);
    }
    tls_crypto_free(crypto);
}

/* From nothing, which libcrypto is not asked for, to the largest record of TLS 1.3. */
static void a_record_of_any_size_is_the_same(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 15, 16, 17, 16383, 16384, 16385};
    static uint8_t one[16385], other[16385];
    struct tls_crypto *crypto = tls_crypto_new(&libcrypto_is_faster);
    struct list keys;
    Aes by_libcrypto, by_library;
    list_init(&keys);
    wc_AesInit(&by_libcrypto, NULL, tls_crypto_device(crypto));
    wc_AesInit(&by_library, NULL, INVALID_DEVID);
    set_key(&by_libcrypto, 1, 16);
    set_key(&by_library, 1, 16);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t tag[TAG_BYTES], other_tag[TAG_BYTES], own_nonce[NONCE_BYTES];
        memset(one, (int)i, sizeof one);
        memset(other, (int)i, sizeof other);
        memset(own_nonce, 0xff - (int)i, sizeof own_nonce); /* another salt each time, and counters near the limit */
        assert_int_equal(wc_AesGcmEncrypt(&by_libcrypto, one, one, sizes[i], own_nonce, NONCE_BYTES, tag, TAG_BYTES,
                                          additional, ADDITIONAL_BYTES),
                         0);
        assert_int_equal(wc_AesGcmEncrypt(&by_library, other, other, sizes[i], own_nonce, NONCE_BYTES, other_tag,
                                          TAG_BYTES, additional, ADDITIONAL_BYTES),
                         0);
        assert_memory_equal(one, other, sizeof one);
        assert_memory_equal(tag, other_tag, sizeof tag);
        for (unsigned wrong = 0; wrong < 2; wrong++) {
            tag[TAG_BYTES - 1] ^= (uint8_t)wrong;
            memcpy(other, one, sizeof other);
            assert_int_equal(wc_AesGcmDecrypt(&by_libcrypto, other, other, sizes[i], own_nonce, NONCE_BYTES, tag,
                                              TAG_BYTES, additional, ADDITIONAL_BYTES),
                             wrong ? AES_GCM_AUTH_E : 0);
        }
    }
    tls_crypto_claim(crypto, &keys);
    wc_AesFree(&by_libcrypto);
    wc_AesFree(&by_library);
    tls_crypto_free_keys(&keys);
    tls_crypto_free(crypto);
}

/* A record is encrypted in place. Were the library to encrypt it once more, with the same key and nonce, what is sent
 * would be the plain text. */
static void what_libcrypto_began_the_library_does_not_do_again(void **state)
{
    (void)state;
    struct tls_crypto *crypto = tls_crypto_new(&libcrypto_is_faster);
    struct list keys;
    uint8_t text[TEXT_BYTES], tag[TAG_BYTES];
    Aes aes;
    list_init(&keys);
    wc_AesInit(&aes, NULL, tls_crypto_device(crypto));
    set_key(&aes, 1, 16);
    memcpy(text, plain, sizeof text);
    is_tag_refused = true;
    int result = wc_AesGcmEncrypt(&aes, text, text, sizeof text, nonce, NONCE_BYTES, tag, TAG_BYTES, additional,
                                  ADDITIONAL_BYTES);
    is_tag_refused = false;
    assert_true(result < 0); /* the connection is closed */
    assert_memory_not_equal(text, plain, sizeof text);
    tls_crypto_claim(crypto, &keys);
    wc_AesFree(&aes);
    tls_crypto_free_keys(&keys);
    tls_crypto_free(crypto);
}

/* As a key update of TLS 1.3 does, with the object initialised again or not. */
static void another_key_takes_the_place_of_the_former(void **state)
{
    (void)state;
    struct tls_crypto *crypto = tls_crypto_new(&libcrypto_is_faster);
    struct list keys;
    Aes aes, reference;
    list_init(&keys);
    wc_AesInit(&aes, NULL, tls_crypto_device(crypto));
    wc_AesInit(&reference, NULL, INVALID_DEVID);
    for (uint8_t update = 0; update < 100; update++) {
        struct sealed one, other;
        if (update % 2 == 0) wc_AesInit(&aes, NULL, tls_crypto_device(crypto));
        set_key(&aes, update, 16);
        set_key(&reference, update, 16);
        seal(&aes, &one);
        seal(&reference, &other);
        assert_memory_equal(&one, &other, sizeof one);
        tls_crypto_claim(crypto, &keys);
        assert_int_equal(count(&keys), 1); /* however often the peer changes it */
    }
    wc_AesFree(&aes);
    wc_AesFree(&reference);
    tls_crypto_free_keys(&keys);
    assert_int_equal(count(&keys), 0);
    tls_crypto_free(crypto);
}

struct other_thread {
    struct tls_crypto *crypto;
    struct list keys;
    Aes aes;
};

static void *seal_elsewhere(void *context)
{
    struct other_thread *thread = context;
    struct sealed sealed;
    seal(&thread->aes, &sealed);
    tls_crypto_claim(thread->crypto, &thread->keys);
    return NULL;
}

static void a_thread_claims_what_it_made_itself(void **state)
{
    (void)state;
    struct tls_crypto *crypto = tls_crypto_new(&libcrypto_is_faster);
    struct other_thread other = {.crypto = crypto};
    struct sealed sealed;
    struct list keys;
    pthread_t thread;
    Aes aes;
    list_init(&keys);
    list_init(&other.keys);
    wc_AesInit(&aes, NULL, tls_crypto_device(crypto));
    wc_AesInit(&other.aes, NULL, tls_crypto_device(crypto));
    set_key(&aes, 1, 16);
    set_key(&other.aes, 2, 16);
    seal(&aes, &sealed);
    assert_int_equal(pthread_create(&thread, NULL, seal_elsewhere, &other), 0);
    pthread_join(thread, NULL);
    assert_int_equal(count(&other.keys), 1); /* not that of this thread, which waits all the time */
    tls_crypto_claim(crypto, &keys);
    assert_int_equal(count(&keys), 1);
    seal(&aes, &sealed); /* and both are as good as before */
    seal(&other.aes, &sealed);
    tls_crypto_free_keys(&keys);
    tls_crypto_free_keys(&other.keys);
    tls_crypto_free(crypto);
}

/* The thread ended between the call and the claim: its key goes with the rest. */
static void a_key_that_nobody_claimed_is_freed_at_the_end(void **state)
{
    (void)state;
    struct tls_crypto *crypto = tls_crypto_new(&libcrypto_is_faster);
    struct sealed sealed;
    Aes aes;
    wc_AesInit(&aes, NULL, tls_crypto_device(crypto));
    set_key(&aes, 1, 16);
    seal(&aes, &sealed);
    tls_crypto_free(crypto); /* the leak sanitizer looks at it */
}

static void the_library_encrypts_where_it_is_faster(void **state)
{
    (void)state;
    struct tls_crypto *crypto = tls_crypto_new(&library_is_faster);
    assert_int_equal(tls_crypto_device(crypto), INVALID_DEVID);
    assert_int_equal(tls_crypto_device(NULL), INVALID_DEVID);
    assert_non_null(strstr(tls_crypto_ciphers(crypto), "TLS13-AES128-GCM-SHA256:TLS13-CHACHA20"));
    assert_non_null(strstr(tls_crypto_ciphers(NULL), "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM"));
    tls_crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_compute_the_same),
        cmocka_unit_test(a_record_of_any_size_is_the_same),
        cmocka_unit_test(what_libcrypto_began_the_library_does_not_do_again),
        cmocka_unit_test(another_key_takes_the_place_of_the_former),
        cmocka_unit_test(a_thread_claims_what_it_made_itself),
        cmocka_unit_test(a_key_that_nobody_claimed_is_freed_at_the_end),
        cmocka_unit_test(the_library_encrypts_where_it_is_faster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
