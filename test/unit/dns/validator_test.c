#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "dns/validator.h"

#include "packet.h"

enum {
    TYPE_TXT = 16,
    TYPE_MX = 15,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_NAPTR = 35,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_NSEC3 = 50,
    TYPE_HTTPS = 65,
    TYPE_TSIG = 250,
    TYPE_CAA = 257,
    TYPE_UNKNOWN = 65280,
};

/* The question takes this much, so the first record's data begin 12 behind it. */
enum { QUESTION_END = DNS_HEADER_BYTES + 13 + 4, DATA_AT = QUESTION_END + 12 };

static struct packet packet;

static int setup(void **state)
{
    (void)state;
    packet_header(&packet, 1, DNS_QR);
    packet_question(&packet, "example.com", DNS_TYPE_A);
    return 0;
}

static bool is_sound(void)
{
    return validator_is_message(packet.bytes, packet.size);
}

/* Whether a response with one record of these data is sound. */
static bool takes(unsigned type, const void *data, size_t size)
{
    setup(NULL);
    packet_record(&packet, DNS_ANSWER, type, 60, data, size);
    return is_sound();
}

static void a_question_alone_is_a_message(void **state)
{
    (void)state;
    assert_true(is_sound());
}

static void a_message_has_one_question(void **state)
{
    (void)state;
    packet_question(&packet, "example.org", DNS_TYPE_A);
    assert_false(is_sound());
    packet_header(&packet, 1, 0);
    assert_false(is_sound());
    setup(NULL);
    packet_count(&packet, DNS_QUESTION, 0); /* there, but not counted */
    assert_false(is_sound());
}

static void a_message_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 60);
    packet_soa(&packet, 60, 60);
    packet_record(&packet, DNS_ADDITIONAL, TYPE_TXT, 60, "\3abc", 4);
    assert_true(is_sound());
    for (size_t size = 0; size < packet.size; size++) assert_false(validator_is_message(packet.bytes, size));
}

static void bytes_left_over_are_refused(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 60);
    packet_u8(&packet, 0);
    assert_false(is_sound());
}

static void a_record_more_than_counted_or_less_is_refused(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 60);
    packet_count(&packet, DNS_ANSWER, 2);
    assert_false(is_sound());
    packet_count(&packet, DNS_ANSWER, 0);
    assert_false(is_sound());
    packet_count(&packet, DNS_ANSWER, 65535);
    assert_false(is_sound());
}

static void usual_data_are_taken(void **state)
{
    (void)state;
    assert_true(takes(DNS_TYPE_A, "\1\2\3\4", 4));
    assert_true(takes(TYPE_AAAA, "0123456789abcdef", 16));
    assert_true(takes(TYPE_TXT, "\3abc\0\1d", 7));
    assert_true(takes(TYPE_MX, "\0\12\4mail\xc0\x0c", 9));
    assert_true(takes(TYPE_SRV, "\0\1\0\2\0\3\1a\0", 9));
    assert_true(takes(TYPE_NAPTR, "\0\1\0\2\1S\3SIP\0\0", 12));
    assert_true(takes(TYPE_RRSIG, "\0\1\10\2\0\0\0\74\0\0\0\1\0\0\0\0\0\7\0sig", 22));
    assert_true(takes(TYPE_NSEC, "\1b\0\0\1\x40", 6));
    assert_true(takes(TYPE_NSEC3, "\1\0\0\12\2ab\4hash", 12));
    assert_true(takes(TYPE_HTTPS, "\0\1\0\0\1\0\3\2h2", 10));
    assert_true(takes(TYPE_UNKNOWN, "whatever", 8));
    assert_true(takes(TYPE_UNKNOWN, "", 0));
}

