#include "answer_story.h"

static void an_answer_is_the_response_without_opt_and_in_lower_case(void **state)
{
    (void)state;
    packet.bytes[DNS_HEADER_BYTES + 1] = 'W';
    packet_a(&packet, DNS_ANSWER, 300);
    size_t without = packet.size;
    packet_opt(&packet, 0x8000, "\0\12\0\10cookie!!", 12);
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_ptr_equal(answer.bytes, bytes);
    assert_int_equal(answer.message_size, without);
    assert_true(answer.size > without);
    assert_int_equal(answer.kind, ANSWER_POSITIVE);
    assert_int_equal(answer.rcode, DNS_RCODE_NOERROR);
    assert_int_equal(answer.ttl_s, 300);
    packet.bytes[DNS_HEADER_BYTES + 1] = 'w';
    packet_count(&packet, DNS_ADDITIONAL, 0);
    assert_memory_equal(bytes, packet.bytes, without);
}

static void somebody_elses_answer_and_rubbish_change_nothing(void **state)
{
    (void)state;
    answer.rcode = 4711;
    packet.bytes[DNS_HEADER_BYTES + 1] = 'x';
    assert_int_equal(parse(), ANSWER_MISMATCH);
    setup(NULL);
    packet_a(&packet, DNS_ANSWER, 300);
    while (--packet.size >= DNS_HEADER_BYTES) assert_int_equal(parse(), ANSWER_MALFORMED);
    assert_int_equal(parse(), ANSWER_MALFORMED);
    setup(NULL);
    packet_u8(&packet, 0);
    assert_int_equal(parse(), ANSWER_MALFORMED);
    assert_int_equal(answer.rcode, 4711);
}

static void data_that_ldns_cannot_read_are_malformed(void **state)
{
    (void)state;
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_A, 300, "\1\2\3", 3);
    assert_int_equal(parse(), ANSWER_MALFORMED);
    setup(NULL);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_CNAME, 300, "\100", 1);
    assert_int_equal(parse(), ANSWER_MALFORMED);
}

static void a_name_that_leans_on_the_opt_to_go_is_malformed(void **state)
{
    (void)state;
    size_t target = packet.size + 2 + 10 + 2;
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 300, (const uint8_t[]){0xc0, (uint8_t)target}, 2);
    packet_opt(&packet, 0, "", 0); /* its owner would be a fine root */
    assert_int_equal(parse(), ANSWER_MALFORMED);
}

static void a_name_that_leads_through_a_ttl_is_malformed(void **state)
{
    (void)state;
    size_t ttl_at = packet.size + 6;
    packet_a(&packet, DNS_ANSWER, 0x01610000); /* a name, as long as it does not grow old */
    size_t owner = packet.size;
    packet_a(&packet, DNS_ADDITIONAL, 300);
    dns_put_u16(packet.bytes + owner, (uint16_t)(0xc000 | ttl_at));
    assert_int_equal(parse(), ANSWER_MALFORMED);
    dns_put_u16(packet.bytes + owner, (uint16_t)(0xc000 | (ttl_at + 3)));
    assert_int_equal(parse(), ANSWER_MALFORMED);
    dns_put_u16(packet.bytes + owner, (uint16_t)(0xc000 | (ttl_at + 4))); /* the upper half of the data's size */
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_int_equal(dns_u32(bytes + ttl_at), 0x01610000);
}

/* Of one character, which is a label's length to who is led there; `label` octets on there may be a root. Then another,
 * whose TTL lies 6 octets behind that, then an address of the name that begins there. */
static void respond_with_a_label_over_records(unsigned label)
{
    setup(NULL);
    packet_record(&packet, DNS_ANSWER, 16, 300, (const uint8_t[]){1, (uint8_t)label}, 2);
    size_t name = packet.size - 1;
    packet_record(&packet, DNS_ANSWER, 16, 300, "\4text\0", 6);
    packet_pointer(&packet, name);
    packet_fixed(&packet, DNS_TYPE_A, 300, 4);
    packet_u32(&packet, 0xc0000201);
    packet_add_count(&packet, DNS_ANSWER);
}

static void a_label_over_a_ttl_is_malformed(void **state)
{
    (void)state;
    respond_with_a_label_over_records(4); /* its root is the upper half of the class, just before the TTL */
    assert_int_equal(parse(), ANSWER_GOOD);
    respond_with_a_label_over_records(17);
    assert_int_equal(parse(), ANSWER_MALFORMED);
}

