#include "app/upstream_watch.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"

#define WINDOW_NS     (10 * NS_PER_S)  /* in which failures of an upstream that answers are counted */
#define CALM_FIRST_NS (5 * NS_PER_S)   /* long enough to see that it lasts, short enough to be news */
#define CALM_MAX_NS   (300 * NS_PER_S) /* an upstream that comes and goes gets two lines in so long */
#define FORGIVE_NS    (600 * NS_PER_S) /* a problem so long after the former one is a new one */

/* Sessions end for many reasons, those of all workers at once, and no client notices; a problem is what goes on: so
 * many seconds of a window in which any failed. */
enum { FAILING_SECONDS = 3 };

static uint64_t sum(const uint64_t counts[static LABEL_FAILURE_COUNT])
{
    uint64_t total = 0;
    for (unsigned i = 0; i < LABEL_FAILURE_COUNT; i++) total += counts[i];
    return total;
}

static enum upstream_problem problem_of(enum upstream_state state)
{
    static const enum upstream_problem problems[UPSTREAM_STATES] = {
        [UPSTREAM_DOWN] = PROBLEM_UNREACHABLE,
        [UPSTREAM_CERTIFICATE] = PROBLEM_CERTIFICATE,
        [UPSTREAM_SILENT] = PROBLEM_SILENT,
    };
    CHECK(state < UPSTREAM_STATES);
    return problems[state];
}

/* The reason of most failures since the window began; NULL: there were none. */
static const char *main_reason(const struct watched_upstream *upstream)
{
#define TEXT(id, text) text,
    static const char *const texts[LABEL_FAILURE_COUNT] = {LABELS_FAILURE(TEXT)};
#undef TEXT
    uint64_t most = 0;
    const char *reason = NULL;
    for (unsigned i = 0; i < LABEL_FAILURE_COUNT; i++) {
        uint64_t failures = upstream->failures[i] - upstream->at_window[i];
        if (failures > most) reason = texts[i];
        if (failures > most) most = failures;
    }
    return reason;
}

/* ---- lines ---- */

static void log_begin(const struct watched_upstream *upstream, enum upstream_problem problem, const char *why,
                      const struct log *log)
{
    static const char *const events[PROBLEMS] = {
        [PROBLEM_FAILING] = "upstream loses sessions",
        [PROBLEM_SILENT] = "upstream silent",
        [PROBLEM_UNREACHABLE] = "upstream unreachable",
        [PROBLEM_CERTIFICATE] = "upstream certificate refused",
    };
    const char *reason = main_reason(upstream);
    struct log_field fields[4] = {log_text("upstream", upstream->label)};
    unsigned count = 1;
    if (reason) fields[count++] = log_text("reason", reason);
    if (why) fields[count++] = log_text("why", why);
    if (problem == PROBLEM_CERTIFICATE)
        fields[count++] = log_text("do", "check the upstream's name in 'upstreams', 'tls.ca_file' and this machine's "
                                         "clock; no query was sent");
    CHECK(count <= sizeof fields / sizeof *fields);
    log_write(log, problem == PROBLEM_CERTIFICATE ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, events[problem], fields,
              count);
}

static void log_end(const struct watched_upstream *upstream, const struct log *log)
{
    const char *reason = main_reason(upstream);
    log_info(log, "upstream up", log_text("upstream", upstream->label),
             log_number("after_ms", (upstream->last_bad_ns - upstream->began_ns) / NS_PER_MS),
             log_number("failures", sum(upstream->failures) - sum(upstream->at_window)),
             log_text("reason", reason ? reason : "silence"));
}

/* ---- what is seen ---- */

/* Another upstream has the series, or its counts began anew. */
static bool is_another(const struct watched_upstream *upstream, const struct upstream_report *report)
{
    return strcmp(upstream->label, report->label) != 0 || sum(report->failures) < sum(upstream->failures);
}

static void begin_window(struct watched_upstream *upstream, uint64_t now_ns)
{
    upstream->window_ns = now_ns;
    upstream->failing_seconds = 0;
    memcpy(upstream->at_window, upstream->failures, sizeof upstream->at_window);
}

