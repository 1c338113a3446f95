/* A configuration that is written and read again is the same configuration. */
#include "outcome.h"

#include "config/lists.h"
#include "config/print.h"
#include "config/settings.h"

static char *printed(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    print_config(config, out);
    fclose(out);
    return text;
}

static void assert_survives(const char *file)
{
    struct outcome first = file ? assert_accepted(file) : outcome_of_flags(&(struct command_line){.config_file = NULL});
    char *text = printed(&first.config);
    struct outcome second = assert_accepted(text);
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++)
        if (!setting_equal(&settings.rows[i], &first.config, &second.config))
            fail_msg("%s is another after printing:\n%s", settings.rows[i].key, text);
    char *again = printed(&second.config);
    assert_string_equal(text, again);
    free(again);
    free(text);
    outcome_done(&first);
    outcome_done(&second);
}

static void the_defaults_survive(void **state)
{
    (void)state;
    assert_survives(NULL);
}

static void values_of_every_kind_survive(void **state)
{
    (void)state;
    assert_survives("listen: [\"0.0.0.0:53\", \"[2001:db8::1]:53\"]\n"
                    "workers: 7\n"
                    "upstreams:\n"
                    "  - {address: \"2001:db8::853\", port: 8853, name: Resolver.Example.}\n"
                    "  - {address: 192.0.2.1, name: \"null\"}\n"
                    "upstream: {query_timeout: 1.25s, padding: 0, keep_warm: false}\n"
                    "tls: {ca_file: 'C:\\certs \"of ours\".pem'}\n"
                    "cache: {max_size: 5000, serve_stale: 0}\n"
                    "access: {allow: [\"0.0.0.0/0\", \"::/0\", \"2001:db8::/32\", 192.0.2.7]}\n"
                    "rate_limit: {action: drop}\n"
                    "http: {listen: \"\"}\n"
                    "log: {level: debug, format: json}\n");
    assert_survives("access: {allow: []}\n");
}

/* Every row alone: a value that is not its default is written, and compares as another. */
static void every_setting_is_written(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    struct outcome usual = outcome_of_flags(&(struct command_line){.config_file = NULL});
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *row = &settings.rows[i];
        const char *dot = strchr(row->key, '.');
        char *text = printed(&usual.config);
        char line[SETTING_NAME_BYTES + 4];
        snprintf(line, sizeof line, "\n%s%s:", dot ? "  " : "", dot ? dot + 1 : row->key);
        bool is_first = strncmp(text, line + 1, strlen(line + 1)) == 0;
        if (!is_first && !strstr(text, line)) fail_msg("%s is not written", row->key);
        free(text);
    }
    outcome_done(&usual);
}

static void a_name_that_yaml_could_take_for_nothing_is_quoted(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("upstreams: [{address: 192.0.2.1, name: \"null\"}]\n");
    char *text = printed(&outcome.config);
    assert_non_null(strstr(text, "\nupstreams:\n  - {address: \"192.0.2.1\", port: 853, name: \"null\"}\n"));
    free(text);
    outcome_done(&outcome);
}

static void a_value_is_copied_with_its_list(void **state)
{
    (void)state;
    struct outcome a = assert_accepted("access: {allow: [10.0.0.0/8, \"fc00::/7\"]}\nworkers: 3\n");
    struct outcome b = assert_accepted("access: {allow: []}\nworkers: 4\n");
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        if (setting_is_list_of_mappings(&settings.rows[i])) continue;
        assert_true(setting_copy(&settings.rows[i], &b.config, &a.config));
        assert_true(setting_equal(&settings.rows[i], &b.config, &a.config));
    }
    assert_int_equal(b.config.access.allow_count, 2);
    assert_ptr_not_equal(b.config.access.allow, a.config.access.allow);
    outcome_done(&a);
    outcome_done(&b);
}

static void lists_differ_by_count_order_and_fields(void **state)
{
    (void)state;
    static const char *const files[] = {
        "upstreams: [{address: 192.0.2.1, name: a.example}]\n",
        "upstreams: [{address: 192.0.2.1, name: b.example}]\n",
        "upstreams: [{address: 192.0.2.1, port: 854, name: a.example}]\n",
        "upstreams: [{address: 192.0.2.1, name: a.example}, {address: 192.0.2.2, name: a.example}]\n",
        "upstreams: [{address: 192.0.2.2, name: a.example}, {address: 192.0.2.1, name: a.example}]\n",
    };
    const struct setting *upstreams = settings_find(settings_of_config(), "upstreams");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t j = 0; j < sizeof files / sizeof *files; j++) {
            struct outcome a = assert_accepted(files[i]), b = assert_accepted(files[j]);
            assert_int_equal(setting_equal(upstreams, &a.config, &b.config), i == j);
            outcome_done(&a);
            outcome_done(&b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_survive),
        cmocka_unit_test(values_of_every_kind_survive),
        cmocka_unit_test(every_setting_is_written),
        cmocka_unit_test(a_name_that_yaml_could_take_for_nothing_is_quoted),
        cmocka_unit_test(a_value_is_copied_with_its_list),
        cmocka_unit_test(lists_differ_by_count_order_and_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
