/* The flags: what is given is kept, what is wrong is named with its flag before anything is done. */
#include "outcome.h"

#include "config/faults.h"
#include "config/settings.h"

struct parsed {
    bool is_good;
    struct command_line command;
    char *errors;
    size_t size;
};

#define parse(...) parse_arguments((const char *[]){"dns-tls-proxy", __VA_ARGS__, NULL})

/* `given` ends with NULL. */
static struct parsed parse_arguments(const char *const *given)
{
    struct parsed parsed = {.errors = NULL};
    char *argv[32] = {NULL};
    int argc = 0;
    for (; given[argc]; argc++)
        memcpy(&argv[argc], &given[argc], sizeof *argv); /* main's are not const, though nobody writes to them */
    FILE *errors = open_memstream(&parsed.errors, &parsed.size);
    assert_non_null(errors);
    parsed.is_good = command_line_parse(argc, argv, &parsed.command, errors);
    fclose(errors);
    return parsed;
}

static void assert_good(const struct parsed *parsed)
{
    assert_string_equal(parsed->errors, "");
    assert_true(parsed->is_good);
}

#define TRY_HELP "Try 'dns-tls-proxy --help'.\n"

/* Refused with exactly these lines, and the hint. */
static void assert_usage(struct parsed parsed, const char *errors)
{
    char expected[2048];
    snprintf(expected, sizeof expected, "%s" TRY_HELP, errors);
    assert_string_equal(parsed.errors, expected);
    assert_false(parsed.is_good);
    free(parsed.errors);
}

static void no_flag_is_fine(void **state)
{
    (void)state;
    struct parsed parsed = parse_arguments((const char *[]){"dns-tls-proxy", NULL});
    assert_good(&parsed);
    assert_null(parsed.command.config_file);
    assert_int_equal(parsed.command.listen_count, 0);
    assert_false(parsed.command.help);
    free(parsed.errors);
}

static void every_flag_is_kept(void **state)
{
    (void)state;
    struct parsed parsed =
        parse("--config", "dns.yaml", "--listen", "127.0.0.1:53", "--listen=[::1]:53", "--upstream", "1.1.1.1#a.b",
              "--upstream=[::1]:853#c.d", "--ca-file", "ca.pem", "--http", "127.0.0.1:80", "--workers", "3",
              "--log-level", "debug", "--check-config", "--no-state");
    assert_good(&parsed);
    const struct command_line *command = &parsed.command;
    assert_string_equal(command->config_file, "dns.yaml");
    assert_int_equal(command->listen_count, 2);
    assert_string_equal(command->listen[0], "127.0.0.1:53");
    assert_string_equal(command->listen[1], "[::1]:53");
    assert_int_equal(command->upstream_count, 2);
    assert_string_equal(command->upstreams[1], "[::1]:853#c.d");
    assert_string_equal(command->ca_file, "ca.pem");
    assert_string_equal(command->http, "127.0.0.1:80");
    assert_string_equal(command->workers, "3");
    assert_string_equal(command->log_level, "debug");
    assert_true(command->check_config);
    assert_true(command->no_state);
    assert_false(command->health_check);
    free(parsed.errors);
}

static void flags_that_ask_for_something_else(void **state)
{
    (void)state;
    struct parsed parsed = parse("--help", "--version", "--print-config-doc=markdown");
    assert_good(&parsed);
    assert_true(parsed.command.help && parsed.command.version);
    assert_int_equal(parsed.command.print_config_doc, CONFIG_DOC_MARKDOWN);
    free(parsed.errors);
    parsed = parse("-hV", "--print-config-doc", "example");
    assert_good(&parsed);
    assert_true(parsed.command.help && parsed.command.version);
    assert_int_equal(parsed.command.print_config_doc, CONFIG_DOC_EXAMPLE);
    free(parsed.errors);
    parsed = parse("--print-config-doc=metrics");
    assert_good(&parsed);
    assert_int_equal(parsed.command.print_config_doc, CONFIG_DOC_METRICS);
    free(parsed.errors);
    parsed = parse("--print-completion=zsh");
    assert_good(&parsed);
    assert_int_equal(parsed.command.print_completion, COMPLETION_ZSH);
    free(parsed.errors);
}

