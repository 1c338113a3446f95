#include "outcome.h"

#include "config/print.h"
#include "config/settings.h"

static void names_and_routes_are_read(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("names:\n"
                                             "  special_use: forward\n"
                                             "  hosts_file: /etc/hosts\n"
                                             "  records: [\"nas.home.arpa 300 IN A 192.0.2.5\", 'a TXT \"b c\"']\n"
                                             "routes:\n"
                                             "  - zones: [Cluster.local, 10.in-addr.arpa.]\n"
                                             "    upstreams: [{address: 10.96.0.10, transport: tcp}]\n"
                                             "  - zones: [corp.example]\n"
                                             "    upstreams:\n"
                                             "      - {address: 192.0.2.1, name: dns.corp.example}\n"
                                             "      - {address: \"fd00::1\", port: 5353, transport: tcp}\n");
    const struct config *config = &outcome.config;
    assert_int_equal(config->names.special_use, SPECIAL_USE_FORWARD);
    assert_string_equal(config->names.hosts_file, "/etc/hosts");
    assert_int_equal(config->names.records.count, 2);
    assert_int_equal(config->names.records.records[0].ttl_s, 300);
    assert_int_equal(config->names.records.records[1].type, 16);
    assert_int_equal(config->routes.count, 2);
    const struct route_options *route = &config->routes.list[0];
    assert_int_equal(route->zones.count, 2);
    assert_memory_equal(route->zones.list[0].name, "\7cluster\5local", 15);
    assert_int_equal(route->zones.list[0].size, 15);
    assert_int_equal(route->upstreams.count, 1);
    assert_int_equal(route->upstreams.list[0].transport, UPSTREAM_TCP);
    assert_int_equal(route->upstreams.list[0].address.port, 53);
    route = &config->routes.list[1];
    assert_int_equal(route->upstreams.count, 2);
    assert_int_equal(route->upstreams.list[0].transport, UPSTREAM_TLS);
    assert_int_equal(route->upstreams.list[0].address.port, 853);
    assert_string_equal(route->upstreams.list[0].name, "dns.corp.example");
    assert_int_equal(route->upstreams.list[1].address.port, 5353);
    outcome_done(&outcome);
}

static void without_a_file_special_names_are_answered_and_nothing_else(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of_flags(&(struct command_line){.config_file = NULL});
    assert_int_equal(outcome.config.names.special_use, SPECIAL_USE_LOCAL);
    assert_string_equal(outcome.config.names.hosts_file, "");
    assert_int_equal(outcome.config.names.records.count, 0);
    assert_int_equal(outcome.config.routes.count, 0);
    outcome_done(&outcome);
}

#define RECORD_WANTED " is not a record as in a zone file, as \"nas.home.arpa 300 IN A 192.0.2.5\": "
#define ZONE_WANTED   " is not a domain name, as corp.example"
#define LOCALHOST     "localhost always has the loopback addresses (RFC 6761)\n"
#define NOT_ASCII     "an international name is written in its ASCII form, as xn--bcher-kva.example\n"
#define CONFLICT                                                                                                       \
    ": a CNAME record is the only one of its name, a name has one SOA record, and the records of one name and type "   \
    "must fit one message\n"
#define ROUTE(zones, upstreams) "routes: [{zones: " zones ", upstreams: " upstreams "}]\n"
#define TCP                     "[{address: 192.0.2.1, transport: tcp}]"