static void data_of_the_wrong_size_are_refused(void **state)
{
    (void)state;
    assert_false(takes(DNS_TYPE_A, "\1\2\3", 3));
    assert_false(takes(DNS_TYPE_A, "\1\2\3\4\5", 5));
    assert_false(takes(DNS_TYPE_A, "", 0));
    assert_false(takes(TYPE_AAAA, "0123456789abcde", 15));
    assert_false(takes(TYPE_TXT, "\3ab", 3));
    assert_false(takes(TYPE_TXT, "", 0));
    assert_false(takes(TYPE_MX, "\0\12", 2));
    assert_false(takes(TYPE_MX, "\0\12\0\0", 4));
    assert_false(takes(DNS_TYPE_NS, "\1a\0\1", 4));
    assert_false(takes(DNS_TYPE_SOA, "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0", 21));
    assert_false(takes(TYPE_RRSIG, "\0\1\10\2\0\0\0\74\0\0\0\1\0\0\0\0\0\7", 18));
}

static void an_empty_value_at_the_end_is_a_value(void **state)
{
    (void)state;
    assert_true(takes(TYPE_CAA, "\0\5issue", 7));
    assert_true(takes(TYPE_CAA, "\0\5issueca.example", 17));
    assert_false(takes(TYPE_CAA, "\0\5iss", 5));
}

static void names_in_data_must_stay_within_them(void **state)
{
    (void)state;
    setup(NULL);
    packet_pointer(&packet, DNS_HEADER_BYTES);
    packet_fixed(&packet, DNS_TYPE_NS, 60, 2); /* says 2, takes 3 */
    packet_raw(&packet, "\1a\0", 3);
    packet_add_count(&packet, DNS_ANSWER);
    assert_false(is_sound());
}

static void pointers_in_data_must_lead_back(void **state)
{
    (void)state;
    assert_true(takes(DNS_TYPE_NS, "\1a\xc0\x0c", 4));
    assert_false(takes(DNS_TYPE_NS, (const uint8_t[]){0xc0, DATA_AT}, 2)); /* to itself */
    assert_false(takes(DNS_TYPE_NS, (const uint8_t[]){1, 'a', 0xc0, DATA_AT}, 4));
    assert_false(takes(TYPE_NSEC, (const uint8_t[]){0xc0, DATA_AT, 0, 1, 0x40}, 5));
    assert_false(takes(DNS_TYPE_NS, (const uint8_t[]){0xc0, DATA_AT + 2}, 2)); /* behind the message */
    assert_false(takes(DNS_TYPE_NS, (const uint8_t[]){0xc0, 4}, 2));           /* into the header */
    setup(NULL);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 60, (const uint8_t[]){0xc0, DATA_AT + 2},
                  2); /* to the next owner */
    packet_name(&packet, "later");
    packet_fixed(&packet, DNS_TYPE_A, 60, 4);
    packet_u32(&packet, 0);
    packet_add_count(&packet, DNS_ANSWER);
    assert_false(is_sound());
}

static void a_signed_message_is_read_with_its_signature(void **state)
{
    (void)state;
    const char tsig[] = "\3alg\0\0\0\1\2\3\4\1\54\0\2ab\0\1\0\0\0\0";
    packet_record(&packet, DNS_ADDITIONAL, TYPE_TSIG, 0, tsig, sizeof tsig - 1);
    packet_record(&packet, DNS_ADDITIONAL, TYPE_TSIG, 0, tsig, sizeof tsig - 1);
    assert_true(is_sound());
    setup(NULL);
    packet_record(&packet, DNS_ADDITIONAL, TYPE_TSIG, 0, tsig, sizeof tsig - 2);
    assert_false(is_sound());
}

static long most_memory_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* ldns takes the size of the data once for each string: 4 GB for this one, a page of each touched. */
static void ten_thousands_of_empty_strings_cost_no_memory(void **state)
{
    (void)state;
    long before_kb = most_memory_kb();
    packet_pointer(&packet, DNS_HEADER_BYTES);
    packet_fixed(&packet, TYPE_TXT, 60, 65000);
    packet.size += 65000;
    packet_add_count(&packet, DNS_ANSWER);
    assert_true(is_sound());
    assert_true(most_memory_kb() - before_kb < 50000);
    packet.bytes[packet.size - 1] = 1;
    assert_false(is_sound());
}