static void a_health_check_may_have_an_address(void **state)
{
    (void)state;
    struct parsed parsed = parse("--health-check");
    assert_good(&parsed);
    assert_true(parsed.command.health_check);
    assert_null(parsed.command.health_check_address);
    free(parsed.errors);
    parsed = parse("--health-check=[::1]:5000");
    assert_good(&parsed);
    assert_string_equal(parsed.command.health_check_address, "[::1]:5000");
    free(parsed.errors);
    assert_usage(parse("--health-check=5000"),
                 "dns-tls-proxy: --health-check: 5000 is not IP:PORT or [IP6]:PORT; write \"127.0.0.1:5000\" for "
                 "this machine\n");
    assert_usage(parse("--health-check="), "dns-tls-proxy: --health-check: \"\" is not IP:PORT or [IP6]:PORT\n");
    assert_usage(parse("--health-check", "127.0.0.1:5000"), "dns-tls-proxy: unexpected argument 127.0.0.1:5000\n");
}

static void the_last_of_a_single_flag_counts(void **state)
{
    (void)state;
    struct parsed parsed = parse("--workers", "3", "--workers", "auto", "--http", "127.0.0.1:1", "--http=");
    assert_good(&parsed);
    assert_string_equal(parsed.command.workers, "auto");
    assert_string_equal(parsed.command.http, "");
    free(parsed.errors);
}

static void a_wrong_value_is_named_with_its_flag(void **state)
{
    (void)state;
    assert_usage(parse("--workers", "65"), "dns-tls-proxy: --workers: 65 is out of range 1..64, or auto\n");
    assert_usage(parse("--workers", "0x4"), "dns-tls-proxy: --workers: 0x4 is not a whole number 1..64, or auto\n");
    assert_usage(parse("--listen", "127.0.0.1"), "dns-tls-proxy: --listen: 127.0.0.1 is not IP:PORT or [IP6]:PORT; the "
                                                 "port is missing: write \"127.0.0.1:53\"\n");
    assert_usage(parse("--listen="), "dns-tls-proxy: --listen: \"\" is not IP:PORT or [IP6]:PORT\n");
    assert_usage(parse("--http", "localhost:80"), "dns-tls-proxy: --http: localhost:80 is not IP:PORT or [IP6]:PORT, "
                                                  "or empty (off); write \"127.0.0.1:80\" or \"[::1]:80\"\n");
    assert_usage(parse("--log-level", "loud"),
                 "dns-tls-proxy: --log-level: loud is not one of error, warning, info, debug\n");
    assert_usage(parse("--ca-file", "a\nb"), "dns-tls-proxy: --ca-file: \"a\\x0ab\" is not a path of a file\n");
    assert_usage(parse("--config="), "dns-tls-proxy: --config: a file is wanted\n");
    assert_usage(parse("--print-config-doc=html"),
                 "dns-tls-proxy: --print-config-doc: markdown, example or metrics is wanted\n");
    assert_usage(parse("--print-completion=tcsh"), "dns-tls-proxy: --print-completion: bash, zsh or fish is wanted\n");
}

static void an_upstream_wants_its_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {"1.1.1.1", "1.1.1.1:853", "a.b#a.b", "1.1.1.1#1.1.1.1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char argument[64], expected[256];
        snprintf(argument, sizeof argument, "--upstream=%s", wrong[i]);
        snprintf(expected, sizeof expected,
                 "dns-tls-proxy: --upstream: %s is not IP#NAME, IP:PORT#NAME, [IP6]:PORT#NAME or NAME, as "
                 "1.1.1.1:853#cloudflare-dns.com\n",
                 wrong[i]);
        assert_usage(parse(argument), expected);
    }
}

static void every_wrong_flag_is_named_in_one_go(void **state)
{
    (void)state;
    assert_usage(
        parse("--bogus", "-x", "--help=2", "--workers", "0", "--listen", "x", "--upstream", "1.1.1.1", "--ca-file"),
        "dns-tls-proxy: unknown flag --bogus\n"
        "dns-tls-proxy: unknown flag -x\n"
        "dns-tls-proxy: --help: takes no value\n"
        "dns-tls-proxy: --ca-file: wants a value\n"
        "dns-tls-proxy: --listen: x is not IP:PORT or [IP6]:PORT; an IP address is wanted, not a name\n"
        "dns-tls-proxy: --upstream: 1.1.1.1 is not IP#NAME, IP:PORT#NAME, [IP6]:PORT#NAME or NAME, as "
        "1.1.1.1:853#cloudflare-dns.com\n"
        "dns-tls-proxy: --workers: 0 is out of range 1..64, or auto\n");
}

