#include "answer_story.h"

enum { TYPE_TXT = 16 };

/* The good answer's reply to an asker; returns its size. */
static size_t reply_to(const struct reply_profile *profile, const struct answer_use *use)
{
    assert_int_equal(parse(), ANSWER_GOOD);
    memcpy(reply, bytes, answer.size);
    return answer_to_reply(reply, answer.size, profile, asked_name, use);
}

static struct reply_profile profile_without_edns(void)
{
    return (struct reply_profile){.id = 0x1234, .flags = DNS_RD, .max_bytes = DNS_MESSAGE_MAX};
}

static void opt_in_the_middle_is_taken_out_too(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0x00008000, "\0\17\0\2\0\11", 6);
    packet_a(&packet, DNS_ADDITIONAL, 200);
    struct reply_profile profile = profile_without_edns();
    profile.edns = true;
    size_t size = reply_to(&profile, &as_is);
    assert_int_equal(answer.ttl_s, 200);

    respond(DNS_RD | DNS_RA);
    packet_a(&packet, DNS_ANSWER, 300);
    packet_a(&packet, DNS_ADDITIONAL, 200);
    packet_opt(&packet, 0, "\0\17\0\2\0\11", 6); /* what it said is not lost */
    dns_put_u16(packet.bytes, 0x1234);
    memcpy(packet.bytes + DNS_HEADER_BYTES, asked_name, 17);
    assert_int_equal(size, packet.size);
    assert_memory_equal(reply, packet.bytes, size);
}

static void to_one_who_asks_as_we_did_the_reply_is_the_response(void **state)
{
    (void)state;
    respond(DNS_TC | DNS_RD | DNS_RA | DNS_AD | DNS_CD | DNS_RCODE_NXDOMAIN);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_CNAME, 300, "\3cdn\xc0\x10", 6);
    packet_soa(&packet, 60, 30);
    packet_record(&packet, DNS_ADDITIONAL, TYPE_TXT, 0xffffffff, "\3abc", 4);
    packet_opt(&packet, 0x8000, "", 0);
    const struct reply_profile profile = {
        .id = 0x1234, .flags = DNS_RD | DNS_CD, .edns = true, .dnssec_ok = true, .max_bytes = DNS_MESSAGE_MAX};
    size_t size = reply_to(&profile, &as_is);
    dns_put_u16(packet.bytes, 0x1234);
    memcpy(packet.bytes + DNS_HEADER_BYTES, asked_name, 17);
    assert_int_equal(size, packet.size);
    assert_memory_equal(reply, packet.bytes, size);
}

static void the_reply_repeats_rd_and_cd_of_the_query_and_has_the_rest_from_the_answer(void **state)
{
    (void)state;
    respond(DNS_RD | DNS_CD | DNS_AD | DNS_AA | DNS_RCODE_REFUSED | 0x40);
    const struct reply_profile plain = {.flags = DNS_AA | DNS_TC | DNS_AD | DNS_RA | 0x40 | 3,
                                        .max_bytes = DNS_MESSAGE_MAX};
    reply_to(&plain, &as_is);
    assert_int_equal(message_flags(reply), DNS_QR | DNS_AD | DNS_RA | DNS_RCODE_REFUSED);
    const struct reply_profile wishing = {.flags = DNS_RD | DNS_CD, .max_bytes = DNS_MESSAGE_MAX};
    reply_to(&wishing, &as_is);
    assert_int_equal(message_flags(reply), DNS_QR | DNS_AD | DNS_RA | DNS_RCODE_REFUSED | DNS_RD | DNS_CD);
}

static void a_client_without_edns_gets_no_edns(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    size_t without = packet.size;
    packet_opt(&packet, 0x8000, "\0\17\0\2\0\3", 6);
    struct reply_profile profile = profile_without_edns();
    profile.dnssec_ok = true; /* nonsense, and harmless */
    profile.keepalive_100ms = 300;
    assert_int_equal(reply_to(&profile, &as_is), without);
    assert_int_equal(message_count(reply, DNS_ADDITIONAL), 0);
}

/* Replies, and reads the OPT record at the reply's end. */
static struct edns edns_of_reply(const struct reply_profile *profile, const struct answer_use *use)
{
    size_t size = reply_to(profile, use);
    struct reader reader = {.message = reply, .size = size, .at = answer.message_size};
    struct record record;
    struct edns edns;
    reader_record(&reader, &record);
    assert_int_equal(reader.at, size);
    assert_int_equal(record.type, DNS_TYPE_OPT);
    assert_true(edns_parse(reply, &record, &edns));
    return edns;
}

