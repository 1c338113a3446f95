/* The questions in flight, found by their key, and who waits for each. */
#include "dns/edns.h"
#include "fake_transport.h"
#include "queries/query.h"

#include "../dns/packet.h"

enum { MAX_QUERIES = 4, NOW_NS = 5000 };

static struct story {
    struct queries queries;
    struct counters *counters;
    struct loop loop;
    struct notices notices; /* with no ring and no log */
    struct fake_transport transport;
    struct packet packet;
    uint8_t bytes[ANSWER_BYTES_MAX];
    struct answer answer;
} story;

static const struct hash_key hash_key = {1, 2};

static int setup(void **state)
{
    (void)state;
    memset(&story, 0, sizeof story);
    story.counters = counters_new();
    story.notices = (struct notices){.counters = story.counters, .loop = &story.loop};
    fake_transport_init(&story.transport);
    assert_true(queries_init(&story.queries, MAX_QUERIES, &hash_key, &story.notices));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    queries_done(&story.queries);
    fake_transport_done(&story.transport);
    counters_free(story.counters);
    return 0;
}

/* The key of A of a name of one letter. */
static struct question_key key_of(char letter)
{
    struct question_key key = {.size = 6, .bytes = {1, (uint8_t)letter, 0, 0, DNS_TYPE_A, QUESTION_KEY_RD}};
    return key;
}

static struct query *find(const struct question_key *key, uint64_t hash)
{
    const struct hashed_key hashed = {key->bytes, key->size, hash};
    return queries_find(&story.queries, &hashed);
}

static struct query *add(char letter, uint64_t hash)
{
    const struct question_key key = key_of(letter);
    return queries_add(&story.queries, &key, hash);
}

/* The client waits, having asked for `letter`, with its number as the id. */
static bool wait_with(struct query *query, uint32_t client, char letter, bool edns)
{
    const uint8_t name[] = {1, (uint8_t)letter, 0};
    const struct question question = {.id = (uint16_t)client,
                                      .flags = DNS_RD,
                                      .name = name,
                                      .name_size = sizeof name,
                                      .type = DNS_TYPE_A,
                                      .class = DNS_CLASS_IN,
                                      .edns = edns};
    const struct address address = {.ip = {[10] = 0xff, [11] = 0xff, [15] = (uint8_t)client}};
    const struct reply_profile profile = reply_profile_of(&question);
    const struct requester requester = {
        .transport = &story.transport.transport, .client = {client, 1}, .address = &address, .batched = true};
    story.transport.clients[client].begun++;
    return queries_wait(&story.queries, query, &requester, &question, &profile, NOW_NS);
}

/* The answer to `letter`, with an A record and as many octets of another as make the message so long. */
static void make_answer(char letter, size_t size)
{
    static const uint8_t zeros[DNS_MESSAGE_MAX];
    const struct question_key key = key_of(letter);
    const char name[] = {letter, 0};
    packet_header(&story.packet, 0, DNS_QR | DNS_RD | DNS_RA);
    packet_question(&story.packet, name, DNS_TYPE_A);
    packet_a(&story.packet, DNS_ANSWER, 300);
    size_t filler = size > story.packet.size + 12 ? size - story.packet.size - 12 : 0;
    if (filler) packet_record(&story.packet, DNS_ADDITIONAL, 65280, 300, zeros, filler);
    assert_int_equal(answer_parse(story.packet.bytes, story.packet.size, &key, story.bytes, &story.answer),
                     ANSWER_GOOD);
}

static const struct answer_use as_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};

static void answer(struct query *query)
{
    queries_answer(&story.queries, query, &story.answer, &as_is, LABEL_SOURCE_UPSTREAM, NOW_NS + 1000);
}

static unsigned rcode(uint32_t client)
{
    assert_int_equal(story.transport.clients[client].replies, 1);
    return message_flags(story.transport.clients[client].reply) & DNS_RCODE;
}

/* ---- who has how many on the way ---- */

static uint32_t held_by(uint8_t client)
{
    const struct address address = {.ip = {[10] = 0xff, [11] = 0xff, [15] = client}};
    return queries_of_client(&story.queries, &address);
}

static void clients_in_turn_are_counted_each_for_itself(void **state)
{
    (void)state;
    struct query *a = add('a', 7);
    for (int round = 0; round < 3; round++)
        for (uint8_t client = 1; client <= 3; client++) assert_true(wait_with(a, client, 'a', false));
    for (uint8_t client = 1; client <= 3; client++) assert_int_equal(held_by(client), 3);
    assert_int_equal(held_by(4), 0);
    queries_remove(&story.queries, a);
    for (uint8_t client = 1; client <= 3; client++) assert_int_equal(held_by(client), 0);
}

