/* notice: which queries are notable, what is kept of them, and what is logged, in text and in JSON. */
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "dns/ede.h"
#include "fake_transport.h"
#include "queries/notice.h"
#include "upstream/upstream.h"

#define SLOW_NS (100 * NS_PER_MS)

static struct story {
    struct notices notices;
    struct counters *counters;
    struct query_ring *ring;
    struct loop loop;
    struct log log;
    int pipe[2];
    struct fake_transport transport;
    struct address address;
    struct requester requester;
    struct question question;
    struct query_note note;
    char text[64 * 1024];
} story;

static const uint8_t asked_name[] = "\3WwW\7Example";

static void set(enum query_log log_queries)
{
    const struct forwarder_options options = {.log_queries = (uint8_t)log_queries, .slow_ns = SLOW_NS};
    notices_set_options(&story.notices, &options);
}

static const char *route_name(const struct notices *notices, uint32_t identity)
{
    (void)notices;
    return identity == 7 ? "corp.example" : NULL;
}

static int setup(void **state)
{
    (void)state;
    memset(&story, 0, sizeof story);
    story.counters = counters_new();
    story.ring = query_ring_new(8);
    story.loop.now_ns = 1000 * NS_PER_S;
    assert_int_equal(pipe(story.pipe), 0);
    log_init(&story.log, &(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT}, story.pipe[1]);
    fake_transport_init(&story.transport);
    assert_true(address_parse("192.0.2.7:4711", 0, &story.address));
    story.requester = (struct requester){
        .transport = &story.transport.transport, .client = {1, 1}, .address = &story.address, .batched = true};
    story.question = (struct question){.name = asked_name, .name_size = sizeof asked_name, .type = DNS_TYPE_A};
    story.notices = (struct notices){.ring = story.ring,
                                     .log = &story.log,
                                     .counters = story.counters,
                                     .loop = &story.loop,
                                     .worker = 3,
                                     .route_name = route_name};
    set(QUERY_LOG_OFF);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    query_ring_free(story.ring);
    counters_free(story.counters);
    fake_transport_done(&story.transport);
    close(story.pipe[0]);
    close(story.pipe[1]);
    return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
    ssize_t size;
    assert_int_equal(write(story.pipe[1], "", 1), 1); /* so that there is something to read */
    size = read(story.pipe[0], story.text, sizeof story.text);
    assert_true(size > 0);
    story.text[size - 1] = '\0';
    return story.text;
}