static void opt_has_what_this_client_understands(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0, "\0\17\0\2\0\3", 6);
    struct reply_profile profile = {.edns = true, .max_bytes = DNS_MESSAGE_MAX};
    struct edns edns = edns_of_reply(&profile, &as_is);
    assert_int_equal(edns.ede_code, 3);
    assert_false(edns.dnssec_ok);
    assert_false(edns.keepalive);
    profile.dnssec_ok = true;
    profile.keepalive_100ms = 300;
    edns = edns_of_reply(&profile, &(struct answer_use){.ede_code = DNS_EDE_NETWORK_ERROR});
    assert_int_equal(edns.ede_code, DNS_EDE_NETWORK_ERROR); /* ours comes first */
    assert_true(edns.dnssec_ok);
    assert_true(edns.keepalive);
    static const uint8_t options[] = "\0\17\0\2\0\27\0\17\0\2\0\3\0\13\0\2\1\54"; /* ours, theirs, keepalive */
    assert_memory_equal(reply + answer.message_size + 11, options, sizeof options - 1);
}

static void ttls_grow_old_and_end_at_zero(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_a(&packet, DNS_ANSWER, 100);
    packet_a(&packet, DNS_ADDITIONAL, 0x7fffffff);
    size_t first = DNS_HEADER_BYTES + 17 + 4 + 6;
    const struct reply_profile profile = profile_without_edns();
    reply_to(&profile, &(struct answer_use){.age_s = 100, .ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE});
    assert_int_equal(dns_u32(reply + first), 200);
    assert_int_equal(dns_u32(reply + first + 16), 0);
    reply_to(&profile, &(struct answer_use){.age_s = 250, .ttl_max_s = 30, .ede_code = DNS_EDE_NONE});
    assert_int_equal(dns_u32(reply + first), 30);
    assert_int_equal(dns_u32(reply + first + 16), 0);
    assert_int_equal(dns_u32(reply + first + 32), 30);
}

static void an_rcode_that_needs_opt_is_servfail_without(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0x01000000, "", 0);
    struct reply_profile profile = profile_without_edns();
    assert_int_equal(reply_to(&profile, &as_is), DNS_HEADER_BYTES + 17 + 4);
    assert_int_equal(answer.rcode, DNS_RCODE_BADVERS);
    assert_int_equal(message_flags(reply) & DNS_RCODE, DNS_RCODE_SERVFAIL);
    assert_int_equal(message_count(reply, DNS_ANSWER), 0);
    profile.edns = true;
    struct edns edns = edns_of_reply(&profile, &as_is);
    assert_int_equal(message_flags(reply) & DNS_RCODE, 0);
    assert_int_equal(edns.rcode_high, 1);
    assert_int_equal(message_count(reply, DNS_ANSWER), 1);
    respond(DNS_RD | 15); /* the last one that fits in the header */
    packet_a(&packet, DNS_ANSWER, 300);
    profile.edns = false;
    assert_int_equal(reply_to(&profile, &as_is), packet.size);
    assert_int_equal(message_flags(reply) & DNS_RCODE, 15);
}

/* A response of `size` bytes: one TXT record in strings of 255. */
static void respond_long(size_t size)
{
    respond(DNS_RD | DNS_RA);
    size_t data_size = size - packet.size - 12;
    packet_pointer(&packet, DNS_HEADER_BYTES);
    packet_fixed(&packet, TYPE_TXT, 300, data_size);
    packet_add_count(&packet, DNS_ANSWER);
    for (size_t left = data_size; left > 0;) {
        size_t string = left > 256 ? 255 : left - 1;
        packet_u8(&packet, (unsigned)string);
        packet.size += string;
        left -= 1 + string;
    }
    assert_int_equal(packet.size, size);
}

static void the_longest_response_goes_through(void **state)
{
    (void)state;
    const struct reply_profile profile = profile_without_edns();
    respond_long(DNS_MESSAGE_MAX);
    assert_int_equal(reply_to(&profile, &as_is), DNS_MESSAGE_MAX);
    assert_memory_equal(reply + 29, packet.bytes + 29, DNS_MESSAGE_MAX - 29);
}

