/* A file is walked by the table: what is no setting, or no value of it, is named with its place; and all of it in one
 * go. */
#include "outcome.h"

#define ALL_KEYS                                                                                                       \
    "listen, workers, min_workers, upstreams, bootstrap, routes, drain_timeout, sandbox, user, upstream, tls, names, " \
    "cache, prefetch, access, rate_limit, clients, udp, state, shared_cache, http, log, dnstap"

/* A file that was cut off must not move a service to the defaults. */
static void a_file_that_sets_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "\n",     "# nothing\n", "---\n",       "---\n...\n", "---\n# nothing\n",
                                        "~\n", "null\n", "{}\n",        "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(texts[i], "dns.yaml:1:1: nothing is set: the file is empty or has only comments\n");
}

static void sections_with_all_lines_commented_out_are_fine(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("upstream:\n  # padding: 0\ncache: ~\nlog: {}\n");
    assert_int_equal(outcome.config.pool.padding, 128);
    outcome_done(&outcome);
}

static void a_file_that_is_no_mapping_is_refused(void **state)
{
    (void)state;
    assert_refused("- listen\n", "dns.yaml:1:1: must be a mapping of settings, not a list\n");
    assert_refused("listen\n", "dns.yaml:1:1: must be a mapping of settings, not a single value\n");
    assert_refused("''\n", "dns.yaml:1:1: must be a mapping of settings, not a single value\n");
}

static void an_unknown_key_is_named_with_its_section(void **state)
{
    (void)state;
    assert_refused("speed: 11\n", "dns.yaml:1:1: 'speed': unknown key; allowed: " ALL_KEYS "\n");
    assert_refused("tls:\n  pinning: no\n",
                   "dns.yaml:2:3: 'tls.pinning': unknown key; allowed: ca_file, revalidate_interval\n");
    assert_refused("upstreams:\n  - {address: 1.1.1.1, name: a.b, host: x}\n",
                   "dns.yaml:2:35: 'upstreams.host': unknown key; allowed: address, port, name\n");
}

static void a_near_miss_is_recognised(void **state)
{
    (void)state;
    assert_refused("workrs: 4\n", "dns.yaml:1:1: 'workrs': unknown key; did you mean 'workers'?\n");
    assert_refused("cache:\n  maxsize: 0\n", "dns.yaml:2:3: 'cache.maxsize': unknown key; did you mean 'max_size'?\n");
    assert_refused("upstreams:\n  - {adress: 1.1.1.1, address: 1.1.1.1, name: a.b}\n",
                   "dns.yaml:2:6: 'upstreams.adress': unknown key; did you mean 'address'?\n");
}

static void keys_are_exact(void **state)
{
    (void)state;
    static const char *const keys[] = {"Workers",          "WORKERS", "workers ", " workers", "",
                                       "upstream.padding", "padding", ".",        "workers.", "upstreams.port",
                                       "access.allow",     "<<",      "tls."};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[64];
        snprintf(text, sizeof text, "\"%s\": 4\n", keys[i]);
        struct outcome outcome = outcome_of(text);
        assert_false(outcome.is_good);
        assert_non_null(strstr(outcome.faults, "unknown key"));
        outcome_done(&outcome);
    }
}

static void a_key_with_control_characters_stays_on_its_line(void **state)
{
    (void)state;
    assert_refused("\"a\\nb\\e[2J\": 1\n", "dns.yaml:1:1: '\"a\\x0ab\\x1b[2J\"': unknown key; allowed: " ALL_KEYS "\n");
}

static void a_key_given_twice_points_at_both(void **state)
{
    (void)state;
    assert_refused("workers: 4\nlisten: [\"127.0.0.1:53\"]\nworkers: 5\n",
                   "dns.yaml:3:1: 'workers': given twice, first on line 1\n");
    assert_refused("cache: {max_size: 0}\ncache: {max_ttl: 1h}\n",
                   "dns.yaml:2:1: 'cache': given twice, first on line 1\n");
    assert_refused("cache:\n  max_ttl: 1h\n  min_ttl: 0\n  'max_ttl': 1h\n",
                   "dns.yaml:4:3: 'max_ttl': given twice, first on line 2\n");
    assert_refused("upstreams: [{address: 1.1.1.1, name: a.b, name: a.c}]\n",
                   "dns.yaml:1:43: 'name': given twice, first on line 1\n");
}

