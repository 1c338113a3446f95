/* How a query ends: once, and counted. */
#include "dns/edns.h"
#include "fake_transport.h"
#include "queries/reply.h"

#include "../dns/packet.h"

static struct story {
    struct counters *counters;
    struct loop loop;
    struct notices notices; /* with no ring and no log */
    struct fake_transport transport;
    struct packet packet;
} story;

static const uint8_t asked_name[] = "\1A\4test";
static const struct answer_use as_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};

static int setup(void **state)
{
    (void)state;
    story.counters = counters_new();
    story.notices = (struct notices){.counters = story.counters, .loop = &story.loop};
    fake_transport_init(&story.transport);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_transport_done(&story.transport);
    counters_free(story.counters);
    return 0;
}

static struct requester requester(void)
{
    return (struct requester){.transport = &story.transport.transport, .client = {1, 1}};
}

static struct question question(bool edns)
{
    return (struct question){.id = 77,
                             .flags = DNS_RD | DNS_CD,
                             .name = asked_name,
                             .name_size = sizeof asked_name,
                             .type = DNS_TYPE_A,
                             .class = DNS_CLASS_IN,
                             .edns = edns};
}

static struct reply_profile profile_of(const struct question *asked)
{
    struct reply_profile profile = reply_profile_of(asked);
    profile.keepalive_100ms = FAKE_KEEPALIVE_100MS;
    return profile;
}

static struct fake_client *client(void)
{
    return &story.transport.clients[1];
}

static uint64_t responses(unsigned label)
{
    return counter_read(&story.counters->responses[label][0]);
}

static uint64_t dropped(unsigned label)
{
    return counter_read(&story.counters->dropped[label][0]);
}

static uint64_t answered_here(void)
{
    return histogram_count(&story.counters->request_duration[LABEL_SOURCE_LOCAL][LABEL_TRANSPORT_TCP]);
}

/* The answer's bytes where the reply is to be; returns their size. */
static size_t begin_answer(unsigned rcode, uint8_t **ret_reply)
{
    uint8_t *bytes = malloc(ANSWER_BYTES_MAX);
    struct question asked = question(false);
    struct question_key key;
    struct answer answer;
    question_key(&asked, &key);
    packet_header(&story.packet, 0, DNS_QR | DNS_RA | rcode);
    packet_question(&story.packet, "a.test", DNS_TYPE_A);
    if (rcode == 0) packet_a(&story.packet, DNS_ANSWER, 300);
    assert_int_equal(answer_parse(story.packet.bytes, story.packet.size, &key, bytes, &answer), ANSWER_GOOD);
    const struct requester who = requester();
    *ret_reply = story.transport.transport.begin_reply(&who, answer.size + EDNS_REPLY_MAX);
    memcpy(*ret_reply, answer.bytes, answer.size);
    free(bytes);
    return answer.size;
}

/* The idle time-out told is the transport's. */
static void assert_ends_with_keepalive(void)
{
    const uint8_t *option = client()->reply + client()->size - 6;
    assert_int_equal(dns_u16(option), 11);
    assert_int_equal(dns_u16(option + 4), FAKE_KEEPALIVE_100MS);
}

/* ---- answers ---- */

static void an_answer_becomes_the_requesters_reply(void **state)
{
    (void)state;
    const struct requester who = requester();
    const struct question asked = question(true);
    const struct reply_profile profile = profile_of(&asked);
    uint8_t *reply;
    size_t size = begin_answer(0, &reply);
    assert_true(reply_answer(story.counters, &who, reply, size, &profile, asked.name, &as_is));
    assert_int_equal(client()->ended, 1);
    assert_int_equal(message_id(client()->reply), 77);
    assert_int_equal(message_flags(client()->reply), DNS_QR | DNS_RD | DNS_CD | DNS_RA);
    assert_memory_equal(client()->reply + DNS_HEADER_BYTES, asked_name, sizeof asked_name);
    assert_int_equal(responses(LABEL_RCODE_NOERROR), 1);
    assert_ends_with_keepalive();
}

static void the_rcode_of_an_answer_is_counted(void **state)
{
    (void)state;
    const struct requester who = requester();
    const struct question asked = question(false);
    const struct reply_profile profile = profile_of(&asked);
    static const unsigned rcodes[] = {DNS_RCODE_NXDOMAIN, DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED};
    static const unsigned labels[] = {LABEL_RCODE_NXDOMAIN, LABEL_RCODE_SERVFAIL, LABEL_RCODE_REFUSED};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *reply;
        size_t size = begin_answer(rcodes[i], &reply);
        assert_true(reply_answer(story.counters, &who, reply, size, &profile, asked.name, &as_is));
        assert_int_equal(responses(labels[i]), 1);
    }
}

