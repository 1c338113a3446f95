/* The image of what is handed over comes out as it was written, and one that is damaged or another version's is refused
 * as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/handover_image.h"
#include "metrics/counters.h"

static const uint8_t partial[] = "\0\40half a mess";
static const uint8_t unsent[] = "the rest of a reply";

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, 0, &address));
    return address;
}

static struct tcp_client_state busy_client(void)
{
    return (struct tcp_client_state){
        .address = address_of("[2001:db8::7]:4711"),
        .greeted = true,
        .ended = true,
        .end_cause = LABEL_CLOSED_ACCESS,
        .discard = 17,
        .asked = 3,
        .input_started_ns = 111,
        .output_started_ns = 222,
        .rate_started_ns = 333,
        .partial = partial,
        .partial_bytes = sizeof partial,
        .unsent = unsent,
        .unsent_bytes = sizeof unsent,
    };
}

/* Two listeners, a UDP socket, a busy client and one that never said a word. */
static struct buffer write_image(void)
{
    struct handover_writer writer;
    const struct address listen[] = {address_of("127.0.0.1:53"), address_of("[::1]:53")};
    const struct tcp_client_state busy = busy_client(), silent = {.address = address_of("192.0.2.1:1024")};
    handover_writer_init(&writer, 12345);
    for (int i = 0; i < 2; i++) handover_writer_add_listener(&writer, &listen[i]);
    handover_writer_add_udp(&writer, &listen[0]);
    handover_writer_add_client(&writer, 0xfedcba9876543210, &busy);
    handover_writer_add_client(&writer, 2, &silent);
    writer.summary.left = 4;
    assert_true(handover_writer_finish(&writer));
    return writer.image;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct buffer image = write_image();
    struct handover_reader reader;
    struct address address;
    struct tcp_client_state client;
    uint64_t cookie;
    bool is_sound;
    assert_int_equal(handover_reader_init(&reader, image.bytes, buffer_size(&image)), HANDOVER_GOOD);
    assert_string_equal(reader.summary.by, PROJECT_VERSION);
    assert_int_equal(reader.summary.stopped_ns, 12345);
    assert_int_equal(reader.summary.listeners, 2);
    assert_int_equal(reader.summary.udp_sockets, 1);
    assert_int_equal(reader.summary.clients, 2);
    assert_int_equal(reader.summary.left, 4);
    const char *const expected[] = {"127.0.0.1:53", "[::1]:53", "127.0.0.1:53"};
    for (int i = 0; i < 3; i++) {
        const struct address own = address_of(expected[i]);
        assert_true(handover_reader_next_address(&reader, &address));
        assert_true(address_equal(&address, &own));
    }
    assert_int_equal(handover_reader_next_client(&reader, &cookie, &client, &is_sound), HANDOVER_GOOD);
    const struct tcp_client_state busy = busy_client();
    assert_true(is_sound && cookie == 0xfedcba9876543210 && address_equal(&client.address, &busy.address));
    assert_true(client.greeted && client.ended && !client.held_back && client.end_cause == LABEL_CLOSED_ACCESS);
    assert_true(client.discard == 17 && client.asked == 3 && client.input_started_ns == 111 &&
                client.output_started_ns == 222 && client.rate_started_ns == 333);
    assert_int_equal(client.partial_bytes, sizeof partial);
    assert_memory_equal(client.partial, partial, sizeof partial);
    assert_int_equal(client.unsent_bytes, sizeof unsent);
    assert_memory_equal(client.unsent, unsent, sizeof unsent);
    assert_int_equal(handover_reader_next_client(&reader, &cookie, &client, &is_sound), HANDOVER_GOOD);
    assert_true(is_sound && cookie == 2 && !client.greeted && client.partial_bytes == 0);
    assert_int_equal(handover_reader_next_client(&reader, &cookie, &client, &is_sound), HANDOVER_DAMAGED);
    free(image.bytes);
}