static void the_same_name_in_two_sections_is_two_settings(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted(
        "upstream: {idle_timeout: 5s, max_in_flight: 7}\nclients: {idle_timeout: 6s, max_in_flight: 8}\n");
    assert_int_equal(outcome.config.pool.idle_timeout_ns, UINT64_C(5000000000));
    assert_int_equal(outcome.config.client.idle_timeout_ns, UINT64_C(6000000000));
    assert_int_equal(outcome.config.pool.max_in_flight, 7);
    assert_int_equal(outcome.config.client.max_in_flight, 8);
    outcome_done(&outcome);
}

static void a_key_that_is_no_word_is_refused(void **state)
{
    (void)state;
    assert_refused("? [workers]\n: 4\n", "dns.yaml:1:3: a key must be a plain word, not a list\n");
    assert_refused("{{workers: 4}: 4}\n", "dns.yaml:1:2: a key must be a plain word, not a mapping\n");
}

static void the_wrong_kind_of_value_is_named(void **state)
{
    (void)state;
    assert_refused(
        "workers: [4]\n",
        "dns.yaml:1:10: 'workers': must be a single value (a whole number 1..64, or auto), not a list; write 4\n");
    assert_refused("workers: {a: 4}\n",
                   "dns.yaml:1:10: 'workers': must be a single value (a whole number 1..64, or auto), not a mapping\n");
    assert_refused(
        "cache: 64MiB\n",
        "dns.yaml:1:8: 'cache': must be a mapping of settings, not a single value; write {max_size: 64MiB}\n");
    assert_refused("cache: [64MiB]\n",
                   "dns.yaml:1:8: 'cache': must be a mapping of settings, not a list; write {max_size: 64MiB}\n");
    assert_refused("listen: 127.0.0.1:53\n",
                   "dns.yaml:1:9: 'listen': must be a list, not a single value; write [\"127.0.0.1:53\"]\n");
    assert_refused("access: {allow: {a: b}}\n", "dns.yaml:1:17: 'access.allow': must be a list, not a mapping\n");
    assert_refused("listen: [[\"127.0.0.1:53\"]]\n",
                   "dns.yaml:1:10: 'listen': must be a single value (IP:PORT or [IP6]:PORT), not a list\n");
    assert_refused(
        "upstreams:\n  address: 1.1.1.1\n",
        "dns.yaml:2:3: 'upstreams': must be a list, not a mapping; begin each entry with \"- \", or put it into [ ]\n");
    assert_refused(
        "upstreams: [\"1.1.1.1:853#a.b\"]\n",
        "dns.yaml:1:13: 'upstreams': must be a mapping, not a single value; write {address: \"1.1.1.1\", port: 853, "
        "name: a.b}\n");
    assert_refused(
        "upstreams: [1]\n",
        "dns.yaml:1:13: 'upstreams': must be a mapping, as {address: 1.1.1.1, port: 853, name: cloudflare-dns.com}, "
        "not a single value\n");
    assert_refused("upstream:\n  - {address: 1.1.1.1, name: a.b}\n",
                   "dns.yaml:2:3: 'upstream': must be a mapping of settings (did you mean 'upstreams'?), not a list\n");
}

static void a_setting_without_a_value_is_no_default(void **state)
{
    (void)state;
    assert_refused("workers:\n", "dns.yaml:1:9: 'workers': has no value; leave it out for the default\n");
    assert_refused("workers: ~\n", "dns.yaml:1:10: 'workers': has no value; leave it out for the default\n");
    assert_refused("tls: {ca_file: null}\n",
                   "dns.yaml:1:16: 'tls.ca_file': has no value; leave it out for the default\n");
    assert_refused("listen:\n", "dns.yaml:1:8: 'listen': must be a list, not a single value\n");
    assert_refused("listen: [~]\n", "dns.yaml:1:10: 'listen': has no value; leave it out for the default\n");
    struct outcome outcome = assert_accepted("tls: {ca_file: \"null\"}\n");
    assert_string_equal(outcome.config.tls.ca_file, "null");
    outcome_done(&outcome);
}