static void a_label_over_a_ttl_that_is_yet_to_come_is_malformed(void **state)
{
    (void)state;
    packet_record(&packet, DNS_ANSWER, 16, 300, "\1\35", 2);
    packet_pointer(&packet,
                   packet.size - 1); /* owner, 10 octets, 4 of data; owner, 10 octets, 3 of data: 29, and a root */
    packet_fixed(&packet, DNS_TYPE_A, 300, 4);
    packet_u32(&packet, 0xc0000201);
    packet_add_count(&packet, DNS_ANSWER);
    packet_record(&packet, DNS_ANSWER, 16, 300, "\1x\0\0", 4);
    assert_int_equal(parse(), ANSWER_MALFORMED);
}

static void a_pointer_that_ends_in_a_ttl_is_malformed(void **state)
{
    (void)state;
    size_t class_at = packet.size + 4;
    packet_a(&packet, DNS_ANSWER, 0x0c000000);
    dns_put_u16(packet.bytes + class_at, 0x00c0);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 300, (const uint8_t[]){0xc0, (uint8_t)(class_at + 1)}, 2);
    assert_int_equal(parse(), ANSWER_MALFORMED);
}

static void names_that_lead_into_data_of_other_records_are_good(void **state)
{
    (void)state;
    size_t alias = packet.size + 12;
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_CNAME, 60, "\3cdn\3net\0", 9);
    packet_pointer(&packet, alias);
    packet_fixed(&packet, DNS_TYPE_CNAME, 300, 7);
    size_t edge = packet.size;
    packet_raw(&packet, "\4edge", 5);
    packet_pointer(&packet, alias + 4);
    packet_add_count(&packet, DNS_ANSWER);
    packet_pointer(&packet, edge);
    packet_fixed(&packet, DNS_TYPE_A, 20, 4);
    packet_u32(&packet, 0xc0000201);
    packet_add_count(&packet, DNS_ANSWER);
    const uint8_t mail[] = {0, 10, 0xc0, (uint8_t)edge};
    const uint8_t service[] = {0, 1, 0, 1, 0, 53, 3, 'a', 'b', 'c', 0xc0, (uint8_t)edge};
    packet_record(&packet, DNS_AUTHORITY, 15, 30, mail, sizeof mail);
    packet_record(&packet, DNS_AUTHORITY, 33, 30, service, sizeof service);
    packet_opt(&packet, 0, "", 0);
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_int_equal(answer.kind, ANSWER_POSITIVE);
    assert_int_equal(answer.ttl_s, 20);
}

static void a_refusal_of_nothing_but_a_header_is_an_answer(void **state)
{
    (void)state;
    packet_header(&packet, 0x4711, DNS_QR | DNS_RA | DNS_RCODE_NOTIMP);
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_int_equal(answer.rcode, DNS_RCODE_NOTIMP);
    assert_int_equal(answer.kind, ANSWER_FAILURE);
    respond(DNS_RA | DNS_RCODE_NOTIMP);
    assert_int_equal(answer.message_size, packet.size);
    assert_memory_equal(bytes, packet.bytes, packet.size);
}

static void an_error_without_question_may_have_opt(void **state)
{
    (void)state;
    packet_header(&packet, 0x4711, DNS_QR | DNS_RCODE_SERVFAIL);
    packet_opt(&packet, 0, "\0\17\0\5\0\6why", 9);
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_int_equal(answer.kind, ANSWER_VERDICT);
    assert_int_equal(answer.errors_size, 9);
    assert_memory_equal(answer.errors, "\0\17\0\5\0\6why", 9);
    packet_header(&packet, 0x4711, DNS_QR); /* the rcode may be in OPT alone */
    packet_opt(&packet, 0x01000000, "", 0);
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_int_equal(answer.rcode, DNS_RCODE_BADVERS);
    assert_int_equal(answer.message_size, DNS_HEADER_BYTES + 17 + 4);
}