static void arguments_that_are_no_flags_are_refused(void **state)
{
    (void)state;
    assert_usage(parse("dns.yaml"), "dns-tls-proxy: unexpected argument dns.yaml; did you mean --config dns.yaml?\n");
    assert_usage(parse("dns.yaml", "--bogus"),
                 "dns-tls-proxy: unexpected argument dns.yaml; did you mean --config dns.yaml?\n"); /* nothing behind it
                                                                                                       is read */
    assert_usage(parse("--", "--help"), "dns-tls-proxy: unexpected argument --help\n");
    assert_usage(parse("--listen", "127.0.0.1:53", "127.0.0.1:54"),
                 "dns-tls-proxy: unexpected argument 127.0.0.1:54\n");
    assert_usage(parse(""), "dns-tls-proxy: unexpected argument \"\"\n");
    assert_usage(parse("-"), "dns-tls-proxy: unexpected argument -\n");
    assert_usage(parse("--bo\x1b[2Jgus"), "dns-tls-proxy: unknown flag \"--bo\\x1b[2Jgus\"\n");
    assert_usage(parse("-\n"), "dns-tls-proxy: unknown flag \"-\\x0a\"\n");
}

static void a_mistyped_flag_gets_the_one_it_was_meant_to_be(void **state)
{
    (void)state;
    assert_usage(parse("--check-confg"), "dns-tls-proxy: unknown flag --check-confg; did you mean --check-config?\n");
    assert_usage(parse("--lisen=127.0.0.1:53"),
                 "dns-tls-proxy: unknown flag \"--lisen=127.0.0.1:53\"; did you mean --listen?\n");
    assert_usage(parse("-listen", "127.0.0.1:53"), "dns-tls-proxy: unknown flag -listen; did you mean --listen?\n"
                                                   "dns-tls-proxy: unexpected argument 127.0.0.1:53\n");
    assert_usage(parse("check-config"),
                 "dns-tls-proxy: unexpected argument check-config; did you mean --check-config?\n");
    assert_usage(parse("-c", "--bind=127.0.0.1:53"),
                 "dns-tls-proxy: unknown flag -c; did you mean --config?\n"
                 "dns-tls-proxy: unknown flag \"--bind=127.0.0.1:53\"; did you mean --listen IP:PORT?\n");
    assert_usage(parse("-x", "-xy"), "dns-tls-proxy: unknown flag -x\ndns-tls-proxy: unknown flag -xy\n");
}

static void a_flag_that_is_a_setting_of_the_file_is_called_so(void **state)
{
    (void)state;
    assert_usage(parse("--drain-timeout=5s"),
                 "dns-tls-proxy: unknown flag \"--drain-timeout=5s\"; 'drain_timeout' is a setting of the file "
                 "(--config FILE)\n");
    assert_usage(parse("--max-size"),
                 "dns-tls-proxy: unknown flag --max-size; did you mean 'cache.max_size' or 'udp.max_size'?\n");
}

static void the_holders_of_ports_are_asked_for(void **state)
{
    (void)state;
    struct parsed parsed = parse("--holder-of", "0.0.0.0:53", "--holder-of=[::]:53");
    assert_good(&parsed);
    assert_int_equal(parsed.command.port_holder_count, 2);
    assert_string_equal(parsed.command.port_holders[1], "[::]:53");
    free(parsed.errors);
    assert_usage(parse("--holder-of", "53"),
                 "dns-tls-proxy: --holder-of: 53 is not IP:PORT or [IP6]:PORT; write \"0.0.0.0:53\" for all IPv4 "
                 "addresses or \"[::]:53\" for all of IPv6\n");
}

static void an_upstream_may_have_a_name_alone(void **state)
{
    (void)state;
    struct parsed parsed = parse("--upstream", "one.one.one.one", "--bootstrap", "1.1.1.1#one.one.one.one");
    assert_good(&parsed);
    assert_string_equal(parsed.command.upstreams[0], "one.one.one.one");
    assert_string_equal(parsed.command.bootstrap[0], "1.1.1.1#one.one.one.one");
    free(parsed.errors);
    assert_usage(parse("--bootstrap", "dns.example"),
                 "dns-tls-proxy: --bootstrap: dns.example is not IP or IP:PORT (plain TCP), or with #NAME (TLS), as "
                 "1.1.1.1#cloudflare-dns.com: a name would have to be looked up itself\n");
}

