#include "question_story.h"

static struct question_key key_of_packet(void)
{
    struct question_key key;
    assert_int_equal(parse(), QUESTION_GOOD);
    question_key(&question, &key);
    return key;
}

static void a_key_is_the_name_in_lower_case_with_type_and_flags(void **state)
{
    (void)state;
    ask("ExAmple.COM", 0x0102);
    dns_put_u16(packet.bytes + 2, DNS_RD | DNS_CD | DNS_AD | DNS_TC | DNS_AA);
    packet_opt(&packet, 0x8000, "", 0);
    struct question_key key = key_of_packet();
    assert_int_equal(key.size, 16);
    assert_memory_equal(key.bytes, "\7example\3com\0\1\2\17", 16);
    assert_int_equal(question_key_name_size(&key), 13);
    assert_int_equal(question_key_type(&key), 0x0102);
    assert_int_equal(question_key_flags(&key), QUESTION_KEY_RD | QUESTION_KEY_CD | QUESTION_KEY_AD | QUESTION_KEY_DO);
}

static void each_flag_makes_another_key_and_nothing_else_does(void **state)
{
    (void)state;
    const struct {
        unsigned flags;
        uint8_t expected;
    } cases[] = {{0, 0},
                 {DNS_RD, QUESTION_KEY_RD},
                 {DNS_CD, QUESTION_KEY_CD},
                 {DNS_AD, QUESTION_KEY_AD},
                 {DNS_AA | DNS_TC | DNS_RA | 0x40 | 5, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup(NULL);
        dns_put_u16(packet.bytes + 2, (uint16_t)cases[i].flags);
        packet_opt(&packet, 0, "\0\13\0\0", 4);
        struct question_key key = key_of_packet();
        assert_int_equal(question_key_flags(&key), cases[i].expected);
    }
}

static size_t write_query(const struct question_key *key, unsigned id, unsigned padding_block, uint8_t *out)
{
    const struct question_wire wire = {.id = (uint16_t)id, .padding_block = (uint16_t)padding_block};
    return question_write_query(key, &wire, out);
}

static void our_query_asks_what_the_key_says(void **state)
{
    (void)state;
    const unsigned flags[] = {0, DNS_RD, DNS_CD | DNS_AD, DNS_RD | DNS_AD};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        setup(NULL);
        dns_put_u16(packet.bytes + 2, (uint16_t)flags[i]);
        if (i % 2 == 1) packet_opt(&packet, 0x8000, "", 0);
        struct question_key key = key_of_packet();
        struct question_key again;
        uint8_t query[QUESTION_QUERY_MAX];
        size_t size = write_query(&key, 0xbeef, 128, query);
        assert_int_equal(size, 128);
        assert_int_equal(question_parse(query, size, &question), QUESTION_GOOD);
        assert_int_equal(question.id, 0xbeef);
        assert_int_equal(question.flags, flags[i]);
        assert_true(question.edns);
        question_key(&question, &again);
        assert_int_equal(again.size, key.size);
        assert_memory_equal(again.bytes, key.bytes, key.size);
    }
}

static void our_query_is_a_fresh_message_with_padding_and_no_other_option(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "\0\10\0\7\0\1\30\0\300\0\2\0\13\0\0", 15); /* client subnet, keepalive */
    struct question_key key = key_of_packet();
    uint8_t query[QUESTION_QUERY_MAX];
    size_t size = write_query(&key, 1, 64, query);
    assert_int_equal(size, 64);
    packet_header(&packet, 1, DNS_RD);
    packet_question(&packet, "example.com", DNS_TYPE_A);
    uint8_t padding[64] = {0, 12, 0, 64 - 29 - 15};
    packet_opt(&packet, 0, padding, 4 + 64 - 29 - 15);
    assert_int_equal(packet.size, size);
    assert_memory_equal(packet.bytes, query, size);
    assert_int_equal(write_query(&key, 1, 0, query), 29 + 11);
}

static void a_query_without_edns_is_header_and_question(void **state)
{
    (void)state;
    packet_opt(&packet, 0x8000, "", 0);
    struct question_key key = key_of_packet();
    const struct question_wire wire = {.id = 7, .padding_block = 128, .without_edns = true};
    uint8_t query[QUESTION_QUERY_MAX];
    size_t size = question_write_query(&key, &wire, query);
    packet_header(&packet, 7, DNS_RD);
    packet_question(&packet, "example.com", DNS_TYPE_A);
    assert_int_equal(size, packet.size);
    assert_memory_equal(query, packet.bytes, size);
}

