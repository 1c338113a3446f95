#include "metrics/history.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "metrics/history_values.h"

/* A value as 16 bits: 0 is none; else, less 1, an exponent of 5 bits and a mantissa of 11 in units of 1/64. */
enum { MANTISSA_BITS = 11, CODE_MAX = UINT16_MAX };
#define VALUE_UNIT 64.0
#define VALUE_MAX  1e12 /* more than can be encoded */

enum event_kind {
    EVENT_START,
    EVENT_RELOAD,
    EVENT_RELOAD_REFUSED,
    EVENT_OUTAGE,
    EVENT_RECOVERY,
    EVENT_CERTIFICATE,
    EVENT_UPSTREAM_LOST,
    EVENT_UPSTREAM_BACK
};

struct event {
    uint64_t at_ns;
    enum event_kind kind;
    char upstream[UPSTREAM_LABEL_BYTES]; /* of the last three kinds, else "" */
};

/* Values of equal steps, column after column; in slot n % slots is the value of the time that ended with step n. */
struct ring {
    uint64_t step_ns;
    unsigned slots;
    uint64_t last;                /* number of the step written last; 0: none */
    struct history_moment before; /* when that was */
    uint16_t *codes;
};

/* What an event is a change of. */
struct conditions {
    double reloaded_s;
    bool reload_good;
    bool was_ready; /* since the start, or the last outage */
    bool is_out;
    uint64_t expiry_s[UPSTREAMS_MAX];
    bool is_lost[UPSTREAMS_MAX];
};

struct history {
    pthread_mutex_t lock; /* guards the rest */
    bool is_started;
    struct ring seconds;
    struct ring minutes;
    unsigned upstream_count;
    char upstreams[UPSTREAMS_MAX][UPSTREAM_LABEL_BYTES];
    struct conditions conditions;
    unsigned event_count; /* in all; the last HISTORY_EVENTS_MAX are kept */
    struct event events[HISTORY_EVENTS_MAX];
    uint16_t second_codes[HISTORY_COLUMNS][HISTORY_SECONDS]; /* memory of columns nobody writes is not touched */
    uint16_t minute_codes[HISTORY_COLUMNS][HISTORY_MINUTES];
};

struct history *history_new(void)
{
    struct history *history = calloc(1, sizeof *history);
    if (!history) return NULL;
    pthread_mutex_init(&history->lock, NULL);
    history->seconds = (struct ring){NS_PER_S, HISTORY_SECONDS, .codes = history->second_codes[0]};
    history->minutes = (struct ring){60 * NS_PER_S, HISTORY_MINUTES, .codes = history->minute_codes[0]};
    return history;
}

void history_free(struct history *history)
{
    if (!history) return;
    pthread_mutex_destroy(&history->lock);
    free(history);
}

/* ---- values ---- */

static uint16_t encode(double value)
{
    double bounded = value < 0 ? 0 : value < VALUE_MAX ? value : VALUE_MAX;
    uint64_t mantissa = (uint64_t)(bounded * VALUE_UNIT + 0.5);
    uint32_t exponent = 0;
    for (; mantissa >= 1 << MANTISSA_BITS; mantissa >>= 1) exponent++;
    uint32_t code = (exponent << MANTISSA_BITS | (uint32_t)mantissa) + 1;
    return code < CODE_MAX ? (uint16_t)code : CODE_MAX;
}

static double decode(uint16_t code)
{
    uint32_t bits = code - 1u;
    uint64_t mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    return (double)(mantissa << (bits >> MANTISSA_BITS)) / VALUE_UNIT;
}

static uint16_t *cell(const struct ring *ring, unsigned column, uint64_t step)
{
    return &ring->codes[(size_t)column * ring->slots + step % ring->slots];
}

static void clear_column(struct ring *ring, unsigned column)
{
    memset(cell(ring, column, 0), 0, ring->slots * sizeof *ring->codes);
}

static unsigned used_columns(const struct history *history)
{
    return HISTORY_COLUMN_UPSTREAM + 2 * history->upstream_count;
}

/* Steps that were missed have no values. */
static void clear_missed(const struct history *history, struct ring *ring, uint64_t step)
{
    uint64_t first = ring->last + 1;
    if (step - first > ring->slots) first = step - ring->slots;
    for (uint64_t missed = first; missed < step; missed++)
        for (unsigned column = 0; column < used_columns(history); column++) *cell(ring, column, missed) = 0;
}

static void ring_take(const struct history *history, struct ring *ring, const struct history_moment *moment)
{
    uint64_t step = moment->now_ns / ring->step_ns;
    /* A part of a step, behind the start, would show a few events as a high rate: it is added to the next one. */
    bool is_partial = ring->last != 0 && moment->now_ns - ring->before.now_ns < ring->step_ns / 2;
    if (ring->last != 0 && step > ring->last) {
        clear_missed(history, ring, step);
        for (unsigned column = 0; column < used_columns(history); column++) {
            double value;
            bool is_there = !is_partial && history_value(&ring->before, moment, column, &value);
            *cell(ring, column, step) = is_there ? encode(value) : 0;
        }
    }
    if (step <= ring->last) return;
    ring->last = step;
    if (!is_partial) ring->before = *moment;
}