static void quotes_change_nothing(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted(
        "workers: \"4\"\nupstream: {keep_warm: 'false', padding: '0'}\n'log': {\"level\": \"debug\"}\n");
    assert_int_equal(outcome.config.workers, 4);
    assert_false(outcome.config.pool.keep_warm);
    assert_int_equal(outcome.config.pool.padding, 0);
    assert_int_equal(outcome.config.log.level, LOG_LEVEL_DEBUG);
    outcome_done(&outcome);
}

static void yaml_spellings_of_numbers_and_booleans_are_not_guessed_at(void **state)
{
    (void)state;
    static const char *const values[] = {"workers: 010",
                                         "workers: 0x4",
                                         "workers: 0o4",
                                         "workers: +4",
                                         "workers: 4.0",
                                         "workers: 1_0",
                                         "workers: 1e1",
                                         "workers: .inf",
                                         "workers: 4 5",
                                         "workers: |\n  4\n",
                                         "upstream: {keep_warm: yes}",
                                         "upstream: {keep_warm: True}",
                                         "upstream: {keep_warm: on}",
                                         "upstream: {keep_warm: 1}",
                                         "upstream: {query_timeout: 4}",
                                         "upstream: {query_timeout: 1:30}",
                                         "cache: {max_size: 64M}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct outcome outcome = outcome_of(values[i]);
        if (outcome.is_good) fail_msg("taken: %s", values[i]);
        assert_non_null(strstr(outcome.faults, " is not "));
        outcome_done(&outcome);
    }
}

static void a_list_that_is_given_replaces_its_default(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("listen: [\"127.0.0.9:53\"]\naccess: {allow: [10.0.0.0/8]}\n"
                                             "upstreams: [{address: \"::1\", name: A.B.}]\n");
    char text[ADDRESS_TEXT_BYTES];
    assert_int_equal(outcome.config.acceptor.listen_count, 1);
    assert_string_equal(address_format(&outcome.config.acceptor.listen[0], text), "127.0.0.9:53");
    assert_int_equal(outcome.config.access.allow_count, 1);
    assert_int_equal(outcome.config.access.allow[0].bits, 96 + 8);
    assert_int_equal(outcome.config.pool.upstream_count, 1);
    assert_string_equal(address_format(&outcome.config.pool.upstreams[0].address, text), "[::1]:853");
    assert_string_equal(outcome.config.pool.upstreams[0].name, "a.b");
    outcome_done(&outcome);
}

static void an_empty_list_is_refused_where_it_leaves_nothing_to_do(void **state)
{
    (void)state;
    assert_refused("listen: []\n", "dns.yaml:1:9: 'listen': is empty; at least one entry is wanted\n");
    assert_refused("upstreams: []\n", "dns.yaml:1:12: 'upstreams': is empty; at least one entry is wanted\n");
    struct outcome outcome = assert_accepted("access: {allow: []}\n"); /* nobody may ask */
    assert_int_equal(outcome.config.access.allow_count, 0);
    outcome_done(&outcome);
}

static void lists_are_bounded(void **state)
{
    (void)state;
    char text[2048] = "listen:\n";
    for (unsigned i = 0; i < LISTENERS_MAX + 1; i++) snprintf(text + strlen(text), 64, "  - 127.0.0.1:%u\n", 1000 + i);
    assert_refused(text, "dns.yaml:18:5: 'listen': more than 16 entries\n");
    strcpy(text, "upstreams:\n");
    for (unsigned i = 0; i < UPSTREAMS_MAX + 1; i++)
        snprintf(text + strlen(text), 64, "  - {address: 127.0.0.%u, name: a.b}\n", 1 + i);
    assert_refused(text, "dns.yaml:18:5: 'upstreams': more than 16 entries\n");
}

static void entries_given_twice_are_refused(void **state)
{
    (void)state;
    assert_refused("listen: [127.0.0.1:53, \"[::ffff:127.0.0.1]:53\"]\n",
                   "dns.yaml:1:24: 'listen': [::ffff:127.0.0.1]:53 is in the list already\n");
    assert_refused("upstreams:\n- {address: 1.1.1.1, name: a.b}\n- {address: 1.1.1.1, port: 853, name: a.c}\n",
                   "dns.yaml:3:3: 'upstreams': 1.1.1.1:853#a.c is in the list already\n");
    struct outcome outcome =
        assert_accepted("upstreams:\n- {address: 1.1.1.1, name: a.b}\n- {address: 1.1.1.1, port: 854, name: a.b}\n");
    assert_int_equal(outcome.config.pool.upstream_count, 2);
    outcome_done(&outcome);
}