static void a_route_is_a_part_of_the_key_and_not_of_the_query(void **state)
{
    (void)state;
    packet_header(&packet, 0, DNS_RD);
    packet_question(&packet, "Example.com", DNS_TYPE_A);
    struct question_key key = key_of_packet(), other = key_of_packet();
    assert_int_equal(question_key_route(&key), 0);
    question_key_set_route(&key, 0x01020304);
    assert_int_equal(question_key_route(&key), 0x01020304);
    assert_int_equal(question_key_name_size(&key), 13);
    assert_int_equal(question_key_type(&key), DNS_TYPE_A);
    assert_int_equal(key.size, other.size + QUESTION_KEY_ROUTE_BYTES);
    uint8_t query[QUESTION_QUERY_MAX], other_query[QUESTION_QUERY_MAX];
    size_t size = write_query(&key, 7, 128, query);
    assert_int_equal(size, write_query(&other, 7, 128, other_query));
    assert_memory_equal(query, other_query, size);
}

static void the_longest_query_fits(void **state)
{
    (void)state;
    packet_header(&packet, 0, 0);
    packet_long_name(&packet, 255);
    packet_u32(&packet, 0x00010001);
    packet_count(&packet, DNS_QUESTION, 1);
    struct question_key key = key_of_packet();
    uint8_t query[QUESTION_QUERY_MAX];
    assert_int_equal(key.size, QUESTION_KEY_MAX - QUESTION_KEY_ROUTE_BYTES);
    for (unsigned block = 0; block <= 512; block++) {
        size_t size = write_query(&key, 0, block, query);
        assert_true(size <= QUESTION_QUERY_MAX);
        assert_int_equal(question_parse(query, size, &question), QUESTION_GOOD);
    }
}

/* Names that were kept outside the program. */
static void a_key_is_read_again_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool good;
    } cases[] = {
        {"\1a\0\0\1\1", 6, true},    {"\0\0\1\0", 4, true},       {"\1a\0\0\0\0\7\0\1\x11", 10, true},
        {"\1A\0\0\1\1", 6, false},   {"\1a\0\0\1\x21", 6, false}, {"\1a\0\0\0\0\0\0\1\x11", 10, false},
        {"\1a\0\1\1", 5, false},     {"\2a\0\0\1\1", 6, false},   {"\xc0\0\0\1\1", 5, false},
        {"\1a\0\0\1\x11", 6, false}, {"\0\1\0", 3, false},        {"", 0, false},
        {"\1a\0b\0\1\1", 7, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct question_key key = {.size = 0};
        bool good = question_key_read((const uint8_t *)cases[i].bytes, cases[i].size, &key);
        if (good != cases[i].good) fail_msg("case %zu", i);
        assert_int_equal(key.size, good ? cases[i].size : 0);
        if (good) assert_memory_equal(key.bytes, cases[i].bytes, key.size);
    }
    uint8_t long_key[QUESTION_KEY_MAX + 1] = {0};
    struct question_key key;
    assert_false(question_key_read(long_key, sizeof long_key, &key));
}

static void a_spelling_is_taken_and_given_back(void **state)
{
    (void)state;
    packet_header(&packet, 0, 0);
    packet_long_name(&packet, 255);
    uint8_t *name = packet.bytes + DNS_HEADER_BYTES;
    uint8_t lower[DNS_NAME_MAX];
    uint8_t out[DNS_NAME_MAX];
    struct spelling spelling;
    for (size_t i = 0; i < 255; i += 3)
        if (name[i] == 'x') name[i] = 'X';
    memcpy(name + 1, "@AZ[`az{-09_\xc1\xda", 14);
    name_to_lower(name, 255, lower);
    memset(&spelling, 0xff, sizeof spelling); /* what was there does not shine through */
    spelling_take(name, 255, &spelling);
    spelling_apply(&spelling, lower, 255, out);
    assert_memory_equal(out, name, 255);
    spelling_take(lower, 255, &spelling);
    spelling_apply(&spelling, lower, 255, out);
    assert_memory_equal(out, lower, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_key_is_the_name_in_lower_case_with_type_and_flags, setup),
        cmocka_unit_test_setup(each_flag_makes_another_key_and_nothing_else_does, setup),
        cmocka_unit_test_setup(our_query_asks_what_the_key_says, setup),
        cmocka_unit_test_setup(our_query_is_a_fresh_message_with_padding_and_no_other_option, setup),
        cmocka_unit_test_setup(a_query_without_edns_is_header_and_question, setup),
        cmocka_unit_test_setup(a_route_is_a_part_of_the_key_and_not_of_the_query, setup),
        cmocka_unit_test_setup(the_longest_query_fits, setup),
        cmocka_unit_test(a_key_is_read_again_and_nothing_else),
        cmocka_unit_test_setup(a_spelling_is_taken_and_given_back, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