static void bytes_that_are_no_answers_end_nothing(void **state)
{
    (void)state;
    const struct requester who = requester();
    const struct question asked = question(false);
    const struct reply_profile profile = profile_of(&asked);
    uint8_t *reply;
    size_t size = begin_answer(0, &reply);
    reply[size - 1] = 200; /* more TTLs than there is room for */
    assert_false(reply_answer(story.counters, &who, reply, size, &profile, asked.name, &as_is));
    assert_false(reply_answer(story.counters, &who, reply, 0, &profile, asked.name, &as_is));
    assert_int_equal(client()->ended, 0);
    assert_int_equal(responses(LABEL_RCODE_NOERROR), 0);
}

/* ---- errors ---- */

static void an_error_repeats_what_was_sound_of_the_question(void **state)
{
    (void)state;
    static const struct answer_error error = {DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, "because", NULL, 0};
    const struct requester who = requester();
    struct question asked = question(true);
    const struct reply_profile profile = profile_of(&asked);
    assert_true(reply_error(story.counters, &who, &asked, &profile, &error));
    assert_int_equal(message_flags(client()->reply) & DNS_RCODE, DNS_RCODE_REFUSED);
    assert_int_equal(message_count(client()->reply, DNS_QUESTION), 1);
    assert_memory_equal(client()->reply + DNS_HEADER_BYTES, asked_name, sizeof asked_name);
    assert_int_equal(message_count(client()->reply, DNS_ADDITIONAL), 1);
    assert_ends_with_keepalive();
    asked.name = NULL;
    assert_true(reply_error(story.counters, &who, &asked, &profile, &error));
    assert_int_equal(message_count(client()->reply, DNS_QUESTION), 0);
    assert_int_equal(responses(LABEL_RCODE_REFUSED), 2);
    assert_int_equal(answered_here(), 0);
}

static void the_longest_error_fits(void **state)
{
    (void)state;
    static const struct answer_error error = {
        DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, "0123456789012345678901234567890123456789012345678901234567890123", NULL, 0};
    const struct requester who = requester();
    struct packet *packet = &story.packet;
    packet_header(packet, 0, 0);
    packet_long_name(packet, DNS_NAME_MAX);
    struct question asked = question(true);
    asked.name = packet->bytes + DNS_HEADER_BYTES;
    asked.name_size = DNS_NAME_MAX;
    const struct reply_profile profile = profile_of(&asked);
    assert_true(
        reply_error(story.counters, &who, &asked, &profile, &error)); /* a sanitizer sees a write beyond the room */
    assert_true(client()->size <= ANSWER_ERROR_MAX);
    assert_memory_equal(client()->reply + DNS_HEADER_BYTES, asked.name, DNS_NAME_MAX);
}

/* What this program says, and what it passes on. */
static void extended_errors_are_counted_by_code_and_replies_by_size(void **state)
{
    (void)state;
    static const uint8_t passed_on[] = {0,  15, 0, 6, 0, 9, 't', 'e', 'x', 't',  0,
                                        15, 0,  2, 0, 9, 0, 15,  0,   2,   0x12, 0x34};
    static const struct answer_error error = {DNS_RCODE_SERVFAIL, 23, "because", passed_on, sizeof passed_on};
    static const struct answer_error silent = {DNS_RCODE_SERVFAIL, DNS_EDE_NONE, NULL, NULL, 0};
    const struct requester who = requester();
    const struct question asked = question(true);
    const struct reply_profile profile = profile_of(&asked);
    assert_true(reply_error(story.counters, &who, &asked, &profile, &error));
    assert_true(reply_error(story.counters, &who, &asked, &profile, &silent));
    assert_int_equal(value_errors(story.counters, LABEL_EDE_23), 1);
    assert_int_equal(value_errors(story.counters, LABEL_EDE_9), 2);
    assert_int_equal(value_errors(story.counters, LABEL_EDE_OTHER), 1);
    assert_int_equal(value_errors(story.counters, LABEL_EDE_0), 0);
    uint64_t sizes = 0;
    for (unsigned i = 0; i < SIZE_EDGES; i++) sizes += counter_read(&story.counters->response_size.buckets[i]);
    assert_int_equal(sizes, 2);
    assert_true(counter_read(&story.counters->response_size.sum_bytes) > client()->size);
}

/* ---- refusals ---- */