static void an_upstream_lacks_nothing(void **state)
{
    (void)state;
    assert_refused("upstreams: [{}]\n", "dns.yaml:1:13: 'upstreams.name': is missing\n");
    assert_refused("upstreams:\n  - address: 1.1.1.1\n", "dns.yaml:2:5: 'upstreams.name': is missing\n");
    assert_refused(
        "upstreams:\n  - name: a.b\n    port: 853\n",
        "dns.yaml:2:3: 'upstreams': a.b has no address, and 'bootstrap' names no server to ask for it; write "
        "bootstrap: [\"1.1.1.1#cloudflare-dns.com\"]\n");
    struct outcome outcome = assert_accepted("upstreams:\n  - {name: a.b, port: 8853}\nbootstrap: [192.0.2.1]\n");
    assert_true(upstream_is_named(&outcome.config.pool.upstreams[0]));
    assert_int_equal(outcome.config.pool.upstreams[0].address.port, 8853);
    outcome_done(&outcome);
}

static void an_upstream_is_checked_in_every_part(void **state)
{
    (void)state;
    assert_refused("upstreams:\n  - address: 1.1.1.1:853\n    port: 70000\n    name: 1.1.1.1\n",
                   "dns.yaml:2:14: 'upstreams.address': 1.1.1.1:853 is not the IP address of a host, without a port; "
                   "write {address: \"1.1.1.1\", port: 853, ...}\n"
                   "dns.yaml:3:11: 'upstreams.port': 70000 is out of range 1..65535\n"
                   "dns.yaml:4:11: 'upstreams.name': 1.1.1.1 is not a DNS host name (an IP address is none)\n");
    assert_refused("upstreams:\n  - {address: 1.1.1.1, name: a.b, port: 0}\n",
                   "dns.yaml:2:41: 'upstreams.port': 0 is out of range 1..65535\n");
    assert_refused("upstreams:\n  - {address: 1.1.1.1, name: \"\"}\n",
                   "dns.yaml:2:30: 'upstreams.name': \"\" is not a DNS host name (an IP address is none)\n");
}

static void a_faulty_upstream_is_nobody_s_double(void **state)
{
    (void)state;
    assert_refused("upstreams:\n  - {address: 1.1.1.1, name: a.b, port: x}\n  - {address: 1.1.1.1, name: a.b}\n",
                   "dns.yaml:2:41: 'upstreams.port': x is not a whole number 1..65535\n");
}

static void a_port_before_the_address_stays(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("upstreams: [{port: 8530, name: a.b, address: 127.0.0.1}]\n");
    assert_int_equal(outcome.config.pool.upstreams[0].address.port, 8530);
    outcome_done(&outcome);
}

static void every_fault_of_a_file_is_found_in_one_go(void **state)
{
    (void)state;
    assert_refused(
        "listen: [nonsense, 127.0.0.1:99999]\n"
        "workers: 65\n"
        "upstream:\n"
        "  query_timeout: 5\n"
        "  paddin: 5\n"
        "  keep_warm: maybe\n"
        "tls: !secret {ca_file: &here x}\n"
        "cache: {min_ttl: 2h, max_ttl: 1h}\n"
        "nonsense: 1\n"
        "workers: 66\n",
        "dns.yaml:7:6: tags (!) are not supported; a setting's kind is known\n"
        "dns.yaml:7:24: anchors (&) are not supported; write the value where it is wanted\n"
        "dns.yaml:1:10: 'listen': nonsense is not IP:PORT or [IP6]:PORT; an IP address is wanted, not a name\n"
        "dns.yaml:1:20: 'listen': 127.0.0.1:99999 is not IP:PORT or [IP6]:PORT; a port is 1..65535\n"
        "dns.yaml:2:10: 'workers': 65 is out of range 1..64, or auto\n"
        "dns.yaml:4:18: 'upstream.query_timeout': 5 is not a duration (with ms, s, m, h or d) 100ms..1m; write 5s\n"
        "dns.yaml:5:3: 'upstream.paddin': unknown key; did you mean 'padding'?\n"
        "dns.yaml:6:14: 'upstream.keep_warm': maybe is not true or false\n"
        "dns.yaml:9:1: 'nonsense': unknown key; allowed: " ALL_KEYS "\n"
        "dns.yaml:10:1: 'workers': given twice, first on line 2\n"
        "dns.yaml:8:18: 'cache.min_ttl': is above 'cache.max_ttl'; at most that is allowed\n");
}

