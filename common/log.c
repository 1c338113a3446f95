#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

/* How long a repeated fault stays quiet: a person reading the log sees that it goes on, and nothing else is drowned. */
#define REPEAT_NS (10 * NS_PER_S)

struct line {
    char text[LOG_LINE_BYTES];
    size_t used;
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

static void add(struct line *line, const char *text)
{
    size_t size = strlen(text);
    size_t room = sizeof line->text - 1 - line->used; /* one byte is kept for the line's end */
    if (size > room) size = room;
    memcpy(line->text + line->used, text, size);
    line->used += size;
}

/* Quoted as JSON wants it, which a reader of key=value understands too; a control byte cannot start a new line. */
static void add_quoted(struct line *line, const char *text)
{
    add(line, "\"");
    for (const char *c = text; *c; c++) {
        char one[8] = {*c};
        if (*c == '"' || *c == '\\')
            snprintf(one, sizeof one, "\\%c", *c);
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            snprintf(one, sizeof one, "\\u%04x", (unsigned char)*c);
        add(line, one);
    }
    add(line, "\"");
}

static bool is_bare(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f) return false;
    return *text;
}

static void add_value(struct line *line, const struct log_field *field, bool json)
{
    if (!field->text) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)field->number);
        add(line, number);
    } else if (!json && is_bare(field->text)) {
        add(line, field->text);
    } else {
        add_quoted(line, field->text);
    }
}

static void add_key(struct line *line, const char *key, bool json)
{
    add(line, json ? ",\"" : " ");
    add(line, key);
    add(line, json ? "\":" : "=");
}

/* journald stamps lines itself; everybody else gets UTC with milliseconds. */
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
    const struct log_field phrase = log_text("event", event);
    add_key(line, phrase.key, json);
    add_value(line, &phrase, json);
}

void log_write(const struct log *log, enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (level > atomic_load_explicit(&log->level, memory_order_relaxed)) return;
    bool json = log->format == LOG_FORMAT_JSON;
    struct line line = {.used = 0};
    add_head(&line, log, level, event);
    for (size_t i = 0; i < count; i++) {
        add_key(&line, fields[i].key, json);
        add_value(&line, &fields[i], json);
    }
    if (json) add(&line, "}");
    line.text[line.used++] = '\n';
    (void)!write(log->fd, line.text, line.used); /* where standard error is gone there is nobody to tell */
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
