/* What people are told about the settings is what the program does: the example is a good file, docs/CONFIG.md is
 * today's. */
#include "outcome.h"

#include <stdbool.h>

#include "config/lists.h"
#include "config/manual.h"
#include "config/settings.h"

static char *written_by(void (*write)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    write(out);
    fclose(out);
    return text;
}

/* docs/ of the sources this test was compiled from. */
static char *read_config_md(void)
{
    const char *source_folder = getenv("SOURCE_FOLDER"); /* set by ctest */
    char path[4096];
    if (!source_folder) skip();
    snprintf(path, sizeof path, "%s/docs/CONFIG.md", source_folder);
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s is missing", path);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_in_range(fread(text, 1, (1 << 20) - 1, file), 1, (1 << 20) - 2);
    fclose(file);
    return text;
}

static void config_md_is_written_from_the_table(void **state)
{
    (void)state;
    char *wanted = written_by(manual_write_markdown);
    char *found = read_config_md();
    if (strcmp(wanted, found) != 0)
        fail_msg("docs/CONFIG.md is not today's: dns-tls-proxy --print-config-doc=markdown > docs/CONFIG.md");
    free(wanted);
    free(found);
}

static size_t count_of(const char *part, const char *text)
{
    size_t count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

/* With those of the mappings in its lists. */
static size_t rows_of(struct settings settings)
{
    size_t rows = settings.count;
    for (size_t i = 0; i < settings.count; i++)
        if (setting_is_list_of_mappings(&settings.rows[i])) rows += rows_of(settings.rows[i].list->entry);
    return rows;
}

static void the_manual_lists_every_setting_once(void **state)
{
    (void)state;
    char *text = written_by(manual_write_markdown);
    struct settings all = settings_of_config();
    assert_int_equal(count_of("\n| `", text), rows_of(all));
    for (size_t i = 0; i < all.count; i++) {
        char row[128], name[SETTING_NAME_BYTES];
        const char *dot = strchr(all.rows[i].key, '.');
        snprintf(name, sizeof name, "%s", dot ? dot + 1 : all.rows[i].key);
        snprintf(row, sizeof row, "| `%s` | ", name);
        if (!strstr(text, row)) fail_msg("%s is not listed", all.rows[i].key);
        if (!strstr(text, all.rows[i].help)) fail_msg("%s is not explained", all.rows[i].key);
    }
    free(text);
}

static void every_row_has_five_columns(void **state)
{
    (void)state;
    char *text = written_by(manual_write_markdown);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        if (line[0] != '|') continue;
        size_t bars = 0;
        for (const char *c = line; *c != '\n'; c++) bars += *c == '|';
        assert_int_equal(bars, 6);
    }
    free(text);
}

static void the_fault_shown_in_the_manual_is_a_real_one(void **state)
{
    (void)state;
    char *text = written_by(manual_write_markdown);
    struct outcome outcome = outcome_of("\nupstreams:\n  - address: 1.1.1.1\n    name: a.b\n    port: 70000\n");
    assert_string_equal(outcome.faults, "dns.yaml:5:11: 'upstreams.port': 70000 is out of range 1..65535\n");
    assert_non_null(strstr(text, outcome.faults));
    outcome_done(&outcome);
    free(text);
}

/* The example with "# " taken away from its settings, as an operator would. */
static void uncomment(char *text)
{
    char *out = text;
    for (char *line = text; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        size_t indent = strspn(line, " ");
        bool is_setting = line[indent] == '#' && line[indent + 1] == ' ';
        memmove(out, line, indent);
        size_t skipped = indent + (is_setting ? 2 : 0);
        memmove(out + indent, line + skipped, size - skipped);
        out += indent + size - skipped;
        line += size;
    }
    *out = '\0';
}

/* Byte by byte, but for the list that lives elsewhere. */
static void assert_is_default(const char *text)
{
    struct outcome outcome = assert_accepted(text);
    struct outcome defaults = outcome_of_flags(&(struct command_line){.config_file = NULL});
    assert_int_equal(outcome.config.access.allow_count, defaults.config.access.allow_count);
    for (size_t i = 0; i < defaults.config.access.allow_count; i++) {
        assert_memory_equal(outcome.config.access.allow[i].ip, defaults.config.access.allow[i].ip, 16);
        assert_int_equal(outcome.config.access.allow[i].bits, defaults.config.access.allow[i].bits);
    }
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        const char *a = (const char *)&outcome.config + setting->offset,
                   *b = (const char *)&defaults.config + setting->offset;
        bool is_text = setting->kind == SETTING_PATH;
        if (!setting_is_list(setting)) assert_memory_equal(a, b, is_text ? strlen(b) + 1 : setting->width);
    }
    assert_int_equal(outcome.config.acceptor.listen_count, 2);
    assert_int_equal(outcome.config.pool.upstream_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct upstream_options *a = &outcome.config.pool.upstreams[i], *b = &defaults.config.pool.upstreams[i];
        assert_true(address_equal(&a->address, &b->address));
        assert_string_equal(a->name, b->name);
    }
    outcome_done(&outcome);
    outcome_done(&defaults);
}

static void the_example_as_it_is_changes_nothing(void **state)
{
    (void)state;
    char *text = written_by(manual_write_example);
    assert_is_default(text);
    free(text);
}

static void the_example_with_all_its_settings_changes_nothing(void **state)
{
    (void)state;
    char *text = written_by(manual_write_example);
    uncomment(text);
    assert_non_null(strstr(text, "\nupstream:\n"));
    assert_non_null(strstr(text, "\n  query_timeout: 4.5s\n"));
    assert_non_null(strstr(text, "\n  - {address: \"2606:4700:4700::1111\", port: 853, name: cloudflare-dns.com}\n"));
    assert_is_default(text);
    free(text);
}

/* Each setting, alone, can be taken out of the comment. */
static void the_example_names_every_setting(void **state)
{
    (void)state;
    char *text = written_by(manual_write_example);
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        char line[128];
        const char *dot = strchr(settings.rows[i].key, '.');
        snprintf(line, sizeof line, "\n%s# %s:", dot ? "  " : "", dot ? dot + 1 : settings.rows[i].key);
        if (!strstr(text, line)) fail_msg("%s is not in the example", settings.rows[i].key);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_md_is_written_from_the_table),
        cmocka_unit_test(the_manual_lists_every_setting_once),
        cmocka_unit_test(every_row_has_five_columns),
        cmocka_unit_test(the_fault_shown_in_the_manual_is_a_real_one),
        cmocka_unit_test(the_example_as_it_is_changes_nothing),
        cmocka_unit_test(the_example_with_all_its_settings_changes_nothing),
        cmocka_unit_test(the_example_names_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