static void nothing_but_a_header_is_no_answer_where_it_is_not_an_error(void **state)
{
    (void)state;
    packet_header(&packet, 0x4711, DNS_QR);
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_header(&packet, 0x4711, DNS_QR | DNS_RCODE_NXDOMAIN);
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_opt(&packet, 0, "", 0);
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_header(&packet, 0x4711, DNS_QR | DNS_RCODE_YXDOMAIN);
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_header(&packet, 0x4711, DNS_RCODE_SERVFAIL); /* a query */
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_header(&packet, 0x4711, DNS_QR | 5 << 11 | DNS_RCODE_SERVFAIL);
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_header(&packet, 0x4711, DNS_QR | DNS_RCODE_SERVFAIL);
    packet_u8(&packet, 0);
    assert_int_equal(parse(), ANSWER_MISMATCH);
    packet_header(&packet, 0x4711, DNS_QR | DNS_RCODE_SERVFAIL);
    packet_u8(&packet, 0);
    packet_fixed(&packet, 65280, 300, 0); /* a record that is not OPT */
    packet_count(&packet, DNS_ADDITIONAL, 1);
    assert_int_equal(parse(), ANSWER_MISMATCH);
}

static void the_most_records_a_message_can_hold_are_all_read(void **state)
{
    (void)state;
    packet_header(&packet, 1, DNS_QR);
    packet_question(&packet, "", DNS_TYPE_A);
    struct question root = {.name = packet.bytes + DNS_HEADER_BYTES, .name_size = 1, .type = DNS_TYPE_A};
    question_key(&root, &key);
    while (packet.size + 11 <= DNS_MESSAGE_MAX) { /* of a type that may be empty */
        packet_u8(&packet, 0);
        packet_fixed(&packet, 65280, 77, 0);
        packet_add_count(&packet, DNS_ADDITIONAL);
    }
    assert_int_equal(parse(), ANSWER_GOOD);
    assert_true(answer.size <= ANSWER_BYTES_MAX);
    memcpy(reply, bytes, answer.size);
    const struct reply_profile profile = {.max_bytes = DNS_MESSAGE_MAX};
    const struct answer_use use = {.age_s = 7, .ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    size_t size = answer_to_reply(reply, answer.size, &profile, (const uint8_t *)"", &use);
    assert_int_equal(size, packet.size);
    for (size_t at = DNS_HEADER_BYTES + 5; at < size; at += 11) assert_int_equal(dns_u32(reply + at + 5), 70);
}

static void a_kept_answer_is_unpacked(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0x01000000, "", 0);
    assert_int_equal(parse(), ANSWER_GOOD);
    struct answer again;
    assert_true(answer_unpack(bytes, answer.size, &again));
    assert_ptr_equal(again.bytes, bytes);
    assert_int_equal(again.size, answer.size);
    assert_int_equal(again.message_size, answer.message_size);
    assert_int_equal(again.rcode, DNS_RCODE_BADVERS);
}

static void bytes_that_are_no_answers_are_not_unpacked(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    assert_int_equal(parse(), ANSWER_GOOD);
    size_t size = answer.size;
    struct answer again = {.rcode = 4711};
    uint8_t *offset = bytes + answer.message_size;
    const unsigned ttl_offsets[] = {0, 2, DNS_HEADER_BYTES + 17 + 3, (unsigned)answer.message_size - 3, 0xffff};
    for (size_t i = 0; i < sizeof ttl_offsets / sizeof *ttl_offsets; i++) {
        dns_put_u16(offset, (uint16_t)ttl_offsets[i]);
        assert_false(answer_unpack(bytes, size, &again));
        assert_int_equal(answer_to_reply(bytes, size, &(struct reply_profile){0}, asked_name, &as_is), 0);
    }
    dns_put_u16(offset, (uint16_t)(answer.message_size - 4));
    assert_true(answer_unpack(bytes, size, &again));
    again.rcode = 4711;
    const unsigned counts[] = {0xffff, 20, 30};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) { /* more places than there are bytes, or than may be */
        dns_put_u16(bytes + size - 2, (uint16_t)counts[i]);
        assert_false(answer_unpack(bytes, size, &again));
    }
    dns_put_u16(bytes + size - 2, 1);
    bytes[DNS_HEADER_BYTES] = 0xc0; /* a question that is none */
    assert_false(answer_unpack(bytes, size, &again));
    for (size = 0; size < 18; size++) assert_false(answer_unpack(bytes, size, &again));
    memset(reply, 0, sizeof reply); /* the root's question, and a message that is too long for a frame by an octet */
    assert_true(answer_unpack(reply, DNS_MESSAGE_MAX + ANSWER_TRAILER_BYTES, &answer));
    assert_false(answer_unpack(reply, DNS_MESSAGE_MAX + ANSWER_TRAILER_BYTES + 1, &again));
    assert_int_equal(again.rcode, 4711);
}

