/* What is read of a client's message before anything is done with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../dns/packet.h"
#include "queries/incoming.h"

static const struct hash_key hash_key = {1, 2};

static struct packet packet;

static void read_name(const char *name, const struct names *names, struct incoming *ret_incoming)
{
    packet_header(&packet, 7, DNS_RD);
    packet_question(&packet, name, DNS_TYPE_A);
    const struct client_message message = {.bytes = packet.bytes, .size = packet.size};
    memset(ret_incoming, 0xff, sizeof *ret_incoming);
    incoming_read(ret_incoming, &message, names, &hash_key);
}

static void a_good_question_has_its_key_and_hash(void **state)
{
    (void)state;
    struct incoming incoming;
    struct question_key key;
    read_name("WWW.Example.com", NULL, &incoming);
    question_key(&incoming.question, &key);
    assert_true(incoming_is_looked_up(&incoming));
    assert_int_equal(incoming.route, NAMES_ROUTE_DEFAULT);
    assert_ptr_equal(incoming.hashed.bytes, incoming.key.bytes);
    assert_int_equal(incoming.hashed.size, key.size);
    assert_memory_equal(incoming.hashed.bytes, key.bytes, key.size);
    assert_true(incoming.hashed.hash == hash_bytes(&hash_key, key.bytes, key.size));
}

static void a_route_makes_another_key(void **state)
{
    (void)state;
    struct incoming incoming;
    struct incoming other;
    struct names *names = names_new(true);
    assert_true(names_add_route(names, 4711));
    assert_true(names_add_zone(names, (const uint8_t *)"\4corp", 6, 1));
    assert_true(names_finish(names));
    read_name("www.corp", NULL, &other);
    read_name("www.corp", names, &incoming);
    assert_true(incoming_is_looked_up(&incoming));
    assert_int_equal(incoming.route, 1);
    assert_int_equal(question_key_route(&incoming.key), 4711);
    assert_true(incoming.hashed.hash != other.hashed.hash);
    names_free(names);
}

static void what_is_not_for_the_cache_is_not_looked_up(void **state)
{
    (void)state;
    struct incoming incoming;
    struct names *names = names_new(true);
    read_name("localhost", names, &incoming);
    assert_int_equal(incoming.verdict, QUESTION_GOOD);
    assert_int_equal(incoming.found.verdict, NAMES_SPECIAL);
    assert_false(incoming_is_looked_up(&incoming));
    packet.size--; /* cut */
    const struct client_message message = {.bytes = packet.bytes, .size = packet.size};
    incoming_read(&incoming, &message, names, &hash_key);
    assert_int_equal(incoming.verdict, QUESTION_FORMERR);
    assert_false(incoming_is_looked_up(&incoming));
    names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_question_has_its_key_and_hash),
        cmocka_unit_test(a_route_makes_another_key),
        cmocka_unit_test(what_is_not_for_the_cache_is_not_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