/* An upstream that replaces another has no history. */
static void take_upstreams(struct history *history, const struct figures *figures)
{
    /* Those of the default route: the series of others may be another upstream's after a reload. */
    unsigned count = figures->upstream_count < UPSTREAMS_MAX ? figures->upstream_count : UPSTREAMS_MAX;
    while (count > 0 && figures->upstreams[count - 1][0] == '\0') count--;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(history->upstreams[i], figures->upstreams[i]) == 0) continue;
        memcpy(history->upstreams[i], figures->upstreams[i], sizeof history->upstreams[i]);
        history->conditions.expiry_s[i] = 0;
        history->conditions.is_lost[i] = false;
        for (unsigned j = 0; j < 2 && history->is_started; j++) {
            clear_column(&history->seconds, HISTORY_COLUMN_UPSTREAM + 2 * i + j);
            clear_column(&history->minutes, HISTORY_COLUMN_UPSTREAM + 2 * i + j);
        }
    }
    history->upstream_count = count;
}

/* ---- events ---- */

static void note(struct history *history, enum event_kind kind, const char *upstream, uint64_t now_ns)
{
    struct event *event = &history->events[history->event_count++ % HISTORY_EVENTS_MAX];
    *event = (struct event){.at_ns = now_ns, .kind = kind};
    memcpy(event->upstream, upstream, strnlen(upstream, sizeof event->upstream - 1));
}

static void note_reloads(struct history *history, const struct figures *figures, uint64_t now_ns)
{
    struct conditions *conditions = &history->conditions;
    bool is_good = figures->reload_good > 0;
    if (figures->reloaded_s > conditions->reloaded_s) note(history, EVENT_RELOAD, "", now_ns);
    if (!is_good && conditions->reload_good) note(history, EVENT_RELOAD_REFUSED, "", now_ns);
    conditions->reloaded_s = figures->reloaded_s;
    conditions->reload_good = is_good;
}

/* Not ready at the start is no outage: nothing was tried yet. */
static void note_outages(struct history *history, bool is_ready, uint64_t now_ns)
{
    struct conditions *conditions = &history->conditions;
    if (conditions->was_ready && !is_ready && !conditions->is_out) note(history, EVENT_OUTAGE, "", now_ns);
    if (conditions->is_out && is_ready) note(history, EVENT_RECOVERY, "", now_ns);
    conditions->is_out = !is_ready && (conditions->is_out || conditions->was_ready);
    conditions->was_ready = is_ready;
}

static void note_certificates(struct history *history, const struct counters *total, uint64_t now_ns)
{
    for (unsigned i = 0; i < history->upstream_count; i++) {
        uint64_t *known_s = &history->conditions.expiry_s[i];
        uint64_t expiry_s = value_upstream_expiry(total, i);
        if (*known_s != 0 && expiry_s != 0 && expiry_s != *known_s)
            note(history, EVENT_CERTIFICATE, history->upstreams[i], now_ns);
        if (expiry_s != 0) *known_s = expiry_s;
    }
}

/* Down, refused or silent; standby is neither lost nor back. */
static void note_upstreams(struct history *history, const struct counters *total, uint64_t now_ns)
{
    enum { STANDBY = 0, UP = 4 }; /* of the gauge upstream_state */
    for (unsigned i = 0; i < history->upstream_count; i++) {
        uint64_t state = value_upstream_state(total, i);
        bool *is_lost = &history->conditions.is_lost[i];
        if (state == STANDBY || (state != UP) == *is_lost) continue;
        *is_lost = state != UP;
        note(history, *is_lost ? EVENT_UPSTREAM_LOST : EVENT_UPSTREAM_BACK, history->upstreams[i], now_ns);
    }
}

static void note_start(struct history *history, const struct figures *figures, uint64_t now_ns)
{
    if (history->is_started) return;
    history->is_started = true;
    history->conditions.reloaded_s = figures->reloaded_s;
    history->conditions.reload_good = figures->reload_good > 0;
    note(history, EVENT_START, "", now_ns);
}

void history_take(struct history *history, const struct counters *total, const struct figures *figures, uint64_t now_ns)
{
    struct history_moment moment;
    history_moment_read(total, figures, now_ns, &moment);
    pthread_mutex_lock(&history->lock);
    take_upstreams(history, figures);
    note_start(history, figures, now_ns);
    note_reloads(history, figures, now_ns);
    note_outages(history, figures->ready > 0, now_ns);
    note_certificates(history, total, now_ns);
    note_upstreams(history, total, now_ns);
    ring_take(history, &history->seconds, &moment);
    ring_take(history, &history->minutes, &moment);
    pthread_mutex_unlock(&history->lock);
}

