/* The addresses of an answer: those of the type, each once, whatever alias leads to them; and what changes when the
 * next answer has others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/address.h"
#include "dns/address_records.h"
#include "packet.h"

static struct packet packet; /* what a server says to www.example.com A */
static uint8_t bytes[ANSWER_BYTES_MAX];

static const uint8_t first[4] = {192, 0, 2, 1}, second[4] = {192, 0, 2, 2};

static int setup(void **state)
{
    (void)state;
    packet_header(&packet, 0x4711, DNS_QR | DNS_RD | DNS_RA);
    packet_question(&packet, "www.example.com", DNS_TYPE_A);
    return 0;
}

/* A record of an uncompressed owner. */
static void add(enum dns_section section, const char *owner, unsigned type, const uint8_t *data, size_t size)
{
    packet_add_count(&packet, section);
    packet_name(&packet, owner);
    packet_fixed(&packet, type, 300, size);
    packet_raw(&packet, data, size);
}

/* Answers with the records that are in the packet, while `known` are in use. */
static struct address_records read_beside(uint16_t type, const struct address_records *known)
{
    struct address_records records;
    struct question_key key;
    struct answer answer;
    struct question question = {
        .name = packet.bytes + DNS_HEADER_BYTES, .name_size = 17, .type = DNS_TYPE_A, .class = DNS_CLASS_IN};
    question_key(&question, &key);
    assert_int_equal(answer_parse(packet.bytes, packet.size, &key, bytes, &answer), ANSWER_GOOD);
    address_records_read(&answer, type, known, &records);
    return records;
}

static struct address_records read_records(uint16_t type)
{
    const struct address_records none = {.count = 0};
    return read_beside(type, &none);
}

static void assert_address(const struct address_records *records, unsigned index, const char *expected)
{
    struct address address = {.port = 0};
    char text[ADDRESS_TEXT_BYTES];
    assert_true(index < records->count);
    memcpy(address.ip, records->ip[index], sizeof address.ip);
    assert_string_equal(address_format_ip(&address, text), expected);
}

static void addresses_come_in_their_order_and_once(void **state)
{
    (void)state;
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, second, sizeof second);
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, first, sizeof first);
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, second, sizeof second);
    struct address_records records = read_records(DNS_TYPE_A);
    assert_int_equal(records.count, 2);
    assert_address(&records, 0, "192.0.2.2");
    assert_address(&records, 1, "192.0.2.1");
    records = read_records(DNS_TYPE_AAAA);
    assert_int_equal(records.count, 0);
}

static void an_alias_leads_to_them(void **state)
{
    (void)state;
    static const uint8_t target[] = "\1b\7example\3com";
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_CNAME, target, sizeof target);
    add(DNS_ANSWER, "b.example.com", DNS_TYPE_A, first, sizeof first);
    struct address_records records = read_records(DNS_TYPE_A);
    assert_int_equal(records.count, 1);
    assert_address(&records, 0, "192.0.2.1");
}

static void what_is_no_host_and_what_is_too_much_is_left_out(void **state)
{
    (void)state;
    static const uint8_t none[4] = {0, 0, 0, 0}, multicast[4] = {224, 0, 0, 1};
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, none, sizeof none);
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, multicast, sizeof multicast);
    for (uint8_t i = 1; i <= ADDRESS_RECORDS_MAX + 2; i++) {
        const uint8_t data[4] = {192, 0, 2, i};
        add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, data, sizeof data);
    }
    struct address_records records = read_records(DNS_TYPE_A);
    assert_int_equal(records.count, ADDRESS_RECORDS_MAX);
    assert_address(&records, 0, "192.0.2.1");
}

