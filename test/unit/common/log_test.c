#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

static int ends[2];
static struct log out;
static char line[2 * LOG_LINE_BYTES];

static int setup(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    if (pipe(ends) != 0) return -1;
    log_init(&out, &(struct log_options){.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT}, ends[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* What was written since, behind the time stamp of a text line; "" where it is nothing. */
static const char *written(void)
{
    (void)!write(ends[1], "", 1); /* so that reading never waits */
    ssize_t size = read(ends[0], line, sizeof line - 1);
    assert_true(size > 0);
    line[size] = '\0';
    char *stamp_end = strchr(line, 'Z');
    return line[0] == '2' && stamp_end ? stamp_end + 2 : line;
}

static void use(enum log_format format, bool priorities)
{
    out.format = format;
    out.priorities = priorities;
}

static void an_event_is_a_line_of_keys_and_values(void **state)
{
    (void)state;
    log_info(&out, "listening", log_text("address", "127.0.0.1:53"), log_number("workers", 4));
    assert_string_equal(written(), "level=info event=listening address=127.0.0.1:53 workers=4\n");
    log_error(&out, "upstream down", log_number("errno", -1));
    assert_string_equal(written(), "level=error event=\"upstream down\" errno=-1\n");
}

static void a_line_begins_with_the_time_in_utc(void **state)
{
    (void)state;
    log_warning(&out, "x", log_number("n", 0));
    written();
    int year, month, day, hour, minute, second, ms, size = 0;
    int count =
        sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour, &minute, &second, &ms, &size);
    assert_int_equal(count, 7);
    assert_int_equal(size, 25);
    assert_true(year >= 2024);
}

static void levels_behind_the_one_set_are_not_written(void **state)
{
    (void)state;
    log_debug(&out, "x", log_number("n", 0));
    assert_string_equal(written(), "");
    log_set_level(&out, LOG_LEVEL_DEBUG);
    log_debug(&out, "x", log_number("n", 0));
    assert_string_equal(written(), "level=debug event=x n=0\n");
    log_set_level(&out, LOG_LEVEL_ERROR);
    log_warning(&out, "x", log_number("n", 0));
    assert_string_equal(written(), "");
}

static void a_value_that_could_be_mistaken_is_quoted(void **state)
{
    (void)state;
    log_info(&out, "x", log_text("a", "two words"), log_text("b", ""), log_text("c", "k=v"), log_text("d", "q\"\\"));
    assert_string_equal(written(), "level=info event=x a=\"two words\" b=\"\" c=\"k=v\" d=\"q\\\"\\\\\"\n");
    log_info(&out, "x", log_text("a", "line\nlevel=error\x1b[31m\x7f\t"));
    assert_string_equal(written(), "level=info event=x a=\"line\\u000alevel=error\\u001b[31m\\u007f\\u0009\"\n");
}

static void numbers_are_written_in_full(void **state)
{
    (void)state;
    log_info(&out, "x", log_number("min", INT64_MIN), log_number("max", INT64_MAX));
    assert_string_equal(written(), "level=info event=x min=-9223372036854775808 max=9223372036854775807\n");
}

static void json_is_an_object_a_line(void **state)
{
    (void)state;
    use(LOG_FORMAT_JSON, false);
    log_info(&out, "upstream up", log_text("name", "a\"b\n"), log_number("ms", 12));
    written();
    assert_memory_equal(line, "{\"time\":\"2", 10);
    assert_string_equal(strchr(line, 'Z'),
                        "Z\",\"level\":\"info\",\"event\":\"upstream up\",\"name\":\"a\\\"b\\u000a\",\"ms\":12}\n");
}

static void the_journal_gets_priorities_and_no_time(void **state)
{
    (void)state;
    use(LOG_FORMAT_TEXT, true);
    log_set_level(&out, LOG_LEVEL_DEBUG);
    static const char *const expected[] = {"<3>level=error event=x n=0\n", "<4>level=warning event=x n=0\n",
                                           "<6>level=info event=x n=0\n", "<7>level=debug event=x n=0\n"};
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_event(&out, (enum log_level)level, "x", log_number("n", 0));
        assert_string_equal(written(), expected[level]);
    }
    use(LOG_FORMAT_JSON, true);
    log_info(&out, "x", log_number("n", 0));
    assert_memory_equal(written(), "<6>{\"time\":\"", 12);
}

static void it_is_the_journal_only_where_the_stream_is_its(void **state)
{
    (void)state;
    const struct log_options options = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT};
    struct stat status;
    char stream[64];
    assert_int_equal(fstat(ends[1], &status), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(&out, &options, ends[1]);
    assert_true(out.priorities);
    setenv("JOURNAL_STREAM", "1:2", 1); /* inherited from a service, while standard error is a terminal */
    log_init(&out, &options, ends[1]);
    assert_false(out.priorities);
    setenv("JOURNAL_STREAM", "", 1);
    log_init(&out, &options, ends[1]);
    assert_false(out.priorities);
    unsetenv("JOURNAL_STREAM");
    log_init(&out, &options, ends[1]);
    assert_false(out.priorities);
}

/* With standard error at the pipe's end while it writes. */
static void write_start_errors(void)
{
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    FILE *errors = log_open_errors();
    if (errors) {
        fprintf(errors, "dns.yaml:1:");
        fprintf(errors, "2: 'listen': wrong\ndns.yaml:3:4: 'x': unknown\n");
        fclose(errors);
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_non_null(errors);
}

static void faults_of_the_start_are_errors_to_the_journal(void **state)
{
    (void)state;
    struct stat status;
    char stream[64];
    write_start_errors();
    written();
    assert_string_equal(line, "dns.yaml:1:2: 'listen': wrong\ndns.yaml:3:4: 'x': unknown\n");
    assert_int_equal(fstat(ends[1], &status), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    write_start_errors();
    unsetenv("JOURNAL_STREAM");
    written();
    assert_string_equal(line, "<3>dns.yaml:1:2: 'listen': wrong\n<3>dns.yaml:3:4: 'x': unknown\n");
}

/* Behind a string of a JSON text, or NULL where it is none. */
static const char *skip_string(const char *c)
{
    if (*c++ != '"') return NULL;
    for (; *c != '"'; c++) {
        if ((unsigned char)*c < ' ') return NULL;
        if (*c != '\\') continue;
        c++;
        if (!*c || !strchr("\"\\u", *c)) return NULL;
        if (*c == 'u' && strspn(c + 1, "0123456789abcdef") < 4) return NULL;
        c += *c == 'u' ? 4 : 0;
    }
    return c + 1;
}

/* Whether it is one line with one object of strings, numbers and true. */
static bool is_json_line(const char *c)
{
    if (*c != '{') return false;
    do {
        if (!(c = skip_string(c + 1)) || *c++ != ':') return false;
        if (*c == '"')
            c = skip_string(c);
        else
            c += strncmp(c, "true", 4) == 0 ? 4 : strspn(c, "-0123456789");
    } while (c && *c == ',');
    return c && strcmp(c, "}\n") == 0;
}

/* Whatever is in a text, and wherever the line ends in it. */
static void a_long_line_is_cut_and_stays_valid(void **state)
{
    (void)state;
    static const char *const parts[] = {"x", "\n", "\"", "\\", "\xc3\xa4", "\xff", "a b=\"c\\"};
    char text[2 * LOG_LINE_BYTES] = "";
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
        size_t size = 0;
        for (text[0] = '\0'; size + 8 < sizeof text; size = strlen(text)) {
            for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
                use((enum log_format)format, false);
                log_info(&out, "x", log_text("a", text), log_number("n", 123456789), log_text("b", "two words"));
                written();
                assert_true(strlen(line) <= LOG_LINE_BYTES);
                assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
                bool is_whole = strstr(line, "two words\"") != NULL;
                bool is_marked = strstr(line, format == LOG_FORMAT_JSON ? ",\"cut\":true}\n" : " cut=true\n") != NULL;
                if (is_whole == is_marked) fail_msg("%s", line);
                if (format == LOG_FORMAT_JSON && !is_json_line(line)) fail_msg("%s", line);
            }
            for (size_t i = 0; i <= size / 64 && strlen(text) + strlen(parts[part]) < sizeof text; i++)
                memcpy(text + strlen(text), parts[part], strlen(parts[part]) + 1);
        }
    }
}

static void a_number_is_not_cut(void **state)
{
    (void)state;
    char text[LOG_LINE_BYTES];
    use(LOG_FORMAT_JSON, false);
    for (size_t size = LOG_LINE_BYTES - 200; size < LOG_LINE_BYTES - 1; size++) {
        memset(text, 'x', size);
        text[size] = '\0';
        log_info(&out, "x", log_text("a", text), log_number("n", INT64_MAX));
        written();
        assert_true(strstr(line, ",\"n\":9223372036854775807}") || !strstr(line, "\"n\":"));
        assert_true(is_json_line(line));
    }
}

static void utf8_is_copied_and_other_bytes_are_not(void **state)
{
    (void)state;
    use(LOG_FORMAT_JSON, false);
    log_info(&out, "x", log_text("a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82"), log_text("b", "\xe2\x82"),
             log_text("c", "\xc2\x9b\xed\xa0\x80\xc0\xaf"));
    assert_non_null(strstr(written(), "\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82\",\"b\":\"\\u00e2\\u0082\","
                                      "\"c\":\"\\u00c2\\u009b\\u00ed\\u00a0\\u0080\\u00c0\\u00af\"}\n"));
}

static void a_repeated_fault_is_written_now_and_then_with_its_number(void **state)
{
    (void)state;
    struct log_repeat repeat = {0};
    uint64_t held_back = 4711;
    uint64_t start_ns = 100 * NS_PER_S;
    assert_true(log_repeat_due(&repeat, start_ns, &held_back));
    assert_int_equal(held_back, 0);
    for (uint64_t i = 1; i < 10; i++) assert_false(log_repeat_due(&repeat, start_ns + i * NS_PER_S, &held_back));
    assert_int_equal(held_back, 0);
    assert_true(log_repeat_due(&repeat, start_ns + 10 * NS_PER_S, &held_back));
    assert_int_equal(held_back, 9);
    assert_false(log_repeat_due(&repeat, start_ns + 11 * NS_PER_S, &held_back));
    assert_true(log_repeat_due(&repeat, start_ns + 30 * NS_PER_S, &held_back));
    assert_int_equal(held_back, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_a_line_of_keys_and_values, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_begins_with_the_time_in_utc, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_behind_the_one_set_are_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_that_could_be_mistaken_is_quoted, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_written_in_full, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_an_object_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(the_journal_gets_priorities_and_no_time, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_the_journal_only_where_the_stream_is_its, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_of_the_start_are_errors_to_the_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_stays_valid, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_is_not_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(utf8_is_copied_and_other_bytes_are_not, setup, teardown),
        cmocka_unit_test(a_repeated_fault_is_written_now_and_then_with_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