static void options_are_left_out_if_the_frame_is_full(void **state)
{
    (void)state;
    const struct reply_profile profile = {.edns = true, .keepalive_100ms = 1, .max_bytes = DNS_MESSAGE_MAX};
    const struct answer_use use = {.ttl_max_s = 300, .ede_code = DNS_EDE_STALE};
    respond_long(DNS_MESSAGE_MAX - 23);
    assert_int_equal(reply_to(&profile, &use), DNS_MESSAGE_MAX);
    respond_long(DNS_MESSAGE_MAX - 22);
    assert_int_equal(reply_to(&profile, &use), DNS_MESSAGE_MAX - 11);
    respond_long(DNS_MESSAGE_MAX - 11);
    assert_int_equal(reply_to(&profile, &use), DNS_MESSAGE_MAX);
    respond_long(DNS_MESSAGE_MAX - 10);
    assert_int_equal(reply_to(&profile, &use), DNS_MESSAGE_MAX - 10); /* without OPT */
    assert_int_equal(message_count(reply, DNS_ADDITIONAL), 0);
    respond_long(DNS_MESSAGE_MAX);
    assert_int_equal(reply_to(&profile, &use), DNS_MESSAGE_MAX);
}

static void what_does_not_fit_a_datagram_is_cut_to_the_question_and_opt(void **state)
{
    (void)state;
    struct reply_profile profile = {.id = 7, .edns = true, .max_bytes = 600};
    const struct answer_use use = {.ttl_max_s = 300, .ede_code = DNS_EDE_STALE};
    respond_long(600 - 11 - 6);
    assert_int_equal(reply_to(&profile, &use), 600);
    assert_false(message_flags(reply) & DNS_TC);
    respond_long(600 - 11); /* the option gives way */
    assert_int_equal(reply_to(&profile, &use), 600);
    assert_false(message_flags(reply) & DNS_TC);
    respond_long(600 - 10);
    assert_int_equal(reply_to(&profile, &use), DNS_HEADER_BYTES + 17 + 4 + 11);
    assert_true(message_flags(reply) & DNS_TC);
    assert_int_equal(message_count(reply, DNS_QUESTION), 1);
    assert_int_equal(message_count(reply, DNS_ANSWER), 0);
    assert_int_equal(message_count(reply, DNS_ADDITIONAL), 1);
    assert_int_equal(message_id(reply), 7);
    profile.edns = false;
    respond_long(600);
    assert_int_equal(reply_to(&profile, &use), 600);
    respond_long(601);
    assert_int_equal(reply_to(&profile, &use), DNS_HEADER_BYTES + 17 + 4);
    assert_int_equal(message_count(reply, DNS_ADDITIONAL), 0);
    assert_true(message_flags(reply) & DNS_TC);
}

static void the_option_of_the_transport_is_in_every_opt(void **state)
{
    (void)state;
    static const uint8_t cookie[] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    struct reply_profile profile = {.edns = true, .max_bytes = 512, .option_bytes = sizeof cookie};
    memcpy(profile.option, cookie, sizeof cookie);
    respond_long(200);
    assert_int_equal(reply_to(&profile, &as_is), 200 + 11 + sizeof cookie);
    assert_memory_equal(reply + 211, cookie, sizeof cookie);
    respond_long(512); /* cut, and there all the same */
    size_t size = reply_to(&profile, &as_is);
    assert_memory_equal(reply + size - sizeof cookie, cookie, sizeof cookie);
    assert_true(message_flags(reply) & DNS_TC);
}

static void texts_of_errors_are_left_out_before_their_codes(void **state)
{
    (void)state;
    struct reply_profile profile = {.id = 7, .edns = true, .max_bytes = 512};
    respond(DNS_RA);
    packet_a(&packet, DNS_ANSWER, 300);
    size_t message_size = packet.size;
    packet_opt(&packet, 0, "\0\17\0\12\0\3eight...\0\17\0\5\0\26abc", 23);
    assert_int_equal(reply_to(&profile, &as_is), message_size + 11 + 23);
    profile.max_bytes = (uint16_t)(message_size + 11 + 23 - 1);
    assert_int_equal(reply_to(&profile, &as_is), message_size + 11 + 12);
    assert_memory_equal(reply + message_size + 11, "\0\17\0\2\0\3\0\17\0\2\0\26", 12);
    profile.max_bytes = (uint16_t)(message_size + 11 + 11);
    assert_int_equal(reply_to(&profile, &as_is), message_size + 11);
    assert_false(message_flags(reply) & DNS_TC);
    profile.max_bytes = (uint16_t)(message_size + 10);
    assert_int_equal(reply_to(&profile, &as_is), DNS_HEADER_BYTES + 17 + 4 + 11);
    assert_true(message_flags(reply) & DNS_TC);
}

