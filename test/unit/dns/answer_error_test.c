/* Errors of this program, as replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "dns/edns.h"
#include "packet.h"

static struct packet packet;
static uint8_t reply[ANSWER_ERROR_MAX];
static const uint8_t asked_name[] = "\3wWw\7eXAMPLE\3cOm";

static size_t error_to(const struct reply_profile *profile, bool named, const struct answer_error *error)
{
    const struct question question = {
        .name = named ? asked_name : NULL, .name_size = named ? 17 : 0, .type = DNS_TYPE_A, .class = 3};
    return answer_error(reply, &question, profile, error);
}

static void an_error_repeats_what_was_asked(void **state)
{
    (void)state;
    const struct reply_profile profile = {
        .id = 0x1234, .flags = DNS_RD | DNS_CD | DNS_AD | DNS_TC | 4 << 11, .max_bytes = DNS_MESSAGE_MAX};
    size_t size =
        error_to(&profile, true, &(struct answer_error){.rcode = DNS_RCODE_NOTIMP, .ede_code = DNS_EDE_OTHER});
    packet_header(&packet, 0x1234, DNS_QR | 4 << 11 | DNS_RD | DNS_RA | DNS_CD | DNS_RCODE_NOTIMP);
    packet_raw(&packet, asked_name, 17);
    packet_u32(&packet, 0x00010003);
    packet_count(&packet, DNS_QUESTION, 1);
    assert_int_equal(size, packet.size);
    assert_memory_equal(reply, packet.bytes, size);
}

static void without_a_sound_question_an_error_is_a_header(void **state)
{
    (void)state;
    const struct reply_profile profile = {.id = 0x1234, .max_bytes = DNS_MESSAGE_MAX};
    const struct answer_error error = {.rcode = DNS_RCODE_FORMERR, .ede_code = DNS_EDE_NONE};
    assert_int_equal(error_to(&profile, false, &error), DNS_HEADER_BYTES);
    packet_header(&packet, 0x1234, DNS_QR | DNS_RA | DNS_RCODE_FORMERR);
    assert_memory_equal(reply, packet.bytes, DNS_HEADER_BYTES);
}

static void an_error_explains_itself_to_who_has_edns(void **state)
{
    (void)state;
    struct reply_profile profile = {
        .id = 0x1234, .edns = true, .dnssec_ok = true, .keepalive_100ms = 1, .max_bytes = DNS_MESSAGE_MAX};
    const struct answer_error error = {.rcode = DNS_RCODE_BADVERS, .ede_code = DNS_EDE_PROHIBITED, .ede_text = "why"};
    size_t size = error_to(&profile, false, &error);
    packet_header(&packet, 0x1234, DNS_QR | DNS_RA);
    packet_opt(&packet, 0x01008000, "\0\17\0\5\0\22why\0\13\0\2\0\1", 15);
    assert_int_equal(size, packet.size);
    assert_memory_equal(reply, packet.bytes, size);
    profile.edns = false;
    assert_int_equal(error_to(&profile, false, &error), DNS_HEADER_BYTES);
    assert_int_equal(message_flags(reply) & DNS_RCODE, DNS_RCODE_SERVFAIL);
}

static void the_longest_error_fits(void **state)
{
    (void)state;
    char text[EDNS_TEXT_MAX + 1] = {0};
    memset(text, 'x', EDNS_TEXT_MAX);
    packet_header(&packet, 0, 0);
    packet_long_name(&packet, 255);
    const struct question question = {.name = packet.bytes + DNS_HEADER_BYTES, .name_size = 255, .type = 1, .class = 1};
    const struct reply_profile profile = {
        .edns = true, .keepalive_100ms = 300, .option_bytes = EDNS_OPTION_MAX, .max_bytes = DNS_MESSAGE_MAX};
    static uint8_t errors[EDE_LIST_MAX]; /* eight options of 256 octets */
    for (size_t i = 0; i < EDE_LIST_MAX; i += 256) memcpy(errors + i, "\0\17\0\374", 4);
    assert_true(ede_is_list(errors, sizeof errors));
    const struct answer_error error = {.rcode = DNS_RCODE_SERVFAIL,
                                       .ede_code = DNS_EDE_OTHER,
                                       .ede_text = text,
                                       .errors = errors,
                                       .errors_size = sizeof errors};
    size_t size = answer_error(reply, &question, &profile, &error);
    assert_int_equal(size, DNS_HEADER_BYTES + 255 + 4 + EDNS_REPLY_MAX);
    assert_true(size <= ANSWER_ERROR_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_repeats_what_was_asked),
        cmocka_unit_test(without_a_sound_question_an_error_is_a_header),
        cmocka_unit_test(an_error_explains_itself_to_who_has_edns),
        cmocka_unit_test(the_longest_error_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
