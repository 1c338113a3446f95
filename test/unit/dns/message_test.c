#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns/message.h"
#include "packet.h"

/* Names are read at AT, behind a header that no pointer may lead into. */
enum { AT = DNS_HEADER_BYTES };

static struct packet packet;

static int setup(void **state)
{
    (void)state;
    packet_header(&packet, 0, 0);
    return 0;
}

/* The bytes of the name at `at`, 0 where it is refused. */
static size_t name_size(size_t at, bool compressed)
{
    struct reader reader = packet_reader(&packet, at);
    size_t size = reader_name(&reader, compressed);
    assert_int_equal(reader.failed, size == 0);
    if (size > 0) assert_int_equal(reader.at, at + size);
    return size;
}

static void numbers_are_read_in_network_order(void **state)
{
    (void)state;
    packet_raw(&packet, "\x01\x02\x03\x04\x05\x06\x07\xff", 8);
    struct reader reader = packet_reader(&packet, AT);
    assert_int_equal(reader_u8(&reader), 0x01);
    assert_int_equal(reader_u16(&reader), 0x0203);
    assert_int_equal(reader_u32(&reader), 0x04050607);
    assert_int_equal(reader.at, AT + 7);
    assert_false(reader.failed);
}

static void a_reader_that_ran_over_the_end_stays_failed(void **state)
{
    (void)state;
    packet_raw(&packet, "\x01\x02\x03", 3);
    struct reader reader = packet_reader(&packet, AT);
    assert_int_equal(reader_u32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_int_equal(reader_u16(&reader), 0);
    assert_int_equal(reader_name(&reader, true), 0);
    assert_true(reader.failed);
    assert_int_equal(reader.at, AT);
}

static void skipping_stops_at_the_end(void **state)
{
    (void)state;
    packet_raw(&packet, "abc", 3);
    struct reader reader = packet_reader(&packet, AT);
    reader_skip(&reader, 3);
    assert_false(reader.failed);
    reader_skip(&reader, 0);
    assert_false(reader.failed);
    reader_skip(&reader, 1);
    assert_true(reader.failed);
    reader = packet_reader(&packet, AT);
    reader_skip(&reader, SIZE_MAX);
    assert_true(reader.failed);
}

static void plain_names_are_passed_over(void **state)
{
    (void)state;
    packet_name(&packet, "");
    packet_name(&packet, "www.example.com");
    assert_int_equal(name_size(AT, false), 1);
    assert_int_equal(name_size(AT + 1, false), 17);
    assert_int_equal(name_size(AT + 1, true), 17);
}

static void a_label_has_63_octets_at_the_most(void **state)
{
    (void)state;
    packet_u8(&packet, 63);
    packet.size += 63;
    packet_u8(&packet, 0);
    assert_int_equal(name_size(AT, false), 65);
    for (unsigned length = 64; length < 192; length += 31) { /* 01 and 10: types of labels that nobody uses */
        setup(state);
        packet_u8(&packet, length);
        packet.size += length;
        packet_u8(&packet, 0);
        assert_int_equal(name_size(AT, true), 0);
    }
}

static void a_name_has_255_octets_at_the_most(void **state)
{
    (void)state;
    packet_long_name(&packet, 255);
    assert_int_equal(name_size(AT, false), 255);
    setup(state);
    packet_long_name(&packet, 256);
    assert_int_equal(name_size(AT, false), 0);
}

static void a_name_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    packet_name(&packet, "ab.c");
    packet_pointer(&packet, AT);
    size_t whole = packet.size;
    for (packet.size = AT; packet.size < whole - 2; packet.size++) assert_int_equal(name_size(AT, true), 0);
    assert_int_equal(name_size(AT, true), 6);
    packet.size = whole - 1; /* half a pointer */
    assert_int_equal(name_size(AT + 6, true), 0);
    packet.size = whole;
    assert_int_equal(name_size(AT + 6, true), 2);
}

static void pointers_are_followed_only_where_they_may_be(void **state)
{
    (void)state;
    packet_name(&packet, "example.com");
    size_t second = packet.size;
    packet_raw(&packet, "\3www", 4);
    packet_pointer(&packet, AT + 8);
    assert_int_equal(name_size(second, true), 6);
    assert_int_equal(name_size(second, false), 0);
}

static void pointers_must_lead_back_but_not_into_the_header(void **state)
{
    (void)state;
    packet_name(&packet, "a");
    size_t second = packet.size;
    const size_t targets[] = {second, second + 2, 0x3fff, 0, 4, AT - 1};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        packet.size = second;
        packet_pointer(&packet, targets[i]);
        packet_name(&packet, "b");
        assert_int_equal(name_size(second, true), 0);
    }
}