static void lists_are_bounded_and_without_doubles(void **state)
{
    (void)state;
    char texts[LISTENERS_MAX + 1][32];
    const char *argv[LISTENERS_MAX + 3] = {"dns-tls-proxy"};
    for (unsigned i = 0; i < LISTENERS_MAX + 1; i++) {
        snprintf(texts[i], sizeof texts[i], "--listen=127.0.0.1:%u", 1000 + i);
        argv[i + 1] = texts[i];
    }
    assert_usage(parse_arguments(argv), "dns-tls-proxy: --listen: more than 16 are given\n");
    argv[LISTENERS_MAX + 1] = NULL;
    struct parsed parsed = parse_arguments(argv);
    assert_good(&parsed);
    assert_int_equal(parsed.command.listen_count, LISTENERS_MAX);
    free(parsed.errors);
    assert_usage(parse("--listen", "[::1]:53", "--listen", "[0:0::1]:53"),
                 "dns-tls-proxy: --listen: [0:0::1]:53 is in the list already\n");
    assert_usage(parse("--upstream", "1.1.1.1#a", "--upstream", "1.1.1.1:853#b"),
                 "dns-tls-proxy: --upstream: 1.1.1.1:853#b is in the list already\n");
}

static void a_refused_command_line_leaves_the_output_alone(void **state)
{
    (void)state;
    struct command_line command = {.workers = "untouched"};
    static char name[] = "dns-tls-proxy", flag[] = "--bogus";
    FILE *errors = fopen("/dev/null", "w");
    assert_non_null(errors);
    assert_false(command_line_parse(2, (char *[]){name, flag, NULL}, &command, errors));
    assert_string_equal(command.workers, "untouched");
    fclose(errors);
}

static void flags_are_applied_and_their_locations_are_the_flags(void **state)
{
    (void)state;
    struct config config = {.workers = 0, .acceptor.listen_count = 5};
    struct source_location locations[SETTINGS_MAX] = {{.line = 0}};
    struct faults faults = {.out = stderr};
    struct settings settings = settings_of_config();
    const struct command_line command = {.listen = {"127.0.0.1:53"}, .listen_count = 1, .workers = "7"};
    command_line_apply(&command, &config, locations, &faults);
    assert_int_equal(faults.count, 0);
    assert_int_equal(config.workers, 7);
    assert_int_equal(config.acceptor.listen_count, 1); /* in place of what was there */
    assert_string_equal(locations[settings_find(settings, "workers") - settings.rows].flag, "workers");
    assert_string_equal(locations[settings_find(settings, "listen") - settings.rows].flag, "listen");
    assert_null(locations[settings_find(settings, "log.level") - settings.rows].flag);
}

static void the_help_names_every_flag_and_fits_a_terminal(void **state)
{
    (void)state;
    static const char *const wanted[] = {"--config FILE",
                                         "--listen ADDR",
                                         "--upstream ADDR#NAME",
                                         "--ca-file FILE",
                                         "--http ADDR",
                                         "--workers N",
                                         "--log-level LEVEL",
                                         "--no-state",
                                         "--check-config",
                                         "--health-check[=ADDR]",
                                         "--print-config-doc FORM",
                                         "--print-completion SHELL",
                                         "-V, --version",
                                         "--help",
                                         "--bootstrap ADDR[#NAME]",
                                         "--holder-of ADDR",
                                         "\nExamples:\n"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    command_line_help(out);
    fclose(out);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i])) fail_msg("no '%s' in the help", wanted[i]);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) assert_in_range(strcspn(line, "\n"), 0, 100);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_flag_is_fine),
        cmocka_unit_test(every_flag_is_kept),
        cmocka_unit_test(flags_that_ask_for_something_else),
        cmocka_unit_test(a_health_check_may_have_an_address),
        cmocka_unit_test(the_last_of_a_single_flag_counts),
        cmocka_unit_test(a_wrong_value_is_named_with_its_flag),
        cmocka_unit_test(an_upstream_wants_its_name),
        cmocka_unit_test(every_wrong_flag_is_named_in_one_go),
        cmocka_unit_test(arguments_that_are_no_flags_are_refused),
        cmocka_unit_test(a_mistyped_flag_gets_the_one_it_was_meant_to_be),
        cmocka_unit_test(a_flag_that_is_a_setting_of_the_file_is_called_so),
        cmocka_unit_test(the_holders_of_ports_are_asked_for),
        cmocka_unit_test(an_upstream_may_have_a_name_alone),
        cmocka_unit_test(lists_are_bounded_and_without_doubles),
        cmocka_unit_test(a_refused_command_line_leaves_the_output_alone),
        cmocka_unit_test(flags_are_applied_and_their_locations_are_the_flags),
        cmocka_unit_test(the_help_names_every_flag_and_fits_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
