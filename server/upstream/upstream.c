#include "upstream/upstream.h"

#include <stdio.h>

#include "common/check.h"
#include "common/clock.h"

#define AVOID_FIRST_NS  NS_PER_S
#define AVOID_MAX_NS    (60 * NS_PER_S)
#define FORGIVE_NS      (10 * NS_PER_S) /* good for so long, and for as long as it was avoided: forget its faults */
#define MUTE_NS         (2 * NS_PER_S)
#define STANDBY_NS      (60 * NS_PER_S)    /* what is as old as this says nothing of today */
#define DOWN_NS         (1500 * NS_PER_MS) /* an upstream that restarts is back by then: until then it is waited for */
#define BACKOFF_MAX_NS  NS_PER_S           /* one upstream alone is tried about once a second while it is gone, */
#define BACKOFF_EACH_NS (700 * NS_PER_MS)  /* and several so that together they stay under two tries a second */
#define QUICK_MAX_NS                                                                                                   \
    (200 * NS_PER_MS) /* the first tries follow each other closely: a restart takes less than a second */
#define QUIET_MAX_NS     (200 * NS_PER_MS)
#define RECORDS_FIRST_NS (60 * NS_PER_S)
#define RECORDS_MAX_NS   (3600 * NS_PER_S)
#define KEEP_FIRST_NS    (10 * NS_PER_S)
#define KEEP_MAX_NS      (600 * NS_PER_S)

enum {
    QUICK_TRIES = 8, /* of all upstreams together */
    JITTER_PERCENT = 25,
    ANSWERS_LEARNT = 1000, /* sessions that live longer need no attention */
    SILENCE_LEARNT = 100,
};

void upstream_format_label(const struct upstream_options *options, const char *route,
                           char label[static UPSTREAM_LABEL_MAX])
{
    char address[ADDRESS_TEXT_BYTES];
    if (upstream_is_named(options)) {
        snprintf(label, UPSTREAM_LABEL_MAX, "%s:%u", options->name, options->address.port);
        return;
    }
    snprintf(label, UPSTREAM_LABEL_MAX, "%.*s%s%s%s%s", UPSTREAM_NAME_MAX, route, route[0] ? "/" : "",
             address_format(&options->address, address), options->name[0] ? "#" : "", options->name);
}

void upstream_init(struct upstream *upstream, const struct upstream_options *options, unsigned index, uint32_t window)
{
    *upstream = (struct upstream){
        .options = *options,
        .index = index,
        .probe_at_ns = CLOCK_NEVER,
        .idle_limit_ns = CLOCK_NEVER,
        .revalidate_at_ns = options->transport == UPSTREAM_TLS ? 0 : CLOCK_NEVER, /* there is no certificate */
        .answers_max = UINT32_MAX,
        .window = window,
    };
    upstream_format_label(options, "", upstream->label);
    list_init(&upstream->sessions);
}

void upstream_set_route(struct upstream *upstream, const char *route)
{
    upstream_format_label(&upstream->options, route, upstream->label);
}

void upstream_done(struct upstream *upstream)
{
    CHECK(list_is_empty(&upstream->sessions));
    tls_ticket_free(upstream->ticket);
    upstream->ticket = NULL;
}

/* ---- health ---- */

static bool set_state(struct upstream *upstream, enum upstream_state state, uint64_t now_ns)
{
    CHECK(state < UPSTREAM_STATES);
    if (upstream->state == state) return false;
    upstream->state = state;
    upstream->state_ns = now_ns;
    return true;
}

bool upstream_answered(struct upstream *upstream, uint64_t took_ns, bool proves, uint64_t now_ns)
{
    rtt_sample(&upstream->rtt, took_ns);
    upstream->answered_ns = now_ns;
    if (upstream->avoided && !proves) return false;
    if (upstream->avoided) upstream->avoid_ended_ns = now_ns;
    upstream->avoided = false;
    upstream->probe_at_ns = CLOCK_NEVER;
    upstream->failed_ns = 0;
    return set_state(upstream, UPSTREAM_UP, now_ns);
}