static unsigned lines_of(const char *text)
{
    unsigned count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

static struct query_end end_of(uint16_t rcode, enum label_source source, uint64_t took_ns)
{
    return (struct query_end){.requester = &story.requester,
                              .question = &story.question,
                              .error = {.rcode = rcode, .ede_code = DNS_EDE_NONE},
                              .source = source,
                              .took_ns = took_ns};
}

static void end(uint16_t rcode, enum label_source source, uint64_t took_ns)
{
    const struct query_end how = end_of(rcode, source, took_ns);
    notices_end(&story.notices, &how);
}

static uint64_t kept(enum query_kind kind)
{
    return query_ring_count(story.ring, kind).put;
}

/* The last of the kind. */
static const struct query_note *last(enum query_kind kind)
{
    assert_true(kept(kind) > 0);
    assert_true(query_ring_read(story.ring, kind, kept(kind) - 1, &story.note));
    return &story.note;
}

static void queries_are_of_one_kind(void **state)
{
    (void)state;
    end(DNS_RCODE_NOERROR, LABEL_SOURCE_UPSTREAM, SLOW_NS);
    for (int kind = 0; kind < QUERY_KINDS; kind++) assert_int_equal(kept((enum query_kind)kind), 0);
    end(DNS_RCODE_NOERROR, LABEL_SOURCE_UPSTREAM, SLOW_NS + 1);
    end(DNS_RCODE_SERVFAIL, LABEL_SOURCE_UPSTREAM, SLOW_NS + 1);
    end(DNS_RCODE_REFUSED, LABEL_SOURCE_CACHE, 0);
    end(DNS_RCODE_NOERROR, LABEL_SOURCE_STALE, SLOW_NS + 1);
    assert_int_equal(kept(QUERY_SLOW), 1);
    assert_int_equal(kept(QUERY_SERVFAIL), 1);
    assert_int_equal(kept(QUERY_REFUSED), 1);
    assert_int_equal(kept(QUERY_STALE), 1);
}

static void ordinary_ones_are_not_wanted(void **state)
{
    (void)state;
    assert_false(notices_want(&story.notices, DNS_RCODE_NOERROR, LABEL_SOURCE_CACHE, 0));
    assert_false(notices_want(&story.notices, DNS_RCODE_NXDOMAIN, LABEL_SOURCE_UPSTREAM, SLOW_NS));
    assert_true(notices_want(&story.notices, DNS_RCODE_NXDOMAIN, LABEL_SOURCE_UPSTREAM, SLOW_NS + 1));
    assert_true(notices_want(&story.notices, DNS_RCODE_SERVFAIL, LABEL_SOURCE_CACHE, 0));
    assert_true(notices_want(&story.notices, DNS_RCODE_REFUSED, LABEL_SOURCE_CACHE, 0));
    assert_true(notices_want(&story.notices, DNS_RCODE_NOERROR, LABEL_SOURCE_STALE, 0));
    set(QUERY_LOG_ALL);
    assert_true(notices_want(&story.notices, DNS_RCODE_NOERROR, LABEL_SOURCE_CACHE, 0));
}

static void everything_that_is_known_is_kept(void **state)
{
    (void)state;
    static const uint8_t errors[] = {0, 15, 0, 9, 0, 6, 'e', 'x', 'p', 'i', 'r', 'e', 'd'};
    struct upstream upstream = {.label = "1.1.1.1:853#one"};
    struct exchange exchange = {.number = 4711, .attempts_made = 2, .last = &upstream};
    struct question_key key;
    question_key(&story.question, &key);
    question_key_set_route(&key, 7);
    struct query_end how = end_of(DNS_RCODE_SERVFAIL, LABEL_SOURCE_UPSTREAM, 250 * NS_PER_MS);
    how.key = &key;
    how.exchange = &exchange;
    how.error.errors = errors;
    how.error.errors_size = sizeof errors;
    notices_end(&story.notices, &how);
    const struct query_note *note = last(QUERY_SERVFAIL);
    assert_true(address_equal(&note->client, &story.address));
    assert_int_equal(note->at_ns, story.loop.now_ns);
    assert_int_equal(note->took_ns, 250 * NS_PER_MS);
    assert_int_equal(note->question, 4711);
    assert_int_equal(note->attempts, 2);
    assert_int_equal(note->worker, 3);
    assert_int_equal(note->type, DNS_TYPE_A);
    assert_int_equal(note->name_size, sizeof asked_name);
    assert_memory_equal(note->name, asked_name, sizeof asked_name);
    assert_int_equal(note->ede_code, 6);
    assert_string_equal(note->ede_text, "expired");
    assert_false(note->ede_is_ours);
    assert_string_equal(note->route, "corp.example");
    assert_string_equal(note->upstream, "1.1.1.1:853#one");
    assert_int_equal(note->source, LABEL_SOURCE_UPSTREAM);
}

/* An upstream's text may be twice as long as there is room: it ends between two characters. */
static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    uint8_t errors[6 + EDE_TEXT_MAX] = {0, 15, (2 + EDE_TEXT_MAX) >> 8, (2 + EDE_TEXT_MAX) & 0xff, 0, 6};
    for (int i = 0; i < EDE_TEXT_MAX; i++) errors[6 + i] = i % 2 ? 0xa4 : 0xc3;
    struct query_end how = end_of(DNS_RCODE_SERVFAIL, LABEL_SOURCE_UPSTREAM, 0);
    how.error.errors = errors;
    how.error.errors_size = sizeof errors;
    notices_end(&story.notices, &how);
    assert_int_equal(strlen(last(QUERY_SERVFAIL)->ede_text), QUERY_TEXT_BYTES - 2);
    errors[3] = 0xff; /* longer than the list: no text */
    notices_end(&story.notices, &how);
    assert_string_equal(last(QUERY_SERVFAIL)->ede_text, "");
}

