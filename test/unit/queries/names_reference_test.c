/* What is done with a name, beside a simple model of it: lists that are read from end to end for each name. */
#include "names_story.h"

enum {
    TABLES = 3000,
    NAMES_A_TABLE = 100, /* asked */
    ENTRIES_MAX = 60,    /* of one table */
};

/* ---- numbers and names, the same in each run ---- */

static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

struct drawn_name {
    size_t size;
    uint8_t bytes[DNS_NAME_MAX];
};

/* Labels that meet often, that look like others with their lengths, and that share their first octets. */
static const char *const labels[] = {
    "a",
    "b",
    "*",
    "com",
    "example",
    "corp",
    "r1",
    "\3com",
    "*a",
    "localhost",
    "local",
    "home",
    "arpa",
    "\1a",
    "1",
    "0",
    "test",
    "in-addr",
    "b\7example",
    "10",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaab",
    "long-label-that-begins-alike-1",
    "long-label-that-begins-alike-2",
};
enum { LABELS = sizeof labels / sizeof *labels };

/* The name with one more label in front; as it is where it would be too long. */
static void prepend(struct drawn_name *drawn, const char *label)
{
    size_t size = strlen(label);
    if (drawn->size + size + 1 > DNS_NAME_MAX) return;
    memmove(drawn->bytes + size + 1, drawn->bytes, drawn->size);
    drawn->bytes[0] = (uint8_t)size;
    memcpy(drawn->bytes + 1, label, size);
    drawn->size += size + 1;
}

static struct drawn_name draw_name(unsigned labels_max, unsigned choice)
{
    struct drawn_name drawn = {.size = 1};
    for (unsigned count = draw(labels_max + 1); count > 0; count--) prepend(&drawn, labels[draw(choice)]);
    return drawn;
}

/* ---- the model ---- */

struct model_entry {
    struct drawn_name name;
    uint16_t route; /* 0: it is a record */
    bool overrides;
};

static struct model_entry entries[ENTRIES_MAX];
static unsigned entry_count;
static bool special_use;

/* Whether `under` is `above` or lies below it. */
static bool is_under(const uint8_t *under, size_t under_size, const uint8_t *above, size_t above_size)
{
    for (;;) {
        if (under_size == above_size) return memcmp(under, above, above_size) == 0;
        if (under_size == 1) return false;
        under_size -= 1u + under[0];
        under += 1 + under[0];
    }
}

/* A record of the name, or NULL: the one that overrides, if there is one. */
static const struct model_entry *record_of(const uint8_t *text, size_t size)
{
    for (unsigned i = 0; i < entry_count; i++)
        if (entries[i].route == 0 && entries[i].name.size == size && memcmp(entries[i].name.bytes, text, size) == 0)
            return &entries[i];
    return NULL;
}

static bool exists(const uint8_t *text, size_t size)
{
    static const uint8_t localhost[] = "\11localhost";
    if (size == 1) return true;
    for (unsigned i = 0; i < entry_count; i++)
        if (entries[i].route == 0 && is_under(entries[i].name.bytes, entries[i].name.size, text, size)) return true;
    bool is_localhost = size == sizeof localhost && memcmp(text, localhost, size) == 0;
    return special_use && is_localhost && record_of((const uint8_t *)"\1*", 3);
}

struct expected {
    enum names_verdict verdict;
    const struct model_entry *record;
    bool is_wildcard;
    uint16_t route;
    size_t zone_at;
    enum special_verdict special;
};

static const struct model_entry *longest_zone(const uint8_t *text, size_t size)
{
    const struct model_entry *longest = NULL;
    for (unsigned i = 0; i < entry_count; i++) {
        const struct model_entry *zone = &entries[i];
        if (zone->route != 0 && is_under(text, size, zone->name.bytes, zone->name.size) &&
            (!longest || zone->name.size >= longest->name.size)) /* the last one of one name holds */
            longest = zone;
    }
    return longest;
}

static struct expected expect(const uint8_t *text, size_t size, uint16_t type)
{
    struct expected expected = {.verdict = NAMES_RESOLVE};
    struct drawn_name encloser = {.size = size};
    memcpy(encloser.bytes, text, size);
    const struct model_entry *zone = longest_zone(text, size);
    bool is_there = exists(text, size);
    expected.record = record_of(text, size);
    if (!expected.record && (!is_there || size == 1)) {
        size_t at = 0;
        while (!exists(text + at, size - at)) at += 1u + text[at];
        encloser.size = size - at;
        memcpy(encloser.bytes, text + at, encloser.size);
        size_t encloser_size = encloser.size;
        prepend(&encloser, "*");
        bool zone_is_longer = zone && zone->name.size > encloser_size;
        if (size > 1 && !zone_is_longer) expected.record = record_of(encloser.bytes, encloser.size);
        expected.is_wildcard = expected.record;
    }
    if (expected.record) {
        expected.verdict = NAMES_RECORD;
        return expected;
    }
    if (zone) {
        expected.route = zone->route;
        expected.zone_at = size - zone->name.size;
        return expected;
    }
    struct special_match match;
    if (special_use) expected.special = special_names_find(text, size, type, &match);
    if (expected.special != SPECIAL_NONE && expected.special != SPECIAL_FORWARD) expected.verdict = NAMES_SPECIAL;
    if (is_there && expected.special == SPECIAL_NXDOMAIN) expected.special = SPECIAL_NODATA;
    return expected;
}

/* ---- both ---- */

static void enter(struct drawn_name drawn, uint16_t route, bool overrides)
{
    const struct names_record record = {drawn.bytes, (uint8_t)drawn.size,          TYPE_A,   4,
                                        60,          (const uint8_t *)"\12\0\0\1", overrides};
    if (entry_count == ENTRIES_MAX) return;
    entries[entry_count++] = (struct model_entry){drawn, route, overrides};
    assert_true(route != 0 ? names_add_zone(names, drawn.bytes, drawn.size, route) : names_add_record(names, &record));
}

