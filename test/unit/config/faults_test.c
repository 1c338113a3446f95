/* A fault is one line that says where and what, whatever bytes it is about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/faults.h"

struct sink {
    struct faults faults;
    char *text;
    size_t size;
};

static void sink_init(struct sink *sink, const char *file)
{
    *sink = (struct sink){.faults = {.file = file}};
    sink->faults.out = open_memstream(&sink->text, &sink->size);
    assert_non_null(sink->faults.out);
}

static const char *sink_text(struct sink *sink)
{
    fflush(sink->faults.out);
    return sink->text;
}

static void sink_done(struct sink *sink)
{
    fclose(sink->faults.out);
    free(sink->text);
}

static void a_fault_in_a_file_has_line_and_column(void **state)
{
    (void)state;
    struct sink sink;
    sink_init(&sink, "dns.yaml");
    faults_add(&sink.faults, &(struct source_location){.line = 5, .column = 11}, "'%s': %d is out of range", "port",
               70000);
    assert_string_equal(sink_text(&sink), "dns.yaml:5:11: 'port': 70000 is out of range\n");
    assert_int_equal(sink.faults.count, 1);
    sink_done(&sink);
}

static void a_fault_of_a_flag_names_the_flag(void **state)
{
    (void)state;
    struct sink sink;
    sink_init(&sink, NULL);
    faults_add(&sink.faults, &(struct source_location){.flag = "workers"}, "wrong");
    assert_string_equal(sink_text(&sink), "dns-tls-proxy: --workers: wrong\n");
    sink_done(&sink);
}

static void a_fault_of_the_whole_file_names_the_file(void **state)
{
    (void)state;
    struct sink sink;
    sink_init(&sink, "dns.yaml");
    faults_add(&sink.faults, NULL, "cannot be read");
    assert_string_equal(sink_text(&sink), "dns.yaml: cannot be read\n");
    sink_done(&sink);
}

static void a_fault_is_one_printable_line_whatever_it_is_about(void **state)
{
    (void)state;
    struct sink sink;
    char all_bytes[256] = "";
    sink_init(&sink, "dns.yaml");
    faults_add(&sink.faults, NULL, "'%s': %s", "listen", "lo\neth0\t\x1b[31m\xc2\x9b");
    assert_string_equal(sink_text(&sink), "dns.yaml: 'listen': lo\\x0aeth0\\x09\\x1b[31m\\xc2\\x9b\n");
    for (int byte = 1; byte < 256; byte++) all_bytes[byte - 1] = (char)byte;
    faults_add(&sink.faults, NULL, "%s", all_bytes);
    assert_non_null(strstr(sink_text(&sink), "}~\\x7f\\x80"));
    assert_non_null(strstr(sink_text(&sink), "\\xfe\\xff\n"));
    for (const char *c = sink_text(&sink); *c; c++) assert_true(*c == '\n' || (*c >= ' ' && *c < 0x7f));
    sink_done(&sink);
}

static void a_flood_of_faults_ends(void **state)
{
    (void)state;
    struct sink sink;
    sink_init(&sink, "dns.yaml");
    for (size_t i = 0; i < 3 * FAULTS_MAX; i++) {
        assert_int_equal(faults_are_full(&sink.faults), i >= FAULTS_MAX);
        faults_add(&sink.faults, NULL, "fault %zu", i + 1);
    }
    assert_int_equal(sink.faults.count, FAULTS_MAX);
    assert_non_null(strstr(sink_text(&sink), "dns.yaml: fault 100\ndns-tls-proxy: more faults are not listed\n"));
    assert_null(strstr(sink_text(&sink), "fault 101"));
    sink_done(&sink);
}

static void assert_quoted(const char *text, const char *expected)
{
    char quoted[FAULT_QUOTE_BYTES];
    assert_string_equal(fault_quote(text, quoted), expected);
}

static void plain_words_are_quoted_as_they_are(void **state)
{
    (void)state;
    assert_quoted("70000", "70000");
    assert_quoted("[::1]:53", "[::1]:53");
    assert_quoted("1.1.1.1:853#cloudflare-dns.com", "1.1.1.1:853#cloudflare-dns.com");
    assert_quoted("10.0.0.0/8", "10.0.0.0/8");
}

static void other_texts_stand_in_quotes(void **state)
{
    (void)state;
    assert_quoted("", "\"\"");
    assert_quoted("a b", "\"a b\"");
    assert_quoted("say \"hi\"", "\"say \\\"hi\\\"\"");
    assert_quoted("a\\b", "\"a\\\\b\"");
}

static void no_byte_can_move_the_cursor_or_start_a_line(void **state)
{
    (void)state;
    assert_quoted("a\nb", "\"a\\x0ab\"");
    assert_quoted("\x1b[31m", "\"\\x1b[31m\"");
    assert_quoted("\x7f", "\"\\x7f\"");
    assert_quoted("\xc2\x9b", "\"\\xc2\\x9b\"");
    for (int byte = 1; byte < 256; byte++) {
        char quoted[FAULT_QUOTE_BYTES];
        fault_quote((char[]){(char)byte, '\0'}, quoted);
        for (const char *c = quoted; *c; c++) assert_true(*c >= ' ' && *c < 0x7f);
    }
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[1000], quoted[FAULT_QUOTE_BYTES];
    static const char fillers[] = {'a', ' ', '"', '\n', (char)0xff};
    for (size_t i = 0; i < sizeof fillers; i++) {
        memset(text, fillers[i], sizeof text - 1);
        text[sizeof text - 1] = '\0';
        fault_quote(text, quoted);
        assert_true(strlen(quoted) < FAULT_QUOTE_BYTES);
        assert_string_equal(quoted + strlen(quoted) - 4, "...\"");
    }
}

static void a_text_of_any_length_is_quoted_within_bounds(void **state)
{
    (void)state;
    char quoted[FAULT_QUOTE_BYTES];
    for (size_t size = 0; size < 2 * FAULT_QUOTE_BYTES; size++) {
        char *text = calloc(1, size + 1); /* exactly as long, so that a sanitizer sees a read behind the end */
        assert_non_null(text);
        memset(text, size % 2 ? 'a' : '\t', size);
        assert_true(strlen(fault_quote(text, quoted)) < FAULT_QUOTE_BYTES);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_in_a_file_has_line_and_column),
        cmocka_unit_test(a_fault_of_a_flag_names_the_flag),
        cmocka_unit_test(a_fault_of_the_whole_file_names_the_file),
        cmocka_unit_test(a_fault_is_one_printable_line_whatever_it_is_about),
        cmocka_unit_test(a_flood_of_faults_ends),
        cmocka_unit_test(plain_words_are_quoted_as_they_are),
        cmocka_unit_test(other_texts_stand_in_quotes),
        cmocka_unit_test(no_byte_can_move_the_cursor_or_start_a_line),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_text_of_any_length_is_quoted_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