static const struct {
    const char *text;
    const char *fault;
} cases[] = {
    {"names: {special_use: lokal}\n", "1:22: 'names.special_use': lokal is not one of local, forward; write local\n"},
    {"names:\n  records:\n    - \"nas 300 IN A x\"\n",
     "3:7: 'names.records': \"nas 300 IN A x\"" RECORD_WANTED "Syntax error, could not parse the RR's rdata\n"},
    {"names: {records: [\"a CH A 192.0.2.1\"]}\n",
     "1:19: 'names.records': \"a CH A 192.0.2.1\"" RECORD_WANTED "its class must be IN\n"},
    {"names: {records: [\"$ORIGIN a.\"]}\n", "1:19: 'names.records': \"$ORIGIN a.\"" RECORD_WANTED
                                             "$ORIGIN, $TTL, $INCLUDE and @ have no meaning here; write whole names\n"},
    {"names: {records: [\"a.localhost A 192.0.2.1\"]}\n",
     "1:19: 'names.records': \"a.localhost A 192.0.2.1\"" RECORD_WANTED LOCALHOST},
    {"names: {records: [5]}\n",
     "1:19: 'names.records': 5" RECORD_WANTED "Syntax error, could not parse the RR's type\n"},
    {"names: {records: [\"\303\274.example A 192.0.2.1\"]}\n",
     "1:19: 'names.records': \"\\xc3\\xbc.example A 192.0.2.1\"" RECORD_WANTED NOT_ASCII},
    {"names: {records: [\"a A 192.0.2.1\", \"A. 60 A 192.0.2.1\"]}\n",
     "1:36: 'names.records': \"A. 60 A 192.0.2.1\" is in the list already\n"},
    {"names: {records: [\"a A 192.0.2.1\", \"a CNAME b\"]}\n", "1:36: 'names.records': \"a CNAME b\"" CONFLICT},
    {"names: {records: [\"a CNAME b\", \"a TXT x\"]}\n", "1:32: 'names.records': \"a TXT x\"" CONFLICT},
    {"names: {records: [\"a SOA b c 1 2 3 4 5\", \"a SOA b c 2 2 3 4 5\"]}\n",
     "1:42: 'names.records': \"a SOA b c 2 2 3 4 5\"" CONFLICT},
    {ROUTE("[.]", TCP), "1:19: 'routes.zones': ." ZONE_WANTED ": names of no route are asked of 'upstreams'\n"},
    {ROUTE("[a..b]", TCP), "1:19: 'routes.zones': a..b" ZONE_WANTED "\n"},
    {ROUTE("['']", TCP), "1:19: 'routes.zones': \"\"" ZONE_WANTED "\n"},
    {ROUTE("['a b']", TCP), "1:19: 'routes.zones': \"a b\"" ZONE_WANTED "\n"},
    {ROUTE("['*.a']", TCP),
     "1:19: 'routes.zones': *.a" ZONE_WANTED ": a zone holds for all names below it, without '*.'\n"},
    {ROUTE("[\303\274.example]", TCP), "1:19: 'routes.zones': \"\\xc3\\xbc.example\"" ZONE_WANTED ": " NOT_ASCII},
    {ROUTE("[x.localhost]", TCP), "1:19: 'routes.zones': x.localhost" ZONE_WANTED ": " LOCALHOST},
    {ROUTE("[a, A.]", TCP), "1:22: 'routes.zones': A. is in the list already\n"},
    {ROUTE("[]", TCP), "1:18: 'routes.zones': is empty; at least one entry is wanted\n"},
    {ROUTE("[a]", "[]"), "1:34: 'routes.upstreams': is empty; at least one entry is wanted\n"},
    {"routes: [{zones: [a]}]\n", "1:10: 'routes.upstreams': is missing\n"},
    {"routes: [a]\n", "1:10: 'routes': must be a mapping, as {zones: [cluster.local], upstreams: [{address: "
                      "10.96.0.10, transport: tcp}]}, not a single value\n"},
    {ROUTE("[a]", "[{address: 192.0.2.1}]"), "1:35: 'routes.upstreams': 192.0.2.1: a 'name' must be given with "
                                             "transport tls, and must not be with tcp\n"},
    {ROUTE("[a]", "[{address: 192.0.2.1, transport: tcp, name: a.b}]"),
     "1:35: 'routes.upstreams': 192.0.2.1#a.b: a 'name' must be given with transport tls, and must not be with "
     "tcp\n"},
    {ROUTE("[a]", "[{address: 192.0.2.1, transport: udp}]"),
     "1:67: 'routes.upstreams.transport': udp is not one of tls, tcp\n"},
    {ROUTE("[a]", "[{address: 192.0.2.1, transport: tcp}, {address: 192.0.2.1, port: 53, transport: tcp}]"),
     "1:73: 'routes.upstreams': 192.0.2.1:53 is in the list already\n"},
    {"routes: [{zones: [a], upstreams: " TCP "}, {zones: [b, a], upstreams: " TCP "}]\n",
     "1:75: 'routes': a: a zone is in one route only\n"},
    {"upstreams: [{address: 192.0.2.1, name: a.b, transport: tcp}]\n",
     "1:45: 'upstreams.transport': unknown key: these are asked over TLS; plain TCP is for the upstreams of "
     "'routes' alone\n"},
};

static void faults_are_named_with_line_and_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome = outcome_of(cases[i].text);
        char wanted[512];
        snprintf(wanted, sizeof wanted, "dns.yaml:%s", cases[i].fault);
        assert_string_equal(outcome.faults, wanted);
        outcome_done(&outcome);
    }
}

static void what_is_printed_is_read_as_the_same(void **state)
{
    (void)state;
    struct outcome first = assert_accepted("names: {records: ['a TXT \"b \\\" c\"']}\n" ROUTE("[a, b.c]", TCP));
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print_config(&first.config, out);
    fclose(out);
    struct outcome second = assert_accepted(text);
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++)
        assert_true(setting_equal(&settings.rows[i], &first.config, &second.config));
    free(text);
    outcome_done(&first);
    outcome_done(&second);
}

/* As many routes and records as one file can hold, and no more than the bound. */
static void number_of_routes_is_bounded(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("routes:\n", out);
    for (int i = 0; i <= ROUTES_MAX; i++) fprintf(out, "  - {zones: [z%d.example], upstreams: " TCP "}\n", i);
    fclose(out);
    struct outcome outcome = outcome_of(text);
    assert_string_equal(outcome.faults, "dns.yaml:1026:5: 'routes': more than 1024 entries\n");
    outcome_done(&outcome);
    *strrchr(text, '-') = '\0';
    struct outcome good = assert_accepted(text);
    assert_int_equal(good.config.routes.count, ROUTES_MAX);
    outcome_done(&good);
    free(text);
}

/* A name has as many records as fit one message, and a file with more is refused in a time that grows with its size. */
static void records_of_one_name_are_bounded(void **state)
{
    enum { FIT = (65535 - 12 - 255 - 4) / 16 }; /* of A, with a compressed owner */
    (void)state;
    for (int count = FIT; count <= FIT + 1; count++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        fputs("names:\n  records:\n", out);
        for (int i = 0; i < count; i++) fprintf(out, "    - a A 10.0.%d.%d\n", i / 256, i % 256);
        fclose(out);
        struct outcome outcome = outcome_of(text);
        if (count == FIT) assert_string_equal(outcome.faults, "");
        if (count == FIT) assert_int_equal(outcome.config.names.records.count, FIT);
        if (count > FIT) assert_non_null(strstr(outcome.faults, "\"a A 10.0.15.239\"" CONFLICT));
        outcome_done(&outcome);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_routes_are_read),
        cmocka_unit_test(without_a_file_special_names_are_answered_and_nothing_else),
        cmocka_unit_test(faults_are_named_with_line_and_column),
        cmocka_unit_test(what_is_printed_is_read_as_the_same),
        cmocka_unit_test(number_of_routes_is_bounded),
        cmocka_unit_test(records_of_one_name_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
