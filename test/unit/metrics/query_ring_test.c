/* query_ring: the latest notable queries of each kind, written by one thread while others read. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "metrics/query_ring.h"

enum { ENTRIES = 4 };

static struct query_note note_of(enum query_kind kind, uint64_t number)
{
    struct query_note note = {.kind = (uint8_t)kind, .at_ns = number, .took_ns = number, .name_size = QUERY_NAME_MAX};
    memset(note.name, (int)(number & 0xff), sizeof note.name);
    memset(note.upstream, (int)('a' + number % 26), sizeof note.upstream - 1);
    return note;
}

static void put(struct query_ring *ring, enum query_kind kind, uint64_t number)
{
    const struct query_note note = note_of(kind, number);
    query_ring_put(ring, &note);
}

static void is_empty_at_first(void **state)
{
    (void)state;
    struct query_ring *ring = query_ring_new(ENTRIES);
    struct query_note note;
    assert_int_equal(query_ring_entries(ring), ENTRIES);
    for (int kind = 0; kind < QUERY_KINDS; kind++) {
        assert_int_equal(query_ring_count(ring, (enum query_kind)kind).put, 0);
        assert_false(query_ring_read(ring, (enum query_kind)kind, 0, &note));
    }
    query_ring_free(ring);
    query_ring_free(NULL);
}

static void a_note_is_read_as_it_was_put(void **state)
{
    (void)state;
    struct query_ring *ring = query_ring_new(ENTRIES);
    struct query_note note, read;
    memset(&note, 0, sizeof note);
    note.kind = QUERY_SERVFAIL;
    note.reason = "access";
    note.rcode = 2;
    note.ede_code = 22;
    note.name_size = 6;
    memcpy(note.name, "\4test", 6);
    strcpy(note.ede_text, "upstream does not answer");
    strcpy(note.route, "corp.example");
    assert_true(address_parse("192.0.2.7:4711", 0, &note.client));
    query_ring_put(ring, &note);
    assert_true(query_ring_read(ring, QUERY_SERVFAIL, 0, &read));
    assert_memory_equal(&note, &read, sizeof note);
    assert_false(query_ring_read(ring, QUERY_SERVFAIL, 1, &read));
    assert_false(query_ring_read(ring, QUERY_SLOW, 0, &read));
    query_ring_free(ring);
}

static void the_oldest_of_its_kind_gives_way(void **state)
{
    (void)state;
    struct query_ring *ring = query_ring_new(ENTRIES);
    struct query_note note;
    put(ring, QUERY_SLOW, 77);
    for (uint64_t i = 0; i < 3 * ENTRIES + 1; i++) put(ring, QUERY_LIMITED, i);
    assert_int_equal(query_ring_count(ring, QUERY_LIMITED).put, 3 * ENTRIES + 1);
    assert_int_equal(query_ring_count(ring, QUERY_LIMITED).seen, 3 * ENTRIES + 1);
    for (uint64_t i = 0; i < 3 * ENTRIES + 1; i++) {
        bool is_there = query_ring_read(ring, QUERY_LIMITED, i, &note);
        assert_int_equal(is_there, i > 2 * ENTRIES);
        if (is_there) assert_int_equal(note.at_ns, i);
    }
    assert_true(query_ring_read(ring, QUERY_SLOW, 0, &note)); /* a flood of one kind displaces no other */
    assert_int_equal(note.at_ns, 77);
    query_ring_free(ring);
}

static void no_more_of_a_kind_are_taken_in_a_second(void **state)
{
    (void)state;
    struct query_ring *ring = query_ring_new(ENTRIES);
    uint64_t now_ns = 5000 * NS_PER_S;
    for (int i = 0; i < QUERY_RING_PER_S; i++) assert_true(query_ring_admit(ring, QUERY_REFUSED, now_ns + (uint64_t)i));
    assert_false(query_ring_admit(ring, QUERY_REFUSED, now_ns + NS_PER_S - 1));
    assert_false(query_ring_admit(ring, QUERY_REFUSED, now_ns + NS_PER_S - 1));
    assert_true(query_ring_admit(ring, QUERY_STALE, now_ns + NS_PER_S - 1)); /* each kind for itself */
    assert_true(query_ring_admit(ring, QUERY_REFUSED, now_ns + NS_PER_S));
    assert_int_equal(query_ring_count(ring, QUERY_REFUSED).left_out, 2);
    assert_int_equal(query_ring_count(ring, QUERY_REFUSED).seen, 2); /* those admitted count when they are put */
    query_ring_free(ring);
}