static void a_message_full_of_records_is_read_to_the_end(void **state)
{
    (void)state;
    while (packet.size + 16 + 11 <= DNS_MESSAGE_MAX) packet_a(&packet, DNS_ANSWER, 60);
    assert_true(is_sound());
    packet_record(&packet, DNS_ADDITIONAL, DNS_TYPE_A, 60, "", 0);
    assert_false(is_sound());
}

static void types_without_a_known_form_are_only_framed(void **state)
{
    (void)state;
    static const unsigned types[] = {23, 40,        21,  29,  55,   37,
                                     42, 44 + 1000, 249, 260, 65535}; /* NSAP-PTR, SINK, X25... */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_true(takes(types[i], "", 0));
        assert_true(takes(types[i], "\377\377\377", 3));
        assert_true(takes(types[i], "\4nsap\7example\0", 14));
    }
    packet.size--; /* cut */
    assert_false(is_sound());
}

static void pointers_behind_a_removed_part_are_lowered(void **state)
{
    (void)state;
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 60, "\1a\xc0\x0c", 4);
    size_t cut_at = packet.size;
    packet_raw(&packet, "to be removed", 13);
    size_t from = packet.size;
    packet_pointer(&packet, cut_at - 4); /* before: stays */
    packet_fixed(&packet, DNS_TYPE_NS, 60, 6);
    packet_raw(&packet, "\1b", 2);
    packet_pointer(&packet, from + 18); /* behind: lowered, though it is later */
    packet_raw(&packet, "\1c", 2);
    packet.size -= 2;
    dns_put_u16(packet.bytes + packet.size - 6, 4); /* the size of the data */
    uint8_t before[64];
    memcpy(before, packet.bytes + from, packet.size - from);
    assert_true(validator_shift_pointers(packet.bytes, packet.size, from, 1, cut_at, 13));
    assert_int_equal(dns_u16(packet.bytes + from), 0xc000 | (cut_at - 4));
    assert_int_equal(dns_u16(packet.bytes + packet.size - 2), 0xc000 | (from + 18 - 13));
    dns_put_u16(packet.bytes + from, (uint16_t)(0xc000 | (cut_at + 12)));
    assert_false(validator_shift_pointers(packet.bytes, packet.size, from, 1, cut_at, 13));
    assert_false(validator_shift_pointers(packet.bytes, packet.size - 1, from, 1, cut_at, 13));
    assert_false(validator_shift_pointers(packet.bytes, packet.size, from, 2, cut_at, 13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_question_alone_is_a_message, setup),
        cmocka_unit_test_setup(a_message_has_one_question, setup),
        cmocka_unit_test_setup(a_message_that_is_cut_anywhere_is_refused, setup),
        cmocka_unit_test_setup(bytes_left_over_are_refused, setup),
        cmocka_unit_test_setup(a_record_more_than_counted_or_less_is_refused, setup),
        cmocka_unit_test_setup(usual_data_are_taken, setup),
        cmocka_unit_test_setup(data_of_the_wrong_size_are_refused, setup),
        cmocka_unit_test_setup(an_empty_value_at_the_end_is_a_value, setup),
        cmocka_unit_test_setup(names_in_data_must_stay_within_them, setup),
        cmocka_unit_test_setup(pointers_in_data_must_lead_back, setup),
        cmocka_unit_test_setup(a_signed_message_is_read_with_its_signature, setup),
        cmocka_unit_test_setup(ten_thousands_of_empty_strings_cost_no_memory, setup),
        cmocka_unit_test_setup(a_message_full_of_records_is_read_to_the_end, setup),
        cmocka_unit_test_setup(types_without_a_known_form_are_only_framed, setup),
        cmocka_unit_test_setup(pointers_behind_a_removed_part_are_lowered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