static void compare(const struct drawn_name *drawn)
{
    static const uint16_t types[] = {TYPE_A, TYPE_TXT, DNS_TYPE_DS, DNS_TYPE_SOA};
    uint16_t type = types[draw(4)];
    uint8_t padded[DNS_NAME_MAX + 8];
    memset(padded, (int)draw(256), sizeof padded); /* what stands behind the name is none of its octets */
    memcpy(padded, drawn->bytes, drawn->size);
    struct expected expected = expect(drawn->bytes, drawn->size, type);
    names_find(names, padded, drawn->size, type, &found);
    assert_int_equal(found.verdict, expected.verdict);
    assert_int_equal(found.route, expected.route);
    if (expected.verdict == NAMES_RECORD) {
        assert_int_equal(found.is_wildcard, expected.is_wildcard);
        assert_int_equal(found.overrides, expected.record->overrides);
    } else if (expected.route != 0) {
        assert_int_equal(found.zone_at, expected.zone_at);
    } else {
        assert_int_equal(found.special, expected.special);
    }
}

/* A name near one that was entered: below it, above it, or beside it. */
static struct drawn_name near_entry(void)
{
    struct drawn_name drawn = entries[draw(entry_count)].name;
    for (unsigned cut = draw(3); cut > 0 && drawn.size > 1; cut--) {
        size_t label = 1u + drawn.bytes[0];
        drawn.size -= label;
        memmove(drawn.bytes, drawn.bytes + label, drawn.size);
    }
    for (unsigned more = draw(4); more > 0; more--) prepend(&drawn, labels[draw(LABELS)]);
    if (draw(8) == 0)
        while (drawn.size + 2 <= DNS_NAME_MAX) prepend(&drawn, draw(2) ? "a" : "*"); /* up to 127 labels */
    return drawn;
}

static void make_table(unsigned number)
{
    seed = UINT64_C(0x5eed0000) + number;
    special_use = draw(2);
    entry_count = 0;
    names = names_new(special_use);
    assert_non_null(names);
    unsigned labels_max = 1 + draw(6);
    unsigned choice = 4 + draw(LABELS - 3);
    for (unsigned i = 1 + draw(ENTRIES_MAX / 2); i > 0; i--) enter(draw_name(labels_max, choice), 0, true);
    for (unsigned i = draw(10); i > 0; i--) enter(draw_name(labels_max, choice), 0, false);
    for (unsigned i = draw(20); i > 0; i--) {
        struct drawn_name zone = draw_name(labels_max, choice);
        if (zone.size > 1) enter(zone, (uint16_t)(1 + draw(1000)), false);
    }
    assert_true(names_finish(names));
}

static void random_tables_say_what_the_model_says(void **state)
{
    unsigned of_verdict[3] = {0};
    unsigned by_wildcard = 0;
    unsigned routed = 0;
    (void)state;
    for (unsigned number = 0; number < TABLES; number++) {
        make_table(number);
        for (unsigned i = 0; i < NAMES_A_TABLE; i++) {
            struct drawn_name drawn = draw(3) == 0 ? draw_name(8, LABELS) : near_entry();
            compare(&drawn);
            of_verdict[found.verdict]++;
            by_wildcard += found.verdict == NAMES_RECORD && found.is_wildcard;
            routed += found.verdict == NAMES_RESOLVE && found.route != 0;
        }
        names_free(names);
    }
    /* All cases were among them. */
    assert_true(of_verdict[NAMES_RECORD] > 5000 && of_verdict[NAMES_RESOLVE] > 5000);
    assert_true(of_verdict[NAMES_SPECIAL] > 500 && by_wildcard > 1000 && routed > 1000);
}

/* The octets of a zone stand in the middle of a label: that is not the zone. */
static void octets_of_a_label_are_no_labels(void **state)
{
    static const uint8_t inside[] = "\11aaa\4corp!\3com";
    static const uint8_t ends_alike[] = "\12aaaaa\4corp\3com"; /* one label that ends as the zone begins */
    static const uint8_t in_zone[] = "\5aaaaa\4corp\3com";
    (void)state;
    names = names_new(true);
    assert_non_null(names);
    add_zone("corp.com", 7);
    assert_true(names_finish(names));
    names_find(names, inside, sizeof inside, TYPE_A, &found);
    assert_int_equal(found.route, NAMES_ROUTE_DEFAULT);
    names_find(names, ends_alike, sizeof ends_alike, TYPE_A, &found);
    assert_int_equal(found.route, NAMES_ROUTE_DEFAULT);
    names_find(names, in_zone, sizeof in_zone, TYPE_A, &found);
    assert_int_equal(found.route, 7);
    assert_int_equal(found.zone_at, 6);
    names_free(names);
}

/* Names that agree in their size and in their first sixteen octets, which the filter takes for one. */
static void names_that_meet_in_the_filter_are_told_apart(void **state)
{
    char text[128];
    (void)state;
    names = names_new(true);
    assert_non_null(names);
    for (unsigned i = 0; i < 2000; i += 2) {
        snprintf(text, sizeof text, "a-label-of-many-octets.z%04u.example", i);
        add_zone(text, (uint16_t)(i + 1));
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "www.a-label-of-many-octets.z%04u.example", i);
        find(text, TYPE_A);
        assert_int_equal(found.route, i % 2 == 0 ? i + 1 : NAMES_ROUTE_DEFAULT);
    }
    names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables_say_what_the_model_says),
        cmocka_unit_test(octets_of_a_label_are_no_labels),
        cmocka_unit_test(names_that_meet_in_the_filter_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