static void each_refusal_has_its_kind(void **state)
{
    (void)state;
    static const struct {
        enum refusal refusal;
        enum query_kind kind;
        uint16_t rcode;
        const char *reason;
    } cases[] = {
        {REFUSAL_NOT_QUERY, QUERY_MALFORMED, QUERY_NO_RCODE, "not_a_query"},
        {REFUSAL_PROHIBITED, QUERY_REFUSED, DNS_RCODE_REFUSED, "access"},
        {REFUSAL_RATE_SERVFAIL, QUERY_LIMITED, DNS_RCODE_SERVFAIL, "rate_limit"},
        {REFUSAL_RATE_REFUSE, QUERY_LIMITED, DNS_RCODE_REFUSED, "rate_limit"},
        {REFUSAL_RATE_DROP, QUERY_LIMITED, QUERY_NO_RCODE, "rate_limit"},
        {REFUSAL_RATE_TRUNCATE, QUERY_LIMITED, DNS_RCODE_NOERROR, "rate_limit"},
        {REFUSAL_RATE_BADCOOKIE, QUERY_LIMITED, DNS_RCODE_BADCOOKIE, "rate_limit"},
        {REFUSAL_TOO_LONG, QUERY_MALFORMED, DNS_RCODE_FORMERR, "too_long"},
        {REFUSAL_FORMERR, QUERY_MALFORMED, DNS_RCODE_FORMERR, "malformed"},
        {REFUSAL_OPCODE, QUERY_MALFORMED, DNS_RCODE_NOTIMP, "opcode"},
        {REFUSAL_EDNS_VERSION, QUERY_MALFORMED, DNS_RCODE_BADVERS, "edns_version"},
        {REFUSAL_TRANSFER, QUERY_REFUSED, DNS_RCODE_REFUSED, "transfer"},
        {REFUSAL_CLASS, QUERY_REFUSED, DNS_RCODE_REFUSED, "class"},
        {REFUSAL_SIGNED, QUERY_REFUSED, DNS_RCODE_NOTAUTH, "tsig"},
        {REFUSAL_ANY, QUERY_REFUSED, DNS_RCODE_NOTIMP, "any"},
        {REFUSAL_OVERLOADED, QUERY_LIMITED, DNS_RCODE_SERVFAIL, "overload"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = kept(cases[i].kind);
        notices_refused(&story.notices, &story.requester, &story.question, cases[i].refusal);
        assert_int_equal(kept(cases[i].kind), before + 1);
        assert_int_equal(last(cases[i].kind)->rcode, cases[i].rcode);
        assert_string_equal(last(cases[i].kind)->reason, cases[i].reason);
    }
    notices_refused(&story.notices, &story.requester, &story.question, REFUSAL_COOKIE); /* is a usual question */
    notices_refused(&story.notices, &story.requester, &story.question, REFUSAL_BADCOOKIE);
}

static void a_dropped_datagram_shows_its_question_if_it_has_one(void **state)
{
    (void)state;
    static const uint8_t query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\4test\0\0\1\0\1";
    struct client_message message = {.bytes = query, .size = sizeof query - 1};
    notices_dropped(&story.notices, &story.requester, QUERY_REFUSED, "access", &message);
    assert_int_equal(last(QUERY_REFUSED)->name_size, 6);
    assert_int_equal(story.note.rcode, QUERY_NO_RCODE);
    assert_int_equal(story.note.source, QUERY_SOURCE_NONE);
    message.size = 3;
    notices_dropped(&story.notices, &story.requester, QUERY_MALFORMED, "not_a_query", &message);
    assert_int_equal(last(QUERY_MALFORMED)->name_size, 0);
}

static void the_setting_chooses_what_is_logged(void **state)
{
    (void)state;
    static const unsigned lines[] = {
        [QUERY_LOG_OFF] = 0, [QUERY_LOG_FAILED] = 3, [QUERY_LOG_SLOW] = 4, [QUERY_LOG_ALL] = 5};
    for (unsigned i = QUERY_LOG_OFF; i <= QUERY_LOG_ALL; i++) {
        set((enum query_log)i);
        end(DNS_RCODE_NOERROR, LABEL_SOURCE_UPSTREAM, 1);
        end(DNS_RCODE_NOERROR, LABEL_SOURCE_UPSTREAM, SLOW_NS + 1);
        end(DNS_RCODE_SERVFAIL, LABEL_SOURCE_UPSTREAM, 1);
        end(DNS_RCODE_NOERROR, LABEL_SOURCE_STALE, 1);
        notices_refused(&story.notices, &story.requester, &story.question, REFUSAL_RATE_DROP);
        assert_int_equal(lines_of(logged()), lines[i]);
    }
}

static void a_line_has_what_is_known(void **state)
{
    (void)state;
    set(QUERY_LOG_FAILED);
    struct query_end how = end_of(DNS_RCODE_SERVFAIL, LABEL_SOURCE_UPSTREAM, 2 * NS_PER_S);
    how.error.ede_code = DNS_EDE_NO_REACHABLE_AUTHORITY;
    how.error.ede_text = "upstream does not answer";
    notices_end(&story.notices, &how);
    const char *line = logged();
    assert_non_null(strstr(line,
                           "level=info event=query kind=servfail client=192.0.2.7:4711 transport=tcp "
                           "name=WwW.Example. type=A rcode=SERVFAIL ede=22 why=\"upstream does not answer\" "
                           "source=upstream route=none upstream=none attempts=0 took_ms=2000 worker=3 question=0\n"));
    story.log.format = LOG_FORMAT_JSON;
    notices_end(&story.notices, &how);
    line = logged();
    assert_non_null(strstr(line, "\"event\":\"query\",\"kind\":\"servfail\",\"client\":\"192.0.2.7:4711\""));
    assert_non_null(strstr(line, "\"took_ms\":2000"));
}

static void lines_above_the_bound_are_counted_and_said(void **state)
{
    (void)state;
    set(QUERY_LOG_ALL);
    for (int i = 0; i < NOTICES_LOGGED_PER_S + 5; i++) end(DNS_RCODE_NOERROR, LABEL_SOURCE_CACHE, 0);
    assert_int_equal(lines_of(logged()), NOTICES_LOGGED_PER_S);
    assert_int_equal(value_queries_not_logged(story.counters), 5);
    notices_tick(&story.notices, story.loop.now_ns + NS_PER_S - 1);
    assert_string_equal(logged(), "");
    notices_tick(&story.notices, story.loop.now_ns + NS_PER_S);
    assert_non_null(strstr(logged(), "event=\"queries not logged\" count=5 most_per_second=100 worker=3\n"));
    notices_tick(&story.notices, story.loop.now_ns + 2 * NS_PER_S);
    assert_string_equal(logged(), "");
    story.loop.now_ns += NS_PER_S;
    end(DNS_RCODE_NOERROR, LABEL_SOURCE_CACHE, 0);
    assert_int_equal(lines_of(logged()), 1);
}

static void without_ring_and_log_nothing_happens(void **state)
{
    (void)state;
    set(QUERY_LOG_ALL);
    story.notices.ring = NULL;
    story.notices.log = NULL;
    end(DNS_RCODE_SERVFAIL, LABEL_SOURCE_UPSTREAM, 1);
    notices_refused(&story.notices, &story.requester, &story.question, REFUSAL_RATE_DROP);
    assert_string_equal(logged(), "");
    assert_int_equal(value_queries_not_logged(story.counters), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(queries_are_of_one_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(ordinary_ones_are_not_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_that_is_known_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_text_is_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(each_refusal_has_its_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_datagram_shows_its_question_if_it_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_setting_chooses_what_is_logged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_has_what_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_above_the_bound_are_counted_and_said, setup, teardown),
        cmocka_unit_test_setup_teardown(without_ring_and_log_nothing_happens, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