static uint64_t backoff_max_ns(const struct upstream *upstream, unsigned upstream_count)
{
    if (upstream->backoff.failures * upstream_count < QUICK_TRIES) return QUICK_MAX_NS;
    uint64_t max_ns = upstream_count * BACKOFF_EACH_NS;
    return max_ns > BACKOFF_MAX_NS ? max_ns : BACKOFF_MAX_NS;
}

void upstream_failed(struct upstream *upstream, enum cause cause, unsigned upstream_count, struct random *random,
                     uint64_t now_ns)
{
    CHECK(cause_is_failure(cause));
    backoff_failed(&upstream->backoff, backoff_max_ns(upstream, upstream_count), random, now_ns);
    if (upstream->failed_ns == 0) upstream->failed_ns = upstream->tried_ns ? upstream->tried_ns : now_ns;
    if (cause == CAUSE_CERTIFICATE)
        set_state(upstream, UPSTREAM_CERTIFICATE, now_ns);
    else if (upstream->state != UPSTREAM_CERTIFICATE)
        set_state(upstream, UPSTREAM_DOWN, now_ns);
}

void upstream_suspect(struct upstream *upstream, uint64_t now_ns)
{
    if (upstream->avoided) return;
    upstream->avoided = true;
    upstream->probe_at_ns = now_ns;
}

void upstream_fell_silent(struct upstream *upstream, struct random *random, uint64_t now_ns)
{
    bool suspected = upstream->avoided && upstream->state != UPSTREAM_SILENT;
    if (upstream->avoided && !suspected && now_ns < upstream->probe_at_ns) return; /* known already */
    uint64_t good_ns = upstream->avoid_ns > FORGIVE_NS ? upstream->avoid_ns : FORGIVE_NS;
    bool again =
        upstream->avoid_ns > 0 && (upstream->state == UPSTREAM_SILENT || now_ns - upstream->avoid_ended_ns < good_ns);
    upstream->avoid_ns = again ? 2 * upstream->avoid_ns : AVOID_FIRST_NS;
    if (upstream->avoid_ns > AVOID_MAX_NS) upstream->avoid_ns = AVOID_MAX_NS;
    upstream->avoided = true;
    upstream->probe_at_ns = now_ns + random_jitter(random, upstream->avoid_ns, JITTER_PERCENT);
    set_state(upstream, UPSTREAM_SILENT, now_ns);
}

void upstream_reached(struct upstream *upstream)
{
    upstream->failed_ns = 0;
}

void upstream_pass_time(struct upstream *upstream, uint64_t now_ns)
{
    uint64_t latest_ns = upstream->state_ns;
    if (upstream->answered_ns > latest_ns) latest_ns = upstream->answered_ns;
    if (upstream->tried_ns > latest_ns) latest_ns = upstream->tried_ns;
    if (upstream->state == UPSTREAM_STANDBY || now_ns < latest_ns + STANDBY_NS) return;
    if (upstream->avoided && now_ns < upstream->probe_at_ns + STANDBY_NS) return;
    if (now_ns < upstream->backoff.next_ns) return;
    set_state(upstream, UPSTREAM_STANDBY, now_ns);
    backoff_succeeded(&upstream->backoff);
    upstream->avoided = false;
    upstream->probe_at_ns = CLOCK_NEVER;
    upstream->failed_ns = 0;
}

bool upstream_is_mute(const struct upstream *upstream, uint64_t now_ns)
{
    return upstream->answered_ns == 0 || now_ns - upstream->answered_ns > MUTE_NS;
}

bool upstream_is_known_down(const struct upstream *upstream, uint64_t now_ns)
{
    if (upstream->backoff.failures == 0) return false;
    if (upstream->state == UPSTREAM_CERTIFICATE) return true;
    return upstream->state == UPSTREAM_DOWN && upstream->failed_ns != 0 && now_ns - upstream->failed_ns >= DOWN_NS;
}

