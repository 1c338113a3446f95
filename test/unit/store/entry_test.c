/* An entry says what was stored, to those who have the secret, and for its own question alone. */
#include "store/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t secret[ENTRY_SECRET_BYTES] = "0123456789abcdef0123456789abcde";
static const char message[] = "a response of some length";

static struct question_key key_of(const char *wire, size_t size, uint8_t flags)
{
    struct question_key key = {.size = (uint16_t)(size + 3)};
    memcpy(key.bytes, wire, size);
    key.bytes[size + 1] = DNS_TYPE_A;
    key.bytes[size + 2] = flags;
    return key;
}

static struct entry_digest digest_of(const struct entry_keys *keys, const char *origin, uint8_t flags)
{
    struct entry_digest digest;
    const struct question_key key = key_of("\7example\3com", 13, flags);
    entry_digest_make(keys, origin, &key, &digest);
    return digest;
}

struct made {
    struct entry_keys keys;
    struct entry_digest digest;
    uint8_t bytes[ENTRY_BYTES_MIN + sizeof message];
    size_t size;
};

static struct made make(void)
{
    struct made made;
    const struct entry entry = {1700000000123, 1700000300123, (const uint8_t *)message, sizeof message};
    entry_keys_derive(secret, &made.keys);
    made.digest = digest_of(&made.keys, "cloudflare-dns.com", 1);
    made.size = entry_write(&made.keys, &made.digest, &entry, made.bytes);
    return made;
}

/* From memory that ends where the entry does. */
static enum entry_verdict read(const struct made *made, const struct entry_keys *keys,
                               const struct entry_digest *digest, size_t size, struct entry *ret_entry)
{
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, made->bytes, size < sizeof made->bytes ? size : sizeof made->bytes);
    enum entry_verdict verdict = entry_read(keys, digest, exact, size, ret_entry);
    free(exact);
    return verdict;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct made made = make();
    struct entry entry;
    assert_int_equal(entry_read(&made.keys, &made.digest, made.bytes, made.size, &entry), ENTRY_GOOD);
    assert_int_equal(entry.stored_ms, 1700000000123);
    assert_int_equal(entry.expires_ms, 1700000300123);
    assert_int_equal(entry.message_size, sizeof message);
    assert_memory_equal(entry.message, message, sizeof message);
}

/* Other programs of a fleet may be of another build: the bytes are fixed. Made with Python's hmac and struct. */
static void the_layout_is_the_documented_one(void **state)
{
    (void)state;
    static const uint8_t head[] = {'D',  'T',  'P',  0x01, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5,
                                   0x68, 0x7b, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe9, 0xfc, 0x5b};
    struct made made = make();
    char digits[ENTRY_KEY_DIGITS];
    assert_int_equal(made.size, sizeof head + sizeof message + MAC_BYTES);
    assert_memory_equal(made.bytes, head, sizeof head);
    assert_memory_equal(made.bytes + sizeof head, message, sizeof message);
    entry_key_write(&made.digest, digits);
    assert_memory_equal(digits, "616576499762181c45c345517dbc8ed1", sizeof digits);
    static const uint8_t mac[MAC_BYTES] = {0x97, 0x17, 0x48, 0x55, 0x9f, 0x30, 0xe9, 0x02, 0x75, 0xa6, 0x8b,
                                           0x21, 0x1b, 0xd8, 0x6a, 0x85, 0x83, 0x1d, 0x5e, 0x78, 0xa1, 0xaa,
                                           0xa0, 0xd6, 0xce, 0x69, 0x63, 0xaf, 0x5e, 0xf3, 0xfb, 0xd5};
    assert_memory_equal(made.bytes + made.size - MAC_BYTES, mac, sizeof mac);
}

static void any_bit_that_differs_is_noticed(void **state)
{
    (void)state;
    struct made made = make();
    struct entry entry;
    for (size_t bit = 0; bit < made.size * 8; bit++) {
        made.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum entry_verdict verdict = read(&made, &made.keys, &made.digest, made.size, &entry);
        assert_int_equal(verdict, bit < 32 ? ENTRY_FORMAT : ENTRY_FORGED);
        made.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void an_entry_of_another_size_is_none(void **state)
{
    (void)state;
    struct made made = make();
    struct entry entry;
    for (size_t size = 0; size < made.size; size++) {
        enum entry_verdict verdict = read(&made, &made.keys, &made.digest, size, &entry);
        assert_int_equal(verdict, size < ENTRY_BYTES_MIN ? ENTRY_FORMAT : ENTRY_FORGED);
    }
    assert_int_equal(read(&made, &made.keys, &made.digest, ENTRY_BYTES_MAX + 1, &entry), ENTRY_FORMAT);
}

static void an_entry_is_that_of_its_question_alone(void **state)
{
    (void)state;
    struct made made = make();
    struct entry entry;
    const struct entry_digest others[] = {
        digest_of(&made.keys, "cloudflare-dns.com", 1 | 8), /* with DO */
        digest_of(&made.keys, "dns.quad9.net", 1),          /* of other upstreams */
        digest_of(&made.keys, "", 1),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(entry_read(&made.keys, &others[i], made.bytes, made.size, &entry), ENTRY_FORGED);
}

static void another_secret_finds_and_reads_nothing(void **state)
{
    (void)state;
    static const uint8_t other[ENTRY_SECRET_BYTES] = {1};
    struct made made = make();
    struct entry_keys keys;
    struct entry entry;
    entry_keys_derive(other, &keys);
    struct entry_digest digest = digest_of(&keys, "cloudflare-dns.com", 1);
    assert_memory_not_equal(digest.bytes, made.digest.bytes, sizeof digest.bytes);
    assert_int_equal(entry_read(&keys, &made.digest, made.bytes, made.size, &entry), ENTRY_FORGED);
    assert_memory_not_equal(keys.name.bytes, keys.value.bytes, MAC_BYTES);
}

static void an_origin_and_a_name_do_not_run_into_each_other(void **state)
{
    (void)state;
    struct entry_keys keys;
    struct entry_digest digest, other;
    entry_keys_derive(secret, &keys);
    const struct question_key key = key_of("\1a", 3, 1), longer = key_of("\1b\1a", 5, 1);
    entry_digest_make(&keys, "", &longer, &digest);
    entry_digest_make(&keys, "\1b", &key, &other);
    assert_memory_not_equal(digest.bytes, other.bytes, sizeof digest.bytes);
}

static void the_largest_message_has_room(void **state)
{
    (void)state;
    struct made made = make();
    uint8_t *large = calloc(1, DNS_MESSAGE_MAX), *bytes = malloc(ENTRY_BYTES_MAX);
    struct entry entry = {1, 2, large, DNS_MESSAGE_MAX};
    assert_int_equal(entry_write(&made.keys, &made.digest, &entry, bytes), ENTRY_BYTES_MAX);
    assert_int_equal(entry_read(&made.keys, &made.digest, bytes, ENTRY_BYTES_MAX, &entry), ENTRY_GOOD);
    assert_int_equal(entry.message_size, DNS_MESSAGE_MAX);
    free(large);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(any_bit_that_differs_is_noticed),
        cmocka_unit_test(an_entry_of_another_size_is_none),
        cmocka_unit_test(an_entry_is_that_of_its_question_alone),
        cmocka_unit_test(another_secret_finds_and_reads_nothing),
        cmocka_unit_test(an_origin_and_a_name_do_not_run_into_each_other),
        cmocka_unit_test(the_largest_message_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