static enum handover_verdict judge(const uint8_t *bytes, size_t size)
{
    struct handover_reader reader;
    uint8_t *copy = malloc(size + 1); /* as long as that, for the sanitizer */
    assert_non_null(copy);
    if (size > 0) memcpy(copy, bytes, size);
    enum handover_verdict verdict = handover_reader_init(&reader, copy, size);
    free(copy);
    return verdict;
}

static void no_octet_may_be_missing(void **state)
{
    (void)state;
    struct buffer image = write_image();
    for (size_t size = 0; size < buffer_size(&image); size++)
        assert_int_equal(judge(image.bytes, size), HANDOVER_DAMAGED);
    free(image.bytes);
}

static void no_octet_may_be_added(void **state)
{
    (void)state;
    struct buffer image = write_image();
    assert_true(buffer_add(&image, "", 1));
    assert_int_equal(judge(image.bytes, buffer_size(&image)), HANDOVER_DAMAGED);
    free(image.bytes);
}

static void no_bit_may_be_changed(void **state)
{
    (void)state;
    struct buffer image = write_image();
    for (size_t bit = 0; bit < buffer_size(&image) * 8; bit++) {
        image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(judge(image.bytes, buffer_size(&image)), HANDOVER_GOOD);
        image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(judge(image.bytes, buffer_size(&image)), HANDOVER_GOOD);
    free(image.bytes);
}

static void another_version_is_told_from_damage(void **state)
{
    (void)state;
    struct buffer image = write_image();
    image.bytes[11]++; /* the version's last octet */
    assert_int_equal(judge(image.bytes, buffer_size(&image)), HANDOVER_VERSION);
    assert_int_equal(judge(image.bytes, 20), HANDOVER_VERSION); /* whatever its front is */
    free(image.bytes);
}

/* Whole by its checksum, and yet it claims what is not there. */
static void counts_that_cannot_be_are_refused(void **state)
{
    (void)state;
    enum {
        AT_LISTENERS = HANDOVER_FRONT_BYTES + HANDOVER_BY_BYTES + 8,
        AT_UDP = AT_LISTENERS + 4,
        AT_CLIENTS = AT_UDP + 4
    };
    const size_t places[] = {AT_LISTENERS, AT_UDP, AT_CLIENTS};
    for (unsigned i = 0; i < 3; i++) {
        struct buffer image = write_image();
        memset(image.bytes + places[i], 0xff, 4);
        handover_image_seal(image.bytes, buffer_size(&image));
        assert_int_equal(judge(image.bytes, buffer_size(&image)), HANDOVER_DAMAGED);
        free(image.bytes);
    }
    struct buffer image = write_image();
    image.bytes[HANDOVER_FRONT_BYTES] = '\n'; /* the version is for the log */
    handover_image_seal(image.bytes, buffer_size(&image));
    assert_int_equal(judge(image.bytes, buffer_size(&image)), HANDOVER_DAMAGED);
    free(image.bytes);
}

/* Of a client that claims more bytes than there are, and of all behind it, nothing is used. */
static void lengths_that_cannot_be_end_the_list(void **state)
{
    (void)state;
    struct handover_writer writer;
    struct handover_reader reader;
    struct tcp_client_state client = busy_client();
    uint64_t cookie;
    bool is_sound;
    handover_writer_init(&writer, 1);
    handover_writer_add_client(&writer, 1, &client);
    size_t end = buffer_size(&writer.image) - sizeof partial - sizeof unsent;
    writer.image.bytes[end - 1]++; /* of what was not sent */
    assert_true(handover_writer_finish(&writer));
    assert_int_equal(handover_reader_init(&reader, writer.image.bytes, buffer_size(&writer.image)), HANDOVER_GOOD);
    assert_int_equal(handover_reader_next_client(&reader, &cookie, &client, &is_sound), HANDOVER_DAMAGED);
    handover_writer_done(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(no_octet_may_be_missing),
        cmocka_unit_test(no_octet_may_be_added),
        cmocka_unit_test(no_bit_may_be_changed),
        cmocka_unit_test(another_version_is_told_from_damage),
        cmocka_unit_test(counts_that_cannot_be_are_refused),
        cmocka_unit_test(lengths_that_cannot_be_end_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