/* Failures since the last look. */
static uint64_t take_failures(struct watched_upstream *upstream, const struct upstream_report *report, uint64_t now_ns)
{
    if (is_another(upstream, report)) {
        *upstream = (struct watched_upstream){.window_ns = now_ns};
        snprintf(upstream->label, sizeof upstream->label, "%s", report->label);
    }
    if (upstream->said == 0 && now_ns - upstream->window_ns >= WINDOW_NS) begin_window(upstream, now_ns);
    uint64_t failed = sum(report->failures) - sum(upstream->failures);
    memcpy(upstream->failures, report->failures, sizeof upstream->failures);
    upstream->failing_seconds += failed > 0;
    return failed;
}

/* Failures of an upstream that answers are a problem where they go on. */
static enum upstream_problem judge(const struct watched_upstream *upstream, enum upstream_state state, uint64_t failed)
{
    enum upstream_problem problem = problem_of(state);
    if (problem != PROBLEM_NONE || failed == 0) return problem;
    return upstream->said != 0 || upstream->failing_seconds >= FAILING_SECONDS ? PROBLEM_FAILING : PROBLEM_NONE;
}

/* ---- what is said ---- */

static void begin(struct watched_upstream *upstream, uint64_t now_ns)
{
    bool again = upstream->ended_ns != 0 && now_ns - upstream->ended_ns < FORGIVE_NS;
    upstream->calm_ns = again ? 2 * upstream->calm_ns : CALM_FIRST_NS;
    if (upstream->calm_ns > CALM_MAX_NS) upstream->calm_ns = CALM_MAX_NS;
    upstream->began_ns = now_ns;
}

static void on_problem(struct watched_upstream *upstream, enum upstream_problem problem, const char *why,
                       const struct log *log, uint64_t now_ns)
{
    bool is_news = upstream->said == 0 || (problem != PROBLEM_FAILING && (upstream->said & 1u << problem) == 0);
    if (upstream->said == 0) begin(upstream, now_ns);
    if (is_news) log_begin(upstream, problem, why, log);
    upstream->said |= 1u << problem;
    upstream->last_bad_ns = now_ns;
    upstream->was_up = false;
}

static void on_up(struct watched_upstream *upstream, const struct log *log, uint64_t now_ns)
{
    if (upstream->said != 0 && now_ns - upstream->last_bad_ns < upstream->calm_ns) return;
    if (upstream->said != 0) {
        log_end(upstream, log);
        upstream->ended_ns = now_ns;
        begin_window(upstream, now_ns);
    } else if (!upstream->was_up) {
        log_info(log, "upstream up", log_text("upstream", upstream->label));
    }
    upstream->said = 0;
    upstream->was_up = true;
}

void upstream_watch_look(struct upstream_watch *watch, unsigned series, const struct upstream_report *report,
                         const struct log *log, uint64_t now_ns)
{
    CHECK(series < UPSTREAM_SERIES);
    struct watched_upstream *upstream = &watch->upstreams[series];
    uint64_t failed = take_failures(upstream, report, now_ns);
    enum upstream_problem problem = judge(upstream, report->state, failed);
    if (problem != PROBLEM_NONE)
        on_problem(upstream, problem, report->why, log, now_ns);
    else if (report->state == UPSTREAM_UP)
        on_up(upstream, log, now_ns);
}

void upstream_watch_read(struct counters *const *blocks, unsigned count, unsigned series,
                         struct upstream_report *ret_report)
{
    *ret_report = (struct upstream_report){.label = ret_report->label};
    for (unsigned block = 0; block < count; block++) {
        const struct counters *counters = blocks[block];
        uint64_t state = value_upstream_state(counters, series);
        CHECK(state < UPSTREAM_STATES);
        if (state > ret_report->state) ret_report->state = (enum upstream_state)state;
        if (!ret_report->why) ret_report->why = upstream_error(counters, series);
        for (unsigned i = 0; i < LABEL_FAILURE_COUNT; i++)
            ret_report->failures[i] += value_upstream_failures(counters, series, (enum label_failure)i);
    }
}
