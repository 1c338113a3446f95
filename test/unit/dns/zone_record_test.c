#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/zone_record.h"

static struct zone_record record;

static void good(const char *text, uint16_t type, uint32_t ttl_s, const void *owner, size_t owner_size,
                 const void *data, size_t data_size)
{
    assert_true(zone_record_parse(text, &record));
    assert_string_equal(record.text, text);
    assert_int_equal(record.type, type);
    assert_int_equal(record.ttl_s, ttl_s);
    assert_int_equal(record.owner_size, owner_size);
    assert_memory_equal(record.bytes, owner, owner_size);
    assert_int_equal(record.data_size, data_size);
    assert_memory_equal(zone_record_data(&record), data, data_size);
    zone_record_free(&record);
}

#define NAS                                  "\3nas\4home\4arpa"
#define GOOD(text, type, ttl_s, owner, data) good(text, type, ttl_s, owner, sizeof(owner), data, sizeof(data) - 1)

static void records_of_many_types_are_read(void **state)
{
    (void)state;
    GOOD("nas.home.arpa 300 IN A 192.0.2.5", 1, 300, NAS, "\300\0\2\5");
    GOOD("NAS.Home.arpa. 300 A 192.0.2.5", 1, 300, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa IN 300 A 192.0.2.5", 1, 300, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa\t1h\tin\tA\t192.0.2.5", 1, 3600, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa 1h30m A 192.0.2.5", 1, 5400, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa A 192.0.2.5", 1, 3600, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa 0 A 192.0.2.5 ; a comment", 1, 0, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa 2147483647 A 192.0.2.5", 1, 2147483647, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa AAAA ::5", 28, 3600, NAS, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5");
    GOOD("nas.home.arpa MX 10 Mail", 15, 3600, NAS, "\0\12\4Mail\0");
    GOOD("nas.home.arpa CNAME a.b.", 5, 3600, NAS, "\1a\1b\0");
    GOOD("nas.home.arpa TXT \"a ;b\" c", 16, 3600, NAS, "\4a ;b\1c");
    GOOD("nas.home.arpa SRV 0 5 80 a", 33, 3600, NAS, "\0\0\0\5\0\120\1a\0");
    GOOD("nas.home.arpa SOA a b 1 2 3 4 5", 6, 3600, NAS, "\1a\0\1b\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5");
    GOOD("nas.home.arpa TYPE65280 \\# 2 abcd", 65280, 3600, NAS, "\253\315");
    GOOD("nas.home.arpa HTTPS 1 .", 65, 3600, NAS, "\0\1\0");
    GOOD("nas.home.arpa HTTPS 0 a.", 65, 3600, NAS, "\0\0\1a\0");
    GOOD("nas.home.arpa SVCB 2 . alpn=h2,h3 port=443", 64, 3600, NAS, "\0\2\0\0\1\0\6\2h2\2h3\0\3\0\2\1\273");
    GOOD("nas.home.arpa TXT \"a\\\"b\" \\065\\; \"\303\274\" \"\"", 16, 3600, NAS, "\3a\"b\2A;\2\303\274\0");
    GOOD("nas.home.arpa NS a.b", 2, 3600, NAS, "\1a\1b\0");
    GOOD("nas.home.arpa PTR a.b", 12, 3600, NAS, "\1a\1b\0");
    GOOD("nas.home.arpa CAA 0 issue \"a.b\"", 257, 3600, NAS, "\0\5issuea.b");
    GOOD("nas.home.arpa NAPTR 1 2 \"u\" \"E2U\" \"\" .", 35, 3600, NAS, "\0\1\0\2\1u\3E2U\0\0");
    GOOD("nas.home.arpa DS 258 13 2 0a0b", 43, 3600, NAS, "\1\2\15\2\12\13");
    GOOD("nas.home.arpa TLSA 3 1 1 0a0b", 52, 3600, NAS, "\3\1\1\12\13");
    GOOD("nas.home.arpa SSHFP 4 2 0a0b", 44, 3600, NAS, "\4\2\12\13");
    GOOD("nas.home.arpa HINFO \"a\" b", 13, 3600, NAS, "\1a\1b");
    GOOD("nas.home.arpa A ( 192.0.2.5 )", 1, 3600, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa TYPE1 \\# 4 c0000205", 1, 3600, NAS, "\300\0\2\5");
    GOOD("nas.home.arpa TYPE65280 \\# 0", 65280, 3600, NAS, "");
    GOOD("\\065 A 192.0.2.5", 1, 3600, "\1a", "\300\0\2\5");
    GOOD("*.apps A 192.0.2.5", 1, 3600, "\1*\4apps", "\300\0\2\5");
    GOOD("a\\.b A 192.0.2.5", 1, 3600, "\3a.b", "\300\0\2\5");
    GOOD(". A 192.0.2.5", 1, 3600, "", "\300\0\2\5");
    GOOD("10 60 A 192.0.2.5", 1, 60,
         "\2"
         "10",
         "\300\0\2\5"); /* an owner may look like a TTL */
}

static const char *const texts[] = {
    "",
    " ",
    "; a comment",
    "$TTL 5",
    "nas",
    "nas 300",
    "nas 300 IN",
    "nas 300 IN A",
    "nas 300 IN A x",
    "nas 300 IN A 192.0.2.5 extra",
    "nas 300 CH A 192.0.2.5",
    "nas 300 IN AAAA 192.0.2.5",
    "nas 99999999999 IN A 192.0.2.5",
    "nas 2147483648 A 192.0.2.5",
    "nas 99999w A 192.0.2.5",
    "nas -5 A 192.0.2.5",
    "nas 300 300 A 192.0.2.5",
    "nas IN IN A 192.0.2.5",
    " A 192.0.2.5",
    "@ A 192.0.2.5",
    "a..b A 192.0.2.5",
    "a A 192.0.2.5\nb A 192.0.2.6",
    "a TXT \"open",
    "a OPT",
    "a ANY",
    "a TYPE0 \\# 0",
    "a TYPE41 \\# 0",
    "a TYPE255 \\# 0",
    "a DNAME b",
    "a CNAME",
    "a CNAME b c",
    "a HS A 192.0.2.5",
    "a CLASS3 A 192.0.2.5",
    "a NONE A 192.0.2.5",
    "$ORIGIN example.",
    "$INCLUDE /etc/passwd",
    "a BOGUS b",
    "a TYPE1 \\# 3 c00002",
    "a TYPE6 \\# 1 00",
    "a TYPE15 \\# 2 000a",
    "a TYPE16 \\# 0",
    "a TYPE5 \\# 3 c00c00",
    "a TLSA 3 1 1",
    "a TXT",
    "\303\274 A 192.0.2.5",
    "a CNAME \303\274.b",
    "a TXT \303\274",
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z."
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z."
    "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z A 192.0.2.5",
    "a A 192.0.2.5\177",
};

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        record = (struct zone_record){.ttl_s = 77};
        if (zone_record_parse(texts[i], &record)) fail_msg("taken: %s", texts[i]);
        assert_int_equal(record.ttl_s, 77);
        assert_non_null(zone_record_fault(texts[i]));
    }
    assert_null(zone_record_fault("a A 192.0.2.5"));
    assert_string_equal(zone_record_fault("a CH A 192.0.2.5"), "its class must be IN");
    assert_string_equal(zone_record_fault("a TYPE6 \\# 1 00"), "its data is incomplete");
    assert_string_equal(zone_record_fault("a DNAME b"), "DNAME is not supported");
    assert_string_equal(zone_record_fault("a TXT \"b"), "a quotation mark is missing");
}

static void length_is_bounded(void **state)
{
    char text[ZONE_RECORD_TEXT_MAX + 2] = "a TXT ";
    (void)state;
    for (size_t i = strlen(text); i < ZONE_RECORD_TEXT_MAX; i++) text[i] = i % 100 == 0 ? ' ' : 'x';
    assert_true(zone_record_parse(text, &record));
    zone_record_free(&record);
    strcat(text, "x");
    assert_false(zone_record_parse(text, &record));
}

static void records_are_compared_by_what_they_say(void **state)
{
    struct zone_record a, b, c;
    (void)state;
    assert_true(zone_record_parse("nas 300 A 192.0.2.5", &a));
    assert_true(zone_record_parse("NAS. 60 IN A 192.0.2.5", &b));
    assert_true(zone_record_parse("nas 300 A 192.0.2.6", &c));
    assert_true(zone_record_equal(&a, &b));
    assert_false(zone_record_equal(&a, &c));
    zone_record_free(&a);
    zone_record_free(&b);
    zone_record_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_many_types_are_read),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(records_are_compared_by_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