static void the_first_of_two_documents_is_read_all_the_same(void **state)
{
    (void)state;
    assert_refused("workers: 65\n---\nworkers: 66\n",
                   "dns.yaml:2:1: a second document; a file holds one\ndns.yaml:1:10: 'workers': 65 is out of range "
                   "1..64, or auto\n");
}

/* A mapping that stands for many by aliases cannot be made to cost more than its faults. */
static void aliases_that_multiply_are_bounded(void **state)
{
    (void)state;
    char text[8192] = "cache: &a {a: 1, b: 1, c: 1, d: 1, e: 1}\nupstreams: [*a";
    for (unsigned i = 0; i < 1000; i++) strcat(text, ",*a");
    strcat(text, "]\n");
    struct outcome outcome = outcome_of(text);
    assert_false(outcome.is_good);
    assert_non_null(strstr(outcome.faults, "more faults are not listed"));
    outcome_done(&outcome);
    assert_refused("cache: &a {max_ttl: *a}\n",
                   "dns.yaml:1:8: anchors (&) are not supported; write the value where it is wanted\n"
                   "dns.yaml:1:21: aliases (*) are not supported; write the value where it is wanted\n"
                   "dns.yaml:1:8: 'cache.max_ttl': must be a single value (a duration (with ms, s, m, h or d) "
                   "0s..30d), not a mapping\n");
}

static void a_flood_of_keys_ends(void **state)
{
    (void)state;
    enum { KEYS = 20000 };
    char *text = malloc(KEYS * sizeof "k9999: 1\n");
    assert_non_null(text);
    size_t used = 0;
    for (unsigned i = 0; i < KEYS; i++) used += (size_t)sprintf(text + used, "k%u: 1\n", i % 10000);
    struct outcome outcome = outcome_of(text);
    assert_false(outcome.is_good);
    size_t lines = 0;
    for (const char *c = outcome.faults; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 101);
    outcome_done(&outcome);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_sets_nothing_is_refused),
        cmocka_unit_test(sections_with_all_lines_commented_out_are_fine),
        cmocka_unit_test(a_file_that_is_no_mapping_is_refused),
        cmocka_unit_test(an_unknown_key_is_named_with_its_section),
        cmocka_unit_test(a_near_miss_is_recognised),
        cmocka_unit_test(keys_are_exact),
        cmocka_unit_test(a_key_with_control_characters_stays_on_its_line),
        cmocka_unit_test(a_key_given_twice_points_at_both),
        cmocka_unit_test(the_same_name_in_two_sections_is_two_settings),
        cmocka_unit_test(a_key_that_is_no_word_is_refused),
        cmocka_unit_test(the_wrong_kind_of_value_is_named),
        cmocka_unit_test(a_setting_without_a_value_is_no_default),
        cmocka_unit_test(quotes_change_nothing),
        cmocka_unit_test(yaml_spellings_of_numbers_and_booleans_are_not_guessed_at),
        cmocka_unit_test(a_list_that_is_given_replaces_its_default),
        cmocka_unit_test(an_empty_list_is_refused_where_it_leaves_nothing_to_do),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(entries_given_twice_are_refused),
        cmocka_unit_test(an_upstream_lacks_nothing),
        cmocka_unit_test(an_upstream_is_checked_in_every_part),
        cmocka_unit_test(a_faulty_upstream_is_nobody_s_double),
        cmocka_unit_test(a_port_before_the_address_stays),
        cmocka_unit_test(every_fault_of_a_file_is_found_in_one_go),
        cmocka_unit_test(the_first_of_two_documents_is_read_all_the_same),
        cmocka_unit_test(aliases_that_multiply_are_bounded),
        cmocka_unit_test(a_flood_of_keys_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
