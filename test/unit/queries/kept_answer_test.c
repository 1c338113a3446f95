/* An answer that is kept elsewhere comes back as the same answer, or not at all. */
#include "queries/kept_answer.h"

#include "forwarder_story.h"

static struct question_key key_of(uint8_t flags)
{
    struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1"};
    key.bytes[10] = flags;
    return key;
}

/* A response to the key: with an A record of that TTL, or only with that rcode and an error's code. */
static const struct packet *response(const struct question_key *key, unsigned flags, uint32_t ttl)
{
    static struct packet packet;
    static const uint8_t data[] = {192, 0, 2, 1};
    packet_header(&packet, 0, DNS_QR | DNS_RA | flags);
    packet_raw(&packet, key->bytes, question_key_name_size(key));
    packet_u16(&packet, question_key_type(key));
    packet_u16(&packet, DNS_CLASS_IN);
    packet_count(&packet, DNS_QUESTION, 1);
    if (ttl > 0) packet_record(&packet, DNS_ANSWER, DNS_TYPE_A, ttl, data, sizeof data);
    packet_opt(&packet, 0, "\0\17\0\2\0\4", 6);
    return &packet;
}

static uint8_t answer_bytes[KEPT_ANSWER_BYTES], again_bytes[ANSWER_BYTES_MAX], clamped_bytes[ANSWER_BYTES_MAX];

static struct answer parse(const struct question_key *key, const struct packet *packet)
{
    struct answer answer;
    assert_int_equal(answer_parse(packet->bytes, packet->size, key, answer_bytes, &answer), ANSWER_GOOD);
    return answer;
}

static void an_answer_comes_back_as_it_was(void **state)
{
    (void)state;
    const struct forwarder_options options = usual_options();
    for (uint8_t flags = 0; flags < QUESTION_KEY_ROUTE; flags++) {
        const struct question_key key = key_of(flags);
        struct answer answer = parse(&key, response(&key, DNS_RD | DNS_AD, 300)), again;
        uint8_t before[512];
        size_t size = answer.size;
        uint64_t kept_ns;
        memcpy(before, answer.bytes, size);
        size_t message = kept_answer_write(answer_bytes, size, &key);
        assert_true(message > 0);
        const struct kept_response kept = {&key, answer_bytes, message};
        assert_true(kept_answer_judge(&options, &kept, again_bytes, clamped_bytes, &again, &kept_ns));
        assert_int_equal(kept_ns, 300 * NS_PER_S);
        assert_int_equal(again.size, size);
        assert_int_equal(again.errors_size, answer.errors_size); /* errors, too */
        dns_put_u16(before + 2, message_flags(again.bytes));     /* RD and CD are those of the key */
        assert_memory_equal(again.bytes, before, size);
    }
}

static void a_failure_is_not_kept_and_not_believed(void **state)
{
    (void)state;
    static const unsigned rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED, DNS_RCODE_FORMERR};
    const struct forwarder_options options = usual_options();
    const struct question_key key = key_of(QUESTION_KEY_RD);
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        const struct packet *packet = response(&key, rcodes[i], 0);
        struct answer answer = parse(&key, packet);
        uint64_t kept_ns;
        assert_int_equal(kept_answer_write(answer_bytes, answer.size, &key), 0);
        const struct kept_response kept = {&key, packet->bytes, packet->size};
        assert_false(kept_answer_judge(&options, &kept, again_bytes, clamped_bytes, &answer, &kept_ns));
    }
}

static void the_rules_of_retention_are_those_in_force(void **state)
{
    (void)state;
    struct forwarder_options options = usual_options();
    const struct question_key key = key_of(QUESTION_KEY_RD);
    const struct packet *packet = response(&key, 0, 300);
    struct answer answer;
    uint64_t kept_ns;
    options.cache_max_ns = 60 * NS_PER_S;
    const struct kept_response kept = {&key, packet->bytes, packet->size};
    assert_true(kept_answer_judge(&options, &kept, again_bytes, clamped_bytes, &answer, &kept_ns));
    assert_int_equal(kept_ns, 60 * NS_PER_S);
}

static void bytes_that_are_no_answer_are_not_written(void **state)
{
    (void)state;
    const struct question_key key = key_of(QUESTION_KEY_RD);
    memset(answer_bytes, 0xff, 64);
    assert_int_equal(kept_answer_write(answer_bytes, 64, &key), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_as_it_was),
        cmocka_unit_test(a_failure_is_not_kept_and_not_believed),
        cmocka_unit_test(the_rules_of_retention_are_those_in_force),
        cmocka_unit_test(bytes_that_are_no_answer_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