const char *upstream_state_text(enum upstream_state state)
{
    static const char *const texts[UPSTREAM_STATES] = {
        [UPSTREAM_STANDBY] = "standby", [UPSTREAM_DOWN] = "down", [UPSTREAM_CERTIFICATE] = "certificate refused",
        [UPSTREAM_SILENT] = "silent",   [UPSTREAM_UP] = "up",
    };
    CHECK(state < UPSTREAM_STATES);
    return texts[state];
}

/* ---- habits ---- */

static void forget_bound(struct upstream *upstream)
{
    upstream->answers_max = UINT32_MAX;
    upstream->ends_silently = false;
}

void upstream_learn_end(struct upstream *upstream, uint32_t answers, uint64_t now_ns)
{
    CHECK(answers > 0);
    if (answers > ANSWERS_LEARNT) return;
    bool known = upstream->answers_max != UINT32_MAX && !upstream->ends_silently;
    /* One session that ended late does not outweigh one that ended early. */
    upstream->answers_max = known && answers > 2 * upstream->answers_max ? 2 * upstream->answers_max : answers;
    upstream->ends_silently = false;
    upstream->learnt_ns = now_ns;
}

void upstream_learn_silence(struct upstream *upstream, uint32_t answers, uint64_t now_ns)
{
    bool again = answers > 0 && answers == upstream->silent_answers;
    upstream->silent_answers = answers;
    if (!again || answers > SILENCE_LEARNT || upstream->reorders) return;
    bool often = upstream->keep_ns > 0 && now_ns - upstream->learnt_ns < 2 * upstream->keep_ns;
    upstream->keep_ns = often ? 2 * upstream->keep_ns : KEEP_FIRST_NS;
    if (upstream->keep_ns > KEEP_MAX_NS) upstream->keep_ns = KEEP_MAX_NS;
    upstream->answers_max = answers;
    upstream->ends_silently = true;
    upstream->learnt_ns = now_ns;
}

void upstream_learn_answers(struct upstream *upstream, uint32_t answers, uint64_t now_ns)
{
    if (upstream->ends_silently) {
        if (answers > upstream->answers_max || now_ns - upstream->learnt_ns >= upstream->keep_ns)
            forget_bound(upstream);
    } else if (answers > upstream->answers_max) {
        upstream->answers_max = answers <= ANSWERS_LEARNT ? 2 * answers : UINT32_MAX;
    }
}

void upstream_learn_records(struct upstream *upstream, uint64_t now_ns)
{
    bool known = upstream->one_message_per_record && now_ns < upstream->records_until_ns;
    if (known || upstream->reads_batches) return;
    upstream->records_keep_ns = upstream->records_keep_ns ? 2 * upstream->records_keep_ns : RECORDS_FIRST_NS;
    if (upstream->records_keep_ns > RECORDS_MAX_NS) upstream->records_keep_ns = RECORDS_MAX_NS;
    upstream->one_message_per_record = true;
    upstream->records_until_ns = now_ns + upstream->records_keep_ns;
}

void upstream_learn_idle_limit(struct upstream *upstream, uint64_t silence_ns)
{
    if (silence_ns >= NS_PER_S && silence_ns < upstream->idle_limit_ns) upstream->idle_limit_ns = silence_ns;
}

uint64_t upstream_quiet_ns(const struct upstream *upstream)
{
    uint64_t quiet_ns = rtt_timeout_ns(&upstream->rtt);
    if (upstream->rtt.smoothed_ns == 0 && upstream->handshake_ns > 0) quiet_ns = 2 * upstream->handshake_ns;
    if (quiet_ns < RTT_TIMEOUT_MIN_NS) quiet_ns = RTT_TIMEOUT_MIN_NS;
    return quiet_ns < QUIET_MAX_NS ? quiet_ns : QUIET_MAX_NS;
}
