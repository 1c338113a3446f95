#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns/message.h"
#include "packet.h"

/* Names are read at AT, behind a header that no pointer may lead into. */
enum { AT = DNS_HEADER_BYTES };

static struct packet packet;

static int setup(void **state)
{
    (void)state;
    packet_header(&packet, 0, 0);
    return 0;
}

/* Writes names, each a label of `label_size` octets and a pointer to the one before; the first leads to the root.
 * Returns how many places it wrote to `ret_places`. */
static unsigned write_chain(unsigned label_size, unsigned max, size_t *ret_places)
{
    static const uint8_t label[64] = {0};
    unsigned count = 0;
    packet_u8(&packet, 0);
    for (size_t before = AT; count < max; count++) {
        ret_places[count] = packet.size;
        packet_u8(&packet, label_size);
        packet_raw(&packet, label, label_size);
        packet_pointer(&packet, before);
        before = ret_places[count];
    }
    return count;
}

static void what_a_name_led_through_is_remembered(void **state)
{
    (void)state;
    static struct name_rest rests[NAME_RESTS];
    size_t places[5];
    unsigned count = write_chain(2, 5, places);
    size_t name = packet.size;
    packet_pointer(&packet, places[count - 1]);
    struct reader reader = packet_reader(&packet, name);
    reader.rests = rests;
    assert_int_equal(reader_name(&reader, true), 2);
    assert_int_equal(reader.pointers, count + 1);
    for (unsigned i = 0; i < count; i++) {
        assert_true(rests[places[i]].is_known);
        assert_int_equal(rests[places[i]].pointers, i + 1);
        assert_int_equal(rests[places[i]].length, 3 * (i + 1));
    }
    assert_false(rests[name].is_known);
}

/* Reads a name by the pointer to each place in turn, and each time once more; `order` 1: from the shortest on. */
static void read_all(const size_t *places, unsigned count, int order, struct name_rest *rests, size_t *ret_sizes)
{
    for (unsigned n = 0; n < 2 * count; n++) {
        unsigned i = order > 0 ? n % count : count - 1 - n % count;
        size_t at = packet.size;
        packet_u8(&packet, 1);
        packet_u8(&packet, 'x');
        packet_pointer(&packet, places[i]);
        struct reader reader = packet_reader(&packet, at);
        reader.rests = rests;
        ret_sizes[i] = reader_name(&reader, true);
        packet.size = at;
    }
}

static void names_are_judged_the_same_where_their_rests_are_remembered(void **state)
{
    (void)state;
    static struct name_rest rests[NAME_RESTS];
    const unsigned label_sizes[] = {0, 1, 2, 63};
    size_t places[200];
    size_t expected[200];
    size_t sizes[200];
    for (unsigned i = 0; i < 2 * sizeof label_sizes / sizeof *label_sizes; i++) {
        setup(NULL);
        memset(rests, 0, sizeof rests);
        unsigned count = write_chain(label_sizes[i / 2], 200, places);
        read_all(places, count, 1, NULL, expected);
        read_all(places, count, i % 2 ? 1 : -1, rests, sizes);
        assert_memory_equal(sizes, expected, sizeof sizes);
        assert_int_equal(expected[0], 4);                               /* the label and the pointer */
        if (label_sizes[i / 2] > 0) assert_int_equal(expected[199], 0); /* more than 127 pointers, or 255 octets */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_name_led_through_is_remembered, setup),
        cmocka_unit_test_setup(names_are_judged_the_same_where_their_rests_are_remembered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