static void a_clients_questions_are_counted_while_it_waits_for_them(void **state)
{
    (void)state;
    struct query *a = add('a', 7);
    struct query *b = add('b', 8);
    make_answer('a', 0);
    assert_true(wait_with(a, 1, 'a', false) && wait_with(b, 1, 'b', false) && wait_with(b, 2, 'b', false));
    assert_int_equal(held_by(1), 2);
    assert_int_equal(held_by(2), 1);
    assert_int_equal(held_by(3), 0);
    answer(a);
    assert_int_equal(held_by(1), 1);
    queries_remove(&story.queries, b);
    assert_int_equal(held_by(1) + held_by(2), 0);
    queries_remove(&story.queries, a);
}

/* ---- found by key ---- */

static void a_query_is_found_until_it_is_removed(void **state)
{
    (void)state;
    const struct question_key a = key_of('a');
    assert_null(find(&a, 7));
    struct query *query = add('a', 7);
    assert_non_null(query);
    assert_ptr_equal(find(&a, 7), query);
    assert_int_equal(query->exchange.key.size, a.size);
    assert_memory_equal(query->exchange.key.bytes, a.bytes, a.size);
    queries_remove(&story.queries, query);
    assert_null(find(&a, 7));
}

static void one_that_is_outdated_is_not_found_and_still_counts(void **state)
{
    (void)state;
    const struct question_key a = key_of('a');
    struct query *old = add('a', 7);
    make_answer('a', 0);
    assert_true(wait_with(old, 1, 'a', false));
    queries_outdate(&story.queries, old);
    assert_null(find(&a, 7));
    assert_ptr_equal(queries_any(&story.queries), old);
    struct query *new = add('a', 7);
    assert_ptr_equal(find(&a, 7), new);
    assert_int_equal(story.queries.queries.taken, 2);
    assert_int_equal(held_by(1), 1);
    assert_true(queries_set_max(&story.queries, 4 * MAX_QUERIES)); /* more buckets */
    answer(old);
    assert_int_equal(story.transport.clients[1].replies, 1);
    queries_remove(&story.queries, old);
    assert_ptr_equal(find(&a, 7), new);
    queries_outdate(&story.queries, new);
    queries_remove(&story.queries, new);
    assert_null(queries_any(&story.queries));
}

static void keys_that_share_a_hash_or_a_bucket_are_distinguished(void **state)
{
    (void)state;
    const struct question_key a = key_of('a');
    const struct question_key b = key_of('b');
    struct question_key with_do = a;
    with_do.bytes[a.size - 1] |= QUESTION_KEY_DO;
    struct query *of_a = add('a', 7);
    struct query *of_b = add('b', 7);
    struct query *of_c = add('c', 7 + 1024);
    assert_ptr_equal(find(&a, 7), of_a);
    assert_ptr_equal(find(&b, 7), of_b);
    assert_null(find(&with_do, 7));
    assert_null(find(&a, 7 + 1024));
    queries_remove(&story.queries, of_a);
    assert_ptr_equal(find(&b, 7), of_b);
    queries_remove(&story.queries, of_b);
    queries_remove(&story.queries, of_c);
}

static void queries_are_bounded(void **state)
{
    (void)state;
    struct query *queries[MAX_QUERIES];
    for (int i = 0; i < MAX_QUERIES; i++) assert_non_null(queries[i] = add((char)('a' + i), (uint64_t)i));
    assert_null(add('z', 9));
    const struct question_key z = key_of('z');
    assert_null(find(&z, 9));
    queries_remove(&story.queries, queries[2]);
    assert_non_null(add('z', 9));
    assert_non_null(find(&z, 9));
}

static void any_is_one_that_is_there(void **state)
{
    (void)state;
    assert_null(queries_any(&story.queries));
    struct query *query = add('a', 3);
    assert_ptr_equal(queries_any(&story.queries), query);
    queries_remove(&story.queries, query);
    assert_null(queries_any(&story.queries));
}

/* ---- who waits ---- */

static void everybody_is_answered_as_he_asked(void **state)
{
    (void)state;
    struct query *query = add('a', 1);
    assert_true(wait_with(query, 1, 'a', false));
    assert_true(wait_with(query, 2, 'A', true));
    make_answer('a', 0);
    answer(query);
    for (uint32_t client = 1; client <= 2; client++) {
        const struct fake_client *got = &story.transport.clients[client];
        assert_int_equal(got->ended, 1);
        assert_int_equal(message_id(got->reply), client);
        assert_int_equal(got->reply[DNS_HEADER_BYTES + 1], client == 1 ? 'a' : 'A');
        assert_int_equal(message_count(got->reply, DNS_ADDITIONAL), client == 2);
    }
    assert_int_equal(story.queries.waiters.taken, 0);
    assert_int_equal(histogram_count(&story.counters->request_duration[LABEL_SOURCE_UPSTREAM][LABEL_TRANSPORT_TCP]), 2);
    assert_int_equal(counter_read(&story.counters->request_duration[LABEL_SOURCE_UPSTREAM][LABEL_TRANSPORT_TCP].sum_ns),
                     2000);
}