/* ---- writing ---- */

static const struct {
    const char *name;
    bool of_minutes;
    unsigned points;
    unsigned group; /* steps that become one point */
} ranges[HISTORY_RANGES] = {
    [HISTORY_5_MINUTES] = {"5m", false, 300, 1},
    [HISTORY_HOUR] = {"1h", false, 900, 4},
    [HISTORY_DAY] = {"24h", true, 1440, 1},
};

bool history_parse_range(const char *text, enum history_range *ret_range)
{
    for (int i = 0; i < HISTORY_RANGES; i++) {
        if (strcmp(text, ranges[i].name) != 0) continue;
        *ret_range = (enum history_range)i;
        return true;
    }
    return false;
}

/* The mean of the steps behind `first` that have a value; null if none has, or they are not in the ring. */
static void write_point(struct json *json, const struct ring *ring, unsigned column, int64_t first, unsigned group)
{
    double sum = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < group; i++) {
        int64_t step = first + i;
        if (step <= 0 || (uint64_t)step > ring->last || (uint64_t)step + ring->slots <= ring->last) continue;
        uint16_t code = *cell(ring, column, (uint64_t)step);
        if (code == 0) continue;
        sum += decode(code);
        count++;
    }
    if (count > 0)
        json_number_short(json, NULL, sum / count);
    else
        json_null(json, NULL);
}

/* Behind the last step of the last point. Points end at multiples of their group, so that they do not change while time
 * goes on. */
static uint64_t end_step(const struct ring *ring, unsigned group)
{
    return (ring->last + 1) / group * group;
}

static void write_column(struct json *json, const char *name, const struct ring *ring, unsigned column,
                         enum history_range range)
{
    unsigned group = ranges[range].group;
    int64_t end = (int64_t)end_step(ring, group);
    json_open(json, name, '[');
    for (unsigned i = ranges[range].points; i > 0; i--)
        write_point(json, ring, column, end - (int64_t)i * group, group);
    json_close(json, '[');
}

static void write_upstreams(struct json *json, const struct history *history, const struct ring *ring,
                            enum history_range range)
{
    json_open(json, "upstreams", '[');
    for (unsigned i = 0; i < history->upstream_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "name", history->upstreams[i]);
        write_column(json, "queries", ring, HISTORY_COLUMN_UPSTREAM + 2 * i, range);
        write_column(json, "p90_ms", ring, HISTORY_COLUMN_UPSTREAM + 2 * i + 1, range);
        json_close(json, '{');
    }
    json_close(json, '[');
}

static void write_events(struct json *json, const struct history *history)
{
    static const char *const kinds[] = {
        [EVENT_START] = "start",
        [EVENT_RELOAD] = "reload",
        [EVENT_RELOAD_REFUSED] = "reload refused",
        [EVENT_OUTAGE] = "outage",
        [EVENT_RECOVERY] = "recovery",
        [EVENT_CERTIFICATE] = "new certificate",
        [EVENT_UPSTREAM_LOST] = "upstream lost",
        [EVENT_UPSTREAM_BACK] = "upstream back",
    };
    unsigned first = history->event_count > HISTORY_EVENTS_MAX ? history->event_count - HISTORY_EVENTS_MAX : 0;
    json_open(json, "events", '[');
    for (unsigned i = first; i < history->event_count; i++) {
        const struct event *event = &history->events[i % HISTORY_EVENTS_MAX];
        json_open(json, NULL, '{');
        json_count(json, "at_ms", event->at_ns / NS_PER_MS);
        json_text(json, "kind", kinds[event->kind]);
        json_text(json, "upstream", *event->upstream ? event->upstream : NULL);
        json_close(json, '{');
    }
    json_close(json, '[');
}

void history_write(struct history *history, enum history_range range, FILE *out)
{
    struct json json = {out, false};
    pthread_mutex_lock(&history->lock);
    const struct ring *ring = ranges[range].of_minutes ? &history->minutes : &history->seconds;
    json_open(&json, NULL, '{');
    json_text(&json, "range", ranges[range].name);
    json_count(&json, "step_ms", ranges[range].group * ring->step_ns / NS_PER_MS);
    json_count(&json, "end_ms", (end_step(ring, ranges[range].group) - 1) * ring->step_ns / NS_PER_MS);
    json_open(&json, "figures", '{');
    for (unsigned column = 0; column < HISTORY_COLUMN_UPSTREAM; column++)
        write_column(&json, history_column_name(column), ring, column, range);
    json_close(&json, '{');
    write_upstreams(&json, history, ring, range);
    write_events(&json, history);
    json_close(&json, '{');
    pthread_mutex_unlock(&history->lock);
    putc('\n', out);
}