static void a_name_does_not_run_in_circles(void **state)
{
    (void)state;
    packet_raw(&packet, "\1a", 2); /* a, then back to itself */
    packet_pointer(&packet, AT);
    assert_int_equal(name_size(AT, true), 0);
    setup(state);
    packet_pointer(&packet, AT + 2); /* two that lead to each other */
    packet_pointer(&packet, AT);
    assert_int_equal(name_size(AT, true), 0);
    assert_int_equal(name_size(AT + 2, true), 0);
}

static void a_chain_of_pointers_has_an_end(void **state)
{
    (void)state;
    packet_name(&packet, "a");
    packet_pointer(&packet, AT);
    for (int i = 1; i < NAME_POINTERS_MAX + 1; i++) packet_pointer(&packet, packet.size - 2);
    assert_int_equal(name_size(packet.size - 4, true), 2);
    assert_int_equal(name_size(packet.size - 2, true), 0);
}

static void a_compressed_name_is_measured_at_its_full_length(void **state)
{
    (void)state;
    packet_long_name(&packet, 253);
    size_t fits = packet.size;
    packet_raw(&packet, "\1a", 2);
    packet_pointer(&packet, AT);
    size_t too_long = packet.size;
    packet_raw(&packet, "\2ab", 3);
    packet_pointer(&packet, AT);
    assert_int_equal(name_size(fits, true), 4);
    assert_int_equal(name_size(too_long, true), 0);
}

static void a_record_is_read_with_its_offsets(void **state)
{
    (void)state;
    packet_question(&packet, "x.y", DNS_TYPE_A);
    size_t owner = packet.size;
    packet_record(&packet, DNS_ANSWER, 0x1234, 0x01020304, "data", 4);
    struct reader reader = packet_reader(&packet, owner);
    struct record record;
    reader_record(&reader, &record);
    assert_false(reader.failed);
    assert_int_equal(reader.at, packet.size);
    assert_int_equal(record.owner, owner);
    assert_int_equal(record.type, 0x1234);
    assert_int_equal(record.class, DNS_CLASS_IN);
    assert_int_equal(record.ttl, 0x01020304);
    assert_int_equal(dns_u32(packet.bytes + record.ttl_at), 0x01020304);
    assert_int_equal(record.data_size, 4);
    assert_memory_equal(packet.bytes + record.data, "data", 4);
}

static void a_record_that_is_cut_anywhere_is_refused_and_nothing_is_returned(void **state)
{
    (void)state;
    packet_name(&packet, "owner");
    packet_fixed(&packet, DNS_TYPE_A, 60, 4);
    packet_u32(&packet, 0);
    size_t whole = packet.size;
    for (packet.size = AT; packet.size < whole; packet.size++) {
        struct reader reader = packet_reader(&packet, AT);
        struct record record = {.type = 4711};
        reader_record(&reader, &record);
        assert_true(reader.failed);
        assert_int_equal(record.type, 4711);
    }
}

/* TTLs for names to keep clear of: four octets in every ten. */
enum { TTLS = 5, FIRST_TTL = AT + 10, TTL_STEP = 10, BEHIND_TTLS = FIRST_TTL + TTLS * TTL_STEP };

/* Whether a name may begin with a pointer to `target`, where all octets are roots but for those put there. */
static bool may_lead_to(size_t target)
{
    uint8_t ttl_offsets[2 * TTLS];
    for (unsigned i = 0; i < TTLS; i++) dns_put_u16(ttl_offsets + 2 * i, (uint16_t)(FIRST_TTL + TTL_STEP * i));
    packet.size = BEHIND_TTLS;
    packet_pointer(&packet, target);
    struct reader reader = packet_reader(&packet, BEHIND_TTLS);
    reader.ttls = ttl_offsets;
    reader.ttl_count = TTLS;
    return reader_name(&reader, true) > 0;
}

static void no_name_begins_in_a_ttl(void **state)
{
    (void)state;
    for (size_t at = AT; at < BEHIND_TTLS; at++)
        assert_int_equal(may_lead_to(at), at < FIRST_TTL || (at - FIRST_TTL) % TTL_STEP >= 4);
}

static void no_label_root_or_pointer_lies_in_a_ttl(void **state)
{
    (void)state;
    enum { SECOND_TTL = FIRST_TTL + TTL_STEP, THIRD_TTL = SECOND_TTL + TTL_STEP };
    for (size_t first = SECOND_TTL + 4; first < THIRD_TTL; first++) {
        for (size_t root = first + 2; root < BEHIND_TTLS; root++) {
            setup(NULL);
            packet.bytes[first] = (uint8_t)(root - first - 1);
            assert_int_equal(may_lead_to(first), root < THIRD_TTL);
        }
    }
    for (size_t pointer = SECOND_TTL + 4; pointer < THIRD_TTL; pointer++) {
        setup(NULL);
        dns_put_u16(packet.bytes + pointer, 0xc000 | AT);
        assert_int_equal(may_lead_to(pointer), pointer + 1 < THIRD_TTL);
    }
}