static void kinds_have_names(void **state)
{
    (void)state;
    enum query_kind kind;
    for (int i = 0; i < QUERY_KINDS; i++) {
        const char *name = query_kind_name((enum query_kind)i);
        assert_true(query_kind_parse(name, strlen(name), &kind));
        assert_int_equal(kind, i);
        assert_false(query_kind_parse(name, strlen(name) - 1, &kind));
    }
    assert_false(query_kind_parse("", 0, &kind));
    assert_false(query_kind_parse("ordinary", 8, &kind));
}

static void what_is_refused_before_a_query_is_read_has_a_kind(void **state)
{
    (void)state;
    struct query_ring *ring = query_ring_new(ENTRIES);
    struct address client;
    struct query_note note;
    const char *reason;
    assert_true(address_parse("192.0.2.7:4711", 0, &client));
    query_ring_put_connection(ring, LABEL_REJECTED_ACCESS, &client, 5);
    query_ring_put_connection(ring, LABEL_REJECTED_RATE, &client, 6);
    query_ring_put_connection(NULL, LABEL_REJECTED_RATE, &client, 7);
    assert_true(query_ring_read(ring, QUERY_REFUSED, 0, &note));
    assert_string_equal(note.reason, "access");
    assert_int_equal(note.at_ns, 5);
    assert_int_equal(note.client.port, 4711);
    assert_int_equal(note.rcode, QUERY_NO_RCODE);
    assert_int_equal(note.name_size, 0);
    assert_true(query_ring_read(ring, QUERY_LIMITED, 0, &note));
    assert_int_equal(note.transport, LABEL_TRANSPORT_TCP);
    assert_int_equal(query_kind_of_dropped(LABEL_UDP_DROPPED_ACCESS, &reason), QUERY_REFUSED);
    assert_string_equal(reason, "access");
    assert_int_equal(query_kind_of_dropped(LABEL_UDP_DROPPED_NOT_QUERY, &reason), QUERY_MALFORMED);
    assert_int_equal(query_kind_of_dropped(LABEL_UDP_DROPPED_OVERLOAD, &reason), QUERY_LIMITED);
    query_ring_free(ring);
}

/* ---- threads ---- */

enum { PUTS = 200000 };

static void *write_all(void *context)
{
    for (uint64_t i = 0; i < PUTS; i++) put(context, QUERY_SLOW, i);
    return NULL;
}

/* All of one note: what was put says in each of its parts which one it is. */
static void assert_whole(const struct query_note *note, uint64_t number)
{
    const struct query_note expected = note_of(QUERY_SLOW, number);
    assert_int_equal(note->at_ns, number);
    assert_int_equal(note->took_ns, number);
    assert_memory_equal(note->name, expected.name, sizeof note->name);
    assert_string_equal(note->upstream, expected.upstream);
}

static void a_reader_never_gets_parts_of_two_notes(void **state)
{
    (void)state;
    struct query_ring *ring = query_ring_new(2);
    pthread_t writer;
    uint64_t put_last = 0, got = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_all, ring), 0);
    while (put_last < PUTS) {
        struct query_note note;
        put_last = query_ring_count(ring, QUERY_SLOW).put;
        for (uint64_t back = 1; back <= 2 && back <= put_last; back++) {
            if (!query_ring_read(ring, QUERY_SLOW, put_last - back, &note)) continue;
            assert_whole(&note, put_last - back);
            got++;
        }
    }
    pthread_join(writer, NULL);
    assert_true(got > 0);
    query_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_empty_at_first),
        cmocka_unit_test(a_note_is_read_as_it_was_put),
        cmocka_unit_test(the_oldest_of_its_kind_gives_way),
        cmocka_unit_test(no_more_of_a_kind_are_taken_in_a_second),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(what_is_refused_before_a_query_is_read_has_a_kind),
        cmocka_unit_test(a_reader_never_gets_parts_of_two_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