/* A server that rotates its records, as most do, is asked at the same addresses all the time. */
static void of_too_many_those_in_use_stay_in_use(void **state)
{
    (void)state;
    enum { RECORDS = 3 * ADDRESS_RECORDS_MAX };
    struct address_records in_use = {.count = 0};
    for (unsigned turn = 0; turn < 2 * RECORDS; turn++) {
        setup(state);
        for (unsigned i = 0; i < RECORDS; i++) {
            const uint8_t data[4] = {192, 0, 2, (uint8_t)((turn + i) % RECORDS + 1)};
            add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, data, sizeof data);
        }
        const struct address_records found = read_beside(DNS_TYPE_A, &in_use);
        assert_int_equal(found.count, ADDRESS_RECORDS_MAX);
        assert_int_equal(address_records_update(&in_use, &found), turn == 0);
        assert_address(&in_use, 0, "192.0.2.1");
    }
}

/* Three of four are gone: the one that is left stays, and others fill up. */
static void what_is_gone_is_not_kept_because_it_was_known(void **state)
{
    (void)state;
    struct address_records in_use = {.count = 0};
    for (uint8_t i = 1; i <= ADDRESS_RECORDS_MAX; i++) {
        const uint8_t ip[16] = {[10] = 0xff, 0xff, 192, 0, 2, i};
        memcpy(in_use.ip[in_use.count++], ip, sizeof ip);
    }
    for (uint8_t i = ADDRESS_RECORDS_MAX + 4; i >= ADDRESS_RECORDS_MAX; i--) {
        const uint8_t data[4] = {192, 0, 2, i};
        add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, data, sizeof data);
    }
    const struct address_records found = read_beside(DNS_TYPE_A, &in_use);
    assert_true(address_records_update(&in_use, &found));
    assert_int_equal(in_use.count, ADDRESS_RECORDS_MAX);
    assert_address(&in_use, 0, "192.0.2.4");
    assert_address(&in_use, 1, "192.0.2.8");
    assert_address(&in_use, 2, "192.0.2.7");
    assert_address(&in_use, 3, "192.0.2.6");
}

static void only_the_answer_section_counts(void **state)
{
    (void)state;
    add(DNS_ANSWER, "www.example.com", DNS_TYPE_A, first, sizeof first);
    add(DNS_ADDITIONAL, "www.example.com", DNS_TYPE_A, second, sizeof second);
    struct address_records records = read_records(DNS_TYPE_A);
    assert_int_equal(records.count, 1);
}

static struct address_records records_of(const char *numbers)
{
    struct address_records records = {.count = 0};
    for (; *numbers; numbers++) {
        const uint8_t ip[16] = {[10] = 0xff, 0xff, 192, 0, 2, (uint8_t)*numbers};
        memcpy(records.ip[records.count++], ip, sizeof ip);
    }
    return records;
}

static void assert_update(const char *before, const char *found, const char *after)
{
    struct address_records records = records_of(before), expected = records_of(after);
    const struct address_records other = records_of(found);
    bool is_changed = address_records_update(&records, &other);
    assert_int_equal(is_changed, strcmp(before, after) != 0);
    assert_int_equal(records.count, expected.count);
    assert_memory_equal(records.ip, expected.ip, records.count * sizeof *records.ip);
}

static void what_stays_keeps_its_order(void **state)
{
    (void)state;
    assert_update("", "ab", "ab");
    assert_update("ab", "ab", "ab");
    assert_update("ab", "ba", "ab"); /* a server that rotates changes nothing */
    assert_update("ab", "cb", "bc");
    assert_update("ab", "", "");
    assert_update("abcd", "dcba", "abcd");
    assert_update("abcd", "efgh", "efgh");
    assert_update("abc", "cbad", "abcd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(addresses_come_in_their_order_and_once, setup),
        cmocka_unit_test_setup(an_alias_leads_to_them, setup),
        cmocka_unit_test_setup(what_is_no_host_and_what_is_too_much_is_left_out, setup),
        cmocka_unit_test_setup(of_too_many_those_in_use_stay_in_use, setup),
        cmocka_unit_test_setup(what_is_gone_is_not_kept_because_it_was_known, setup),
        cmocka_unit_test_setup(only_the_answer_section_counts, setup),
        cmocka_unit_test(what_stays_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