static void lower_case_is_that_of_ascii_at_any_length(void **state)
{
    (void)state;
    uint8_t all[256];
    uint8_t lower[256];
    for (size_t i = 0; i < 256; i++) all[i] = (uint8_t)i;
    for (size_t start = 0; start < 256; start++) {
        size_t size = 256 - start;
        uint8_t out[257];
        out[size] = 0xee;
        for (size_t i = 0; i < size; i++) {
            uint8_t octet = all[start + i];
            lower[i] = octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 32) : octet;
        }
        name_to_lower(all + start, size, out);
        assert_memory_equal(out, lower, size);
        assert_int_equal(out[size], 0xee);
    }
    name_to_lower(all, sizeof all, all); /* in place */
    for (size_t i = 'A'; i <= 'Z'; i++) assert_int_equal(all[i], i + 32);
}

static void upper_case_is_found_at_any_place(void **state)
{
    (void)state;
    static const uint8_t others[] = {'a', 'z', '@', '[', '`', '{', 0, 63, 0x80, 0xc1, 0xda, 0xff};
    uint8_t name[40] = {0};
    for (size_t size = 0; size <= sizeof name; size++) {
        for (size_t i = 0; i < size; i++) name[i] = others[i % sizeof others];
        assert_false(name_has_upper(name, size));
        for (size_t at = 0; at < size; at++) {
            uint8_t other = name[at];
            for (const char *upper = "AMZ"; *upper; upper++) {
                name[at] = (uint8_t)*upper;
                assert_true(name_has_upper(name, size));
            }
            name[at] = other;
        }
    }
}

static void a_name_is_expanded_in_lower_case(void **state)
{
    (void)state;
    packet_name(&packet, "Example.COM");
    size_t second = packet.size;
    packet_raw(&packet, "\3WwW", 4);
    packet_pointer(&packet, AT);
    uint8_t out[DNS_NAME_MAX];
    assert_int_equal(name_expand(packet.bytes, second, out), 17);
    assert_memory_equal(out, "\3www\7example\3com", 17);
    assert_int_equal(name_expand(packet.bytes, second - 1, out), 1);
    assert_int_equal(out[0], 0);
    size_t third = packet.size;
    packet_pointer(&packet, second);     /* a pointer to a name, */
    packet_pointer(&packet, second + 4); /* to a pointer, */
    packet_pointer(&packet, second - 1); /* and to the root */
    assert_int_equal(name_expand(packet.bytes, third, out), 17);
    assert_int_equal(name_expand(packet.bytes, third + 2, out), 13);
    assert_memory_equal(out, "\7example\3com", 13);
    assert_int_equal(name_expand(packet.bytes, third + 4, out), 1);
    assert_int_equal(out[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_are_read_in_network_order, setup),
        cmocka_unit_test_setup(a_reader_that_ran_over_the_end_stays_failed, setup),
        cmocka_unit_test_setup(skipping_stops_at_the_end, setup),
        cmocka_unit_test_setup(plain_names_are_passed_over, setup),
        cmocka_unit_test_setup(a_label_has_63_octets_at_the_most, setup),
        cmocka_unit_test_setup(a_name_has_255_octets_at_the_most, setup),
        cmocka_unit_test_setup(a_name_that_is_cut_anywhere_is_refused, setup),
        cmocka_unit_test_setup(pointers_are_followed_only_where_they_may_be, setup),
        cmocka_unit_test_setup(pointers_must_lead_back_but_not_into_the_header, setup),
        cmocka_unit_test_setup(a_name_does_not_run_in_circles, setup),
        cmocka_unit_test_setup(a_chain_of_pointers_has_an_end, setup),
        cmocka_unit_test_setup(a_compressed_name_is_measured_at_its_full_length, setup),
        cmocka_unit_test_setup(a_record_is_read_with_its_offsets, setup),
        cmocka_unit_test_setup(a_record_that_is_cut_anywhere_is_refused_and_nothing_is_returned, setup),
        cmocka_unit_test_setup(no_name_begins_in_a_ttl, setup),
        cmocka_unit_test_setup(no_label_root_or_pointer_lies_in_a_ttl, setup),
        cmocka_unit_test_setup(lower_case_is_that_of_ascii_at_any_length, setup),
        cmocka_unit_test(upper_case_is_found_at_any_place),
        cmocka_unit_test_setup(a_name_is_expanded_in_lower_case, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