static void every_refusal_ends_the_query_once_by_its_rule(void **state)
{
    (void)state;
    const struct requester who = requester();
    const struct question asked = question(true);
    const struct reply_profile profile = profile_of(&asked);
    for (unsigned refusal = REFUSAL_NONE + 1; refusal < REFUSAL_COUNT; refusal++) {
        const struct refusal_rule *rule = refusal_rule(refusal);
        struct fake_client before = *client();
        client()->aborted = false;
        reply_refusal(&story.notices, &who, &asked, &profile, refusal);
        assert_int_equal(client()->ended, before.ended + 1);
        assert_int_equal(client()->replies, before.replies + rule->replies);
        assert_int_equal(client()->aborted, rule->closes);
        if (!rule->replies) continue;
        assert_int_equal(message_flags(client()->reply) & DNS_RCODE, rule->error.rcode & DNS_RCODE);
        assert_int_equal(answered_here(), client()->replies);
    }
}

static void a_refusal_is_counted_under_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum refusal refusal;
        size_t offset;
    } cases[] = {
        {REFUSAL_NOT_QUERY, offsetof(struct counters, invalid[LABEL_INVALID_NOT_QUERY][0])},
        {REFUSAL_NOT_QUERY, offsetof(struct counters, dropped[LABEL_DROPPED_NOT_QUERY][0])},
        {REFUSAL_RATE_DROP, offsetof(struct counters, rate_limited[0][0])},
        {REFUSAL_RATE_DROP, offsetof(struct counters, dropped[LABEL_DROPPED_RATE][0])},
        {REFUSAL_RATE_SERVFAIL, offsetof(struct counters, rate_limited[0][0])},
        {REFUSAL_TOO_LONG, offsetof(struct counters, invalid[LABEL_INVALID_TOO_LONG][0])},
        {REFUSAL_ANY, offsetof(struct counters, invalid[LABEL_INVALID_ANY][0])},
        {REFUSAL_OPCODE, offsetof(struct counters, responses[LABEL_RCODE_NOTIMP][0])},
        {REFUSAL_EDNS_VERSION, offsetof(struct counters, responses[LABEL_RCODE_BADVERS][0])},
        {REFUSAL_OVERLOADED, offsetof(struct counters, overloaded[0][0])},
    };
    const struct requester who = requester();
    const struct question asked = question(true);
    const struct reply_profile profile = profile_of(&asked);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const void *cell = (const char *)story.counters + cases[i].offset;
        const _Atomic uint64_t *counter = cell;
        uint64_t before = counter_read(counter);
        reply_refusal(&story.notices, &who, &asked, &profile, cases[i].refusal);
        assert_int_equal(counter_read(counter), before + 1);
    }
}

/* ---- nothing ---- */

static void a_client_that_has_gone_is_dropped_whatever_it_was_to_get(void **state)
{
    (void)state;
    static const struct answer_error error = {.rcode = DNS_RCODE_NOTIMP, .ede_code = DNS_EDE_NONE};
    const struct requester who = requester();
    const struct question asked = question(false);
    const struct reply_profile profile = profile_of(&asked);
    client()->gone = true;
    assert_false(reply_error(story.counters, &who, &asked, &profile, &error));
    reply_refusal(&story.notices, &who, &asked, &profile, REFUSAL_OPCODE);
    assert_int_equal(dropped(LABEL_DROPPED_CLIENT_GONE), 2);
    assert_int_equal(responses(LABEL_RCODE_NOTIMP), 0);
    assert_int_equal(answered_here(), 0);
}

static void without_memory_the_query_is_over_all_the_same(void **state)
{
    (void)state;
    static const struct answer_error error = {.rcode = DNS_RCODE_NOTIMP, .ede_code = DNS_EDE_NONE};
    const struct requester who = requester();
    const struct question asked = question(false);
    const struct reply_profile profile = profile_of(&asked);
    story.transport.short_of_memory = true;
    assert_false(reply_error(story.counters, &who, &asked, &profile, &error));
    reply_refusal(&story.notices, &who, &asked, &profile, REFUSAL_ANY);
    assert_int_equal(client()->ended, 2);
    assert_int_equal(client()->replies, 0);
}

static void a_drop_has_its_reason(void **state)
{
    (void)state;
    const struct requester who = requester();
    reply_drop(story.counters, &who, LABEL_DROPPED_RATE);
    assert_int_equal(client()->ended, 1);
    assert_int_equal(client()->replies, 0);
    assert_int_equal(dropped(LABEL_DROPPED_RATE), 1);
    assert_false(client()->aborted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_becomes_the_requesters_reply),
        TEST(the_rcode_of_an_answer_is_counted),
        TEST(bytes_that_are_no_answers_end_nothing),
        TEST(an_error_repeats_what_was_sound_of_the_question),
        TEST(the_longest_error_fits),
        TEST(extended_errors_are_counted_by_code_and_replies_by_size),
        TEST(every_refusal_ends_the_query_once_by_its_rule),
        TEST(a_refusal_is_counted_under_its_reason),
        TEST(a_client_that_has_gone_is_dropped_whatever_it_was_to_get),
        TEST(without_memory_the_query_is_over_all_the_same),
        TEST(a_drop_has_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