static void everybody_gets_the_error(void **state)
{
    (void)state;
    static const struct answer_error error = {DNS_RCODE_SERVFAIL, DNS_EDE_NETWORK_ERROR, "why", NULL, 0};
    struct query *query = add('a', 1);
    wait_with(query, 1, 'A', true);
    wait_with(query, 2, 'a', false);
    queries_fail(&story.queries, query, &error, NOW_NS);
    assert_int_equal(rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(rcode(2), DNS_RCODE_SERVFAIL);
    assert_int_equal(story.transport.clients[1].reply[DNS_HEADER_BYTES + 1], 'A');
    assert_int_equal(story.queries.waiters.taken, 0);
}

static void stale_answers_are_counted_for_those_who_got_one(void **state)
{
    (void)state;
    struct query *query = add('a', 1);
    wait_with(query, 1, 'a', false);
    wait_with(query, 2, 'a', false);
    story.transport.clients[2].gone = true;
    make_answer('a', 0);
    queries_answer(&story.queries, query, &story.answer, &as_is, LABEL_SOURCE_STALE, NOW_NS);
    assert_int_equal(counter_read(&story.counters->cache_stale[0][0]), 1);
    assert_int_equal(counter_read(&story.counters->dropped[LABEL_DROPPED_CLIENT_GONE][0]), 1);
    assert_int_equal(histogram_count(&story.counters->request_duration[LABEL_SOURCE_STALE][LABEL_TRANSPORT_TCP]), 1);
}

static void those_who_wait_are_bounded_over_all_queries(void **state)
{
    (void)state;
    struct query *a = add('a', 1);
    struct query *b = add('b', 2);
    for (uint32_t i = 0; i < MAX_QUERIES * WAITERS_PER_QUERY; i++) assert_true(wait_with(i % 2 ? a : b, 1, 'a', false));
    assert_false(wait_with(a, 2, 'a', false));
    assert_false(wait_with(b, 2, 'b', false));
    make_answer('a', 0);
    answer(a);
    assert_true(wait_with(b, 2, 'b', false));
}

static void a_query_that_is_removed_drops_who_waits(void **state)
{
    (void)state;
    struct query *query = add('a', 1);
    wait_with(query, 1, 'a', false);
    wait_with(query, 2, 'a', false);
    queries_remove(&story.queries, query);
    assert_int_equal(story.queries.waiters.taken, 0);
    assert_int_equal(story.transport.clients[1].ended, 0);
}

static void an_answer_that_leaves_no_room_for_opt_goes_without(void **state)
{
    (void)state;
    struct query *query = add('a', 1);
    wait_with(query, 1, 'a', true);
    wait_with(query, 2, 'a', false);
    make_answer('a', DNS_MESSAGE_MAX);
    assert_int_equal(story.answer.message_size, DNS_MESSAGE_MAX);
    answer(query);
    for (uint32_t client = 1; client <= 2; client++) {
        assert_int_equal(rcode(client), DNS_RCODE_NOERROR);
        assert_int_equal(story.transport.clients[client].size, DNS_MESSAGE_MAX);
    }
}

static void replies_to_waiters_join_no_batch(void **state)
{
    (void)state;
    static const struct answer_error error = {DNS_RCODE_SERVFAIL, DNS_EDE_NONE, NULL, NULL, 0};
    struct query *query = add('a', 1);
    make_answer('a', 0);
    story.transport.clients[1].was_batched = story.transport.clients[2].was_batched = true;
    wait_with(query, 1, 'a', false);
    answer(query);
    wait_with(query, 2, 'a', false);
    queries_fail(&story.queries, query, &error, NOW_NS);
    assert_false(story.transport.clients[1].was_batched || story.transport.clients[2].was_batched);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_clients_questions_are_counted_while_it_waits_for_them),
        TEST(clients_in_turn_are_counted_each_for_itself),
        TEST(a_query_is_found_until_it_is_removed),
        TEST(one_that_is_outdated_is_not_found_and_still_counts),
        TEST(keys_that_share_a_hash_or_a_bucket_are_distinguished),
        TEST(queries_are_bounded),
        TEST(any_is_one_that_is_there),
        TEST(everybody_is_answered_as_he_asked),
        TEST(everybody_gets_the_error),
        TEST(stale_answers_are_counted_for_those_who_got_one),
        TEST(those_who_wait_are_bounded_over_all_queries),
        TEST(a_query_that_is_removed_drops_who_waits),
        TEST(an_answer_that_leaves_no_room_for_opt_goes_without),
        TEST(replies_to_waiters_join_no_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
