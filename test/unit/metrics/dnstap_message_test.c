/* dnstap_message: frames as any reader of protocol buffers takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "metrics/dnstap_message.h"

/* A field as a reader finds it: numbers in `number`, bytes in `bytes`. */
struct field {
    unsigned number_of_field;
    uint64_t number;
    const uint8_t *bytes;
};

static uint64_t take_varint(const uint8_t **at)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t octet = *(*at)++;
        value |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80) return value;
    }
}

/* Of bytes, `number` is their count. */
static struct field take_field(const uint8_t **at)
{
    uint64_t key = take_varint(at);
    struct field field = {.number_of_field = (unsigned)(key >> 3)};
    switch (key & 7) {
    case 0: field.number = take_varint(at); break;
    case 2:
        field.number = take_varint(at);
        field.bytes = *at;
        *at += field.number;
        break;
    case 5:
        for (int i = 0; i < 4; i++) field.number |= (uint64_t) * (*at)++ << 8 * i;
        break;
    default: fail();
    }
    return field;
}

static struct field find(const uint8_t *bytes, size_t size, unsigned number)
{
    const uint8_t *at = bytes;
    struct field found = {0};
    while (at < bytes + size) {
        struct field field = take_field(&at);
        if (field.number_of_field != number) continue;
        assert_int_equal(found.number_of_field, 0); /* once */
        found = field;
    }
    assert_ptr_equal(at, bytes + size);
    return found;
}

static uint64_t number_in(const struct field *message, unsigned number)
{
    struct field field = find(message->bytes, message->number, number);
    assert_null(field.bytes);
    return field.number;
}

static void assert_bytes(struct field field, const void *bytes, size_t size)
{
    assert_int_equal(field.number, size);
    assert_memory_equal(field.bytes, bytes, size);
}

static const uint8_t dns[] = "\0\7 a message";

static size_t write(enum dnstap_type type, const struct address *client, const struct address *server, uint8_t *out)
{
    const struct dnstap_message message = {.type = type,
                                           .protocol = DNSTAP_TCP,
                                           .client = client,
                                           .server = server,
                                           .wall_ns = 1790000000 * NS_PER_S + 123456789,
                                           .bytes = dns,
                                           .size = sizeof dns};
    return dnstap_message_write(&message, "host", "program 1", out);
}

static void a_query_of_a_client(void **state)
{
    (void)state;
    uint8_t out[sizeof dns + DNSTAP_EXTRA_BYTES];
    struct address client;
    assert_true(address_parse("192.0.2.7:4711", 0, &client));
    size_t size = write(DNSTAP_CLIENT_QUERY, &client, NULL, out);
    assert_bytes(find(out, size, 1), "host", 4);
    assert_bytes(find(out, size, 2), "program 1", 9);
    assert_int_equal(find(out, size, 15).number, 1); /* Dnstap.Type MESSAGE */
    struct field message = find(out, size, 14);
    assert_int_equal(number_in(&message, 1), 5);
    assert_int_equal(number_in(&message, 2), 1); /* INET */
    assert_int_equal(number_in(&message, 3), 2); /* TCP */
    assert_bytes(find(message.bytes, message.number, 4), "\xc0\0\2\7", 4);
    assert_int_equal(number_in(&message, 6), 4711);
    assert_int_equal(number_in(&message, 8), 1790000000);
    assert_int_equal(number_in(&message, 9), 123456789);
    assert_bytes(find(message.bytes, message.number, 10), dns, sizeof dns);
    for (unsigned absent = 5; absent <= 14; absent++)
        if (absent != 6 && (absent < 8 || absent > 10))
            assert_int_equal(find(message.bytes, message.number, absent).number_of_field, 0);
}

static void a_response_of_an_upstream(void **state)
{
    (void)state;
    uint8_t out[sizeof dns + DNSTAP_EXTRA_BYTES];
    struct address server;
    assert_true(address_parse("[2001:db8::1]:853", 0, &server));
    size_t size = write(DNSTAP_FORWARDER_RESPONSE, NULL, &server, out);
    struct field message = find(out, size, 14);
    assert_int_equal(number_in(&message, 1), 8);
    assert_int_equal(number_in(&message, 2), 2); /* INET6 */
    assert_bytes(find(message.bytes, message.number, 5), server.ip, 16);
    assert_int_equal(number_in(&message, 7), 853);
    assert_int_equal(number_in(&message, 12), 1790000000);
    assert_int_equal(number_in(&message, 13), 123456789);
    assert_bytes(find(message.bytes, message.number, 14), dns, sizeof dns);
    assert_int_equal(find(message.bytes, message.number, 10).number_of_field, 0);
}

static void the_largest_frame_fits(void **state)
{
    (void)state;
    enum { SIZE = UINT16_MAX };
    uint8_t *bytes = calloc(1, SIZE), *out = malloc(SIZE + DNSTAP_EXTRA_BYTES);
    char name[2 * DNSTAP_NAME_MAX];
    struct address address;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_true(address_parse("[2001:db8::1]:65535", 0, &address));
    const struct dnstap_message message = {.type = DNSTAP_CLIENT_RESPONSE,
                                           .protocol = DNSTAP_UDP,
                                           .client = &address,
                                           .server = &address,
                                           .wall_ns = UINT64_MAX,
                                           .bytes = bytes,
                                           .size = SIZE};
    size_t size = dnstap_message_write(&message, name, name, out); /* a sanitizer sees who writes beyond */
    assert_int_equal(find(out, size, 1).number, DNSTAP_NAME_MAX);
    struct field inner = find(out, size, 14);
    assert_int_equal(find(inner.bytes, inner.number, 14).number, SIZE);
    free(bytes);
    free(out);
}

static void an_empty_message_and_no_name(void **state)
{
    (void)state;
    uint8_t out[DNSTAP_EXTRA_BYTES];
    struct address address;
    assert_true(address_parse("192.0.2.7:53", 0, &address));
    const struct dnstap_message message = {.type = DNSTAP_CLIENT_QUERY, .protocol = DNSTAP_UDP, .client = &address};
    size_t size = dnstap_message_write(&message, "", "", out);
    assert_int_equal(find(out, size, 1).number_of_field, 0);
    struct field inner = find(out, size, 14);
    assert_int_equal(find(inner.bytes, inner.number, 10).number, 0);
    assert_non_null(find(inner.bytes, inner.number, 10).bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_of_a_client),
        cmocka_unit_test(a_response_of_an_upstream),
        cmocka_unit_test(the_largest_frame_fits),
        cmocka_unit_test(an_empty_message_and_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
