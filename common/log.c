#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"

/* How long a repeated fault stays quiet: a person reading the log sees that it goes on, and nothing else is drowned. */
#define REPEAT_NS (10 * NS_PER_S)

enum {
    TAIL_BYTES = sizeof "\",\"cut\":true}\n", /* kept for the end: a quote and the mark of a line that was cut */
    BARE_BYTES_MAX = 1024                     /* longer texts are quoted, so that a cut does not look like their end */
};

struct line {
    char text[LOG_LINE_BYTES];
    size_t used;
    bool is_cut;
};

/* Whether standard error is the journal's stream and not only inherited its name, as in a terminal that a user service
 * opened (systemd.exec(5), JOURNAL_STREAM). */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (!stream || fstat(fd, &status) != 0) return false;
    char expected[48];
    snprintf(expected, sizeof expected, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, expected) == 0;
}

/* stdio hands over whole lines, or what is left at the end. Where standard error is gone there is nobody to tell. */
static ssize_t write_errors(void *cookie, const char *text, size_t size)
{
    (void)cookie;
    const char *before = is_journal(STDERR_FILENO) ? "<3>" : "";
    for (size_t done = 0; done < size;) {
        const char *end = memchr(text + done, '\n', size - done);
        size_t line_size = end ? (size_t)(end + 1 - text) - done : size - done;
        dprintf(STDERR_FILENO, "%s%.*s", before, (int)line_size, text + done);
        done += line_size;
    }
    return (ssize_t)size;
}

FILE *log_open_errors(void)
{
    FILE *errors = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_errors});
    if (errors) setvbuf(errors, NULL, _IOLBF, BUFSIZ);
    return errors;
}

void log_init(struct log *log, const struct log_options *options, int fd)
{
    atomic_init(&log->level, options->level);
    log->format = options->format;
    log->priorities = is_journal(fd);
    log->fd = fd;
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store_explicit(&log->level, level, memory_order_relaxed);
}

/* All of it, or nothing if it does not fit. */
static bool add_bytes(struct line *line, const char *bytes, size_t size)
{
    if (line->is_cut || line->used + size > LOG_LINE_BYTES - TAIL_BYTES) {
        line->is_cut = true;
        return false;
    }
    memcpy(line->text + line->used, bytes, size);
    line->used += size;
    return true;
}

static bool add(struct line *line, const char *text)
{
    return add_bytes(line, text, strlen(text));
}

/* Quoted as JSON wants it, which a reader of key=value understands too; a control byte cannot start a new line. What
 * does not fit is left out, never the closing quote. */
static bool add_quoted(struct line *line, const char *text)
{
    char escaped[JSON_ESCAPED_BYTES];
    if (!add(line, "\"")) return false;
    while (*text) {
        size_t size = json_escape(&text, escaped);
        if (!add_bytes(line, escaped, size)) break;
    }
    line->text[line->used++] = '"'; /* of the tail's bytes */
    return true;
}

static bool is_bare(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f) return false;
    return *text;
}

static bool add_value(struct line *line, const struct log_field *field, bool json)
{
    if (!field->text) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)field->number);
        return add(line, number);
    }
    bool is_short = strlen(field->text) < BARE_BYTES_MAX;
    return !json && is_short && is_bare(field->text) ? add(line, field->text) : add_quoted(line, field->text);
}

/* A key and its value; a text may be cut short, anything else is written as a whole or not at all. */
static void add_field(struct line *line, const struct log_field *field, bool json)
{
    size_t begin = line->used;
    bool added = add(line, json ? ",\"" : " ") && add(line, field->key) && add(line, json ? "\":" : "=") &&
                 add_value(line, field, json);
    if (!added) line->used = begin;
}

static void add_end(struct line *line, bool json)
{
    const char *end = json ? line->is_cut ? ",\"cut\":true}\n" : "}\n" : line->is_cut ? " cut=true\n" : "\n";
    size_t size = strlen(end);
    memcpy(line->text + line->used, end, size);
    line->used += size;
}

/* journald adds the time itself; other readers get UTC with milliseconds. */
static void add_head(struct line *line, const struct log *log, enum log_level level, const char *event)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    bool json = log->format == LOG_FORMAT_JSON;
    if (log->priorities) add(line, priorities[level]);
    if (json) add(line, "{\"time\":\"");
    if (json || !log->priorities) {
        struct timeval now;
        struct tm utc;
        char stamp[40];
        gettimeofday(&now, NULL);
        gmtime_r(&now.tv_sec, &utc);
        size_t size = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
        snprintf(stamp + size, sizeof stamp - size, ".%03dZ", (int)(now.tv_usec / 1000));
        add(line, stamp);
        add(line, json ? "\"" : " ");
    }
    add(line, json ? ",\"level\":\"" : "level=");
    add(line, names[level]);
    if (json) add(line, "\"");
    add_field(line, &log_text("event", event), json);
}

void log_write(const struct log *log, enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (level > atomic_load_explicit(&log->level, memory_order_relaxed)) return;
    bool json = log->format == LOG_FORMAT_JSON;
    struct line line = {.used = 0};
    add_head(&line, log, level, event);
    for (size_t i = 0; i < count; i++) add_field(&line, &fields[i], json);
    add_end(&line, json);
    (void)!write(log->fd, line.text, line.used); /* a failed write to standard error cannot be reported */
}

bool log_repeat_due(struct log_repeat *repeat, uint64_t now_ns, uint64_t *ret_held_back)
{
    if (repeat->written_ns != 0 && now_ns - repeat->written_ns < REPEAT_NS) {
        repeat->held_back++;
        return false;
    }
    *ret_held_back = repeat->held_back;
    *repeat = (struct log_repeat){.written_ns = now_ns};
    return true;
}