static void a_bounded_answer_is_a_copy_with_other_ttls(void **state)
{
    (void)state;
    static uint8_t copy[ANSWER_BYTES_MAX];
    static const uint32_t ttls[] = {0, 59, 60, 600, 601, 0x7fffffff};
    static const uint32_t bounded_ttls[] = {60, 60, 60, 600, 600, 600};
    struct answer bounded;
    for (size_t i = 0; i < 6; i++) packet_a(&packet, DNS_ANSWER, ttls[i]);
    assert_int_equal(parse(), ANSWER_GOOD);
    answer_bound(&answer, 60, 600, copy, &bounded);
    assert_ptr_equal(bounded.bytes, copy);
    assert_int_equal(bounded.size, answer.size);
    assert_int_equal(bounded.kind, ANSWER_POSITIVE);
    for (size_t i = 0; i < 6; i++) {
        uint8_t *at = copy + DNS_HEADER_BYTES + 17 + 4 + 16 * i + 6;
        assert_int_equal(dns_u32(at), bounded_ttls[i]);
        dns_put_u32(at, ttls[i]);
    }
    assert_memory_equal(copy, bytes, answer.size);
}

static void an_answer_that_is_given_later_has_less_time_left(void **state)
{
    (void)state;
    static const uint32_t ttls[] = {0, 1, 59, 60, 61, 86400};
    static uint8_t copy[ANSWER_BYTES_MAX];
    for (size_t i = 0; i < 6; i++) packet_a(&packet, DNS_ANSWER, ttls[i]);
    assert_int_equal(parse(), ANSWER_GOOD);
    memcpy(copy, answer.bytes, answer.size);
    answer_age(copy, answer.size, 60);
    for (size_t i = 0; i < 6; i++) {
        uint8_t *at = copy + DNS_HEADER_BYTES + 17 + 4 + 16 * i + 6;
        assert_int_equal(dns_u32(at), ttls[i] > 60 ? ttls[i] - 60 : 0);
        dns_put_u32(at, ttls[i]);
    }
    assert_memory_equal(copy, answer.bytes, answer.size);
    memset(copy, 0xff, 64);
    answer_age(copy, 64, 60); /* no answer: nothing is changed */
    assert_int_equal(copy[20], 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_answer_is_the_response_without_opt_and_in_lower_case, setup),
        cmocka_unit_test_setup(somebody_elses_answer_and_rubbish_change_nothing, setup),
        cmocka_unit_test_setup(data_that_ldns_cannot_read_are_malformed, setup),
        cmocka_unit_test_setup(a_name_that_leans_on_the_opt_to_go_is_malformed, setup),
        cmocka_unit_test_setup(a_name_that_leads_through_a_ttl_is_malformed, setup),
        cmocka_unit_test_setup(a_label_over_a_ttl_is_malformed, setup),
        cmocka_unit_test_setup(a_label_over_a_ttl_that_is_yet_to_come_is_malformed, setup),
        cmocka_unit_test_setup(a_pointer_that_ends_in_a_ttl_is_malformed, setup),
        cmocka_unit_test_setup(names_that_lead_into_data_of_other_records_are_good, setup),
        cmocka_unit_test_setup(a_refusal_of_nothing_but_a_header_is_an_answer, setup),
        cmocka_unit_test_setup(an_error_without_question_may_have_opt, setup),
        cmocka_unit_test_setup(nothing_but_a_header_is_no_answer_where_it_is_not_an_error, setup),
        cmocka_unit_test_setup(the_most_records_a_message_can_hold_are_all_read, setup),
        cmocka_unit_test_setup(a_kept_answer_is_unpacked, setup),
        cmocka_unit_test_setup(bytes_that_are_no_answers_are_not_unpacked, setup),
        cmocka_unit_test_setup(a_bounded_answer_is_a_copy_with_other_ttls, setup),
        cmocka_unit_test_setup(an_answer_that_is_given_later_has_less_time_left, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