/* ---- the order of a set ---- */

/* The last octets of the addresses in the reply. */
static void assert_order(uint32_t rotation, const char *expected)
{
    const struct answer_use use = {.ttl_max_s = 200, .ede_code = DNS_EDE_NONE, .rotation = rotation};
    const struct reply_profile profile = profile_without_edns();
    size_t size = reply_to(&profile, &use);
    struct reader reader = {.message = reply, .size = size, .at = DNS_HEADER_BYTES + 17 + 4};
    struct record record;
    unsigned count = message_count(reply, DNS_ANSWER) + message_count(reply, DNS_AUTHORITY);
    for (unsigned i = 0; i < count; i++) {
        reader_record(&reader, &record);
        if (record.type == DNS_TYPE_A) assert_int_equal(reply[record.data + record.data_size - 1], *expected++);
        assert_in_range(record.ttl, 60, 200);
    }
    assert_int_equal(*expected, 0);
    assert_int_equal(reader.at, size);
}

static void add_address(char last)
{
    const uint8_t data[] = {192, 0, 2, (uint8_t)last};
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_A, 300, data, sizeof data);
}

static void the_records_of_a_set_are_rotated(void **state)
{
    (void)state;
    respond(DNS_RA);
    packet_record(&packet, DNS_ANSWER, TYPE_TXT, 300, "\3abc", 4); /* is no part of it */
    add_address('a');
    add_address('b');
    add_address('c');
    packet_soa(&packet, 60, 60);
    assert_order(0, "abc");
    assert_order(1, "bca");
    assert_order(2, "cab");
    assert_order(3, "abc");
    assert_order(0xffffffff, "abc"); /* a multiple of 3 */
    respond(DNS_RA);
    add_address('a');
    assert_order(7, "a");
}

static void records_of_different_sizes_are_rotated_too(void **state)
{
    (void)state;
    struct reply_profile profile = profile_without_edns();
    packet_header(&packet, 0, DNS_QR | DNS_RA);
    packet_question(&packet, "www.example.com", TYPE_TXT);
    struct question question = {.name = packet.bytes + DNS_HEADER_BYTES, .name_size = 17, .type = TYPE_TXT};
    question_key(&question, &key);
    packet_record(&packet, DNS_ANSWER, TYPE_TXT, 300, "\3abc", 4);
    packet_record(&packet, DNS_ANSWER, TYPE_TXT, 300, "\1d\0", 3);
    size_t size = reply_to(&profile, &(struct answer_use){.ttl_max_s = 9, .ede_code = DNS_EDE_NONE, .rotation = 1});
    assert_int_equal(size, packet.size);
    size_t first = DNS_HEADER_BYTES + 17 + 4;
    assert_memory_equal(reply + first + 12, "\1d\0", 3);
    assert_int_equal(dns_u32(reply + first + 6), 9);
    assert_memory_equal(reply + first + 15 + 12, "\3abc", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(opt_in_the_middle_is_taken_out_too, setup),
        cmocka_unit_test_setup(to_one_who_asks_as_we_did_the_reply_is_the_response, setup),
        cmocka_unit_test_setup(the_reply_repeats_rd_and_cd_of_the_query_and_has_the_rest_from_the_answer, setup),
        cmocka_unit_test_setup(a_client_without_edns_gets_no_edns, setup),
        cmocka_unit_test_setup(opt_has_what_this_client_understands, setup),
        cmocka_unit_test_setup(ttls_grow_old_and_end_at_zero, setup),
        cmocka_unit_test_setup(an_rcode_that_needs_opt_is_servfail_without, setup),
        cmocka_unit_test_setup(the_longest_response_goes_through, setup),
        cmocka_unit_test_setup(options_are_left_out_if_the_frame_is_full, setup),
        cmocka_unit_test_setup(what_does_not_fit_a_datagram_is_cut_to_the_question_and_opt, setup),
        cmocka_unit_test_setup(the_option_of_the_transport_is_in_every_opt, setup),
        cmocka_unit_test_setup(texts_of_errors_are_left_out_before_their_codes, setup),
        cmocka_unit_test_setup(the_records_of_a_set_are_rotated, setup),
        cmocka_unit_test_setup(records_of_different_sizes_are_rotated_too, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
