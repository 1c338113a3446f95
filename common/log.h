/* log: one line an event on standard error, as text (key=value) or JSON, with systemd's priority prefix if systemd
 * reads it.
 *
 * A line is one write(2), so lines of different threads do not mix. An event is a short fixed phrase ("upstream up");
 * all that varies is in its fields. Any thread may log; only the level changes after log_init. No query names at info
 * and above. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_options {
    enum log_level level;
    enum log_format format;
};

struct log {
    _Atomic enum log_level level; /* events behind it are not written */
    enum log_format format;
    bool priorities; /* "<6>" before each line, for journald (sd-daemon(3)) */
    int fd;
};

/* A key and its value: `text` if it is not NULL, else `number`. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
};

#define log_text(k, v)   ((struct log_field){.key = (k), .text = (v)})
#define log_number(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})

void log_init(struct log *log, const struct log_options *options, int fd);
void log_set_level(struct log *log, enum log_level level);

/* A stream for messages of the start, before there is a log: what is written to it goes to standard error line by line,
 * each line with the priority of an error where standard error is the journal's stream. NULL where memory is short; the
 * caller closes it. */
FILE *log_open_errors(void);

/* Writes one event; text is quoted and escaped as needed. An event that does not fit into LOG_LINE_BYTES loses its last
 * fields and the end of a text, and gets the field `cut`; a JSON line is valid also then. */
enum { LOG_LINE_BYTES = 2048 };
void log_write(const struct log *log, enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* The usual way to call it; at least one field. */
#define log_event(log, level, event, ...)                                                                              \
    log_write(log, level, event, (const struct log_field[]){__VA_ARGS__},                                              \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_error(log, event, ...)   log_event(log, LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(log, event, ...) log_event(log, LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(log, event, ...)    log_event(log, LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(log, event, ...)   log_event(log, LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* A fault that may come a thousand times a second is written once an interval, with how often it came meanwhile. The
 * owner of the fault keeps one of these for it, zeroed at first. */
struct log_repeat {
    uint64_t written_ns;
    uint64_t held_back;
};

/* True if it is time to write again; `ret_held_back` says how many events were not written since the
 * last that was. */
bool log_repeat_due(struct log_repeat *repeat, uint64_t now_ns, uint64_t *ret_held_back);

#endif
