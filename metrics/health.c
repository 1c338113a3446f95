#include "metrics/health.h"

#include <string.h>
#include <time.h>

#include "common/json.h"

/* The same moment on both clocks, to convert times of one to the other. */
struct moment {
    uint64_t now_ns;
    int64_t wall_s;
};

enum part_state { PART_OK, PART_SILENT, PART_STOPPED };

void health_init(struct health *health, struct counters *const *blocks, unsigned block_count, uint64_t now_ns)
{
    memset(health, 0, sizeof *health);
    pthread_mutex_init(&health->not_served_lock, NULL);
    health->started_ns = now_ns;
    health->blocks = blocks;
    health->block_count = block_count;
}

struct heartbeat *health_add(struct health *health, const char *name, uint64_t now_ns)
{
    unsigned count = atomic_load_explicit(&health->part_count, memory_order_relaxed);
    if (count == HEALTH_PARTS_MAX) return NULL;
    struct heartbeat *heartbeat = &health->parts[count];
    snprintf(heartbeat->name, sizeof heartbeat->name, "%s", name);
    atomic_init(&heartbeat->since_ns, now_ns);
    atomic_init(&heartbeat->beat_ns, now_ns);
    /* The name is written before a reader can see the part. */
    atomic_store_explicit(&health->part_count, count + 1, memory_order_release);
    return heartbeat;
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
    atomic_store_explicit(&heartbeat->beat_ns, CLOCK_NEVER, memory_order_relaxed);
}

void health_drain(struct health *health, uint64_t now_ns)
{
    uint64_t never = 0;
    atomic_compare_exchange_strong(&health->draining_since_ns, &never, now_ns);
}

void health_set_nothing_resolved(struct health *health, bool nothing_is_resolved)
{
    atomic_store_explicit(&health->nothing_is_resolved, nothing_is_resolved, memory_order_relaxed);
}

void health_set_nothing_trusted(struct health *health, bool nothing_is_trusted)
{
    atomic_store_explicit(&health->nothing_is_trusted, nothing_is_trusted, memory_order_relaxed);
}

/* How long ago; a beat that came after the reader took the time is no time ago. */
static uint64_t age_ns(uint64_t then_ns, uint64_t now_ns)
{
    return now_ns > then_ns ? now_ns - then_ns : 0;
}

static enum part_state part_state(const struct heartbeat *part, uint64_t now_ns)
{
    uint64_t beat_ns = counter_read(&part->beat_ns);
    if (beat_ns == CLOCK_NEVER) return PART_STOPPED;
    return age_ns(beat_ns, now_ns) > HEARTBEAT_STALE_NS ? PART_SILENT : PART_OK;
}

bool health_is_live(const struct health *health, uint64_t now_ns)
{
    unsigned count = atomic_load_explicit(&health->part_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (part_state(&health->parts[i], now_ns) == PART_SILENT) return false;
    return true;
}

static uint64_t last_answer_ns(const struct health *health)
{
    uint64_t last_ns = 0;
    for (unsigned i = 0; i < health->block_count; i++) {
        uint64_t answered_ns = counter_read(&health->blocks[i]->upstream_answered_ns);
        if (answered_ns > last_ns) last_ns = answered_ns;
    }
    return last_ns;
}

static struct readiness readiness_now(const struct health *health, uint64_t now_ns)
{
    struct readiness readiness = {.answered_ns = last_answer_ns(health)};
    uint64_t draining_ns = counter_read(&health->draining_since_ns);
    if (draining_ns != 0) {
        readiness.state = READINESS_DRAINING;
        readiness.since_ns = draining_ns;
    } else if (readiness.answered_ns == 0) {
        readiness.state = READINESS_NO_ANSWER_YET;
        readiness.since_ns = health->started_ns;
    } else if (age_ns(readiness.answered_ns, now_ns) > ANSWER_STALE_NS) {
        readiness.state = READINESS_NO_ANSWER;
        readiness.since_ns = readiness.answered_ns + ANSWER_STALE_NS;
    }
    bool no_answer = readiness.state == READINESS_NO_ANSWER_YET || readiness.state == READINESS_NO_ANSWER;
    if (no_answer && atomic_load_explicit(&health->nothing_is_resolved, memory_order_relaxed))
        readiness.state = READINESS_NAMES;
    if (no_answer && atomic_load_explicit(&health->nothing_is_trusted, memory_order_relaxed))
        readiness.state = READINESS_CLOCK;
    return readiness;
}

/* Two threads that look at once may both set the moment: they differ by the instant between them. */
struct readiness health_look(struct health *health, uint64_t now_ns)
{
    struct readiness readiness = readiness_now(health, now_ns);
    if (readiness.state != READINESS_READY) {
        atomic_store_explicit(&health->ready_since_ns, 0, memory_order_relaxed);
        return readiness;
    }
    readiness.since_ns = counter_read(&health->ready_since_ns);
    if (readiness.since_ns == 0) {
        readiness.since_ns = now_ns;
        atomic_store_explicit(&health->ready_since_ns, now_ns, memory_order_relaxed);
    }
    return readiness;
}

const char *readiness_reason(enum readiness_state state)
{
    switch (state) {
    case READINESS_READY: return "an upstream answers";
    case READINESS_DRAINING: return "draining";
    case READINESS_NO_ANSWER_YET: return "no upstream has answered yet";
    case READINESS_CLOCK: return "no certificate in the CA bundle is valid at this machine's clock";
    case READINESS_NAMES: return "no address of an upstream is known: no server of `bootstrap` answers";
    case READINESS_NO_ANSWER: break;
    }
    return "no upstream has answered for more than 9 s";
}

static void write_since(struct json *json, const struct moment *moment, uint64_t since_ns)
{
    char text[32];
    struct tm utc;
    uint64_t ago_ns = age_ns(since_ns, moment->now_ns);
    time_t since_s = moment->wall_s - (int64_t)(ago_ns / NS_PER_S);
    gmtime_r(&since_s, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_text(json, "since", text);
    json_count(json, "for_seconds", ago_ns / NS_PER_S);
}

/* A silent part is so since its last beat. */
static void write_part(struct json *json, const struct heartbeat *part, const struct moment *moment)
{
    static const char *const states[] = {"ok", "silent", "stopped"};
    enum part_state state = part_state(part, moment->now_ns);
    json_open(json, NULL, '{');
    json_text(json, "name", part->name);
    json_text(json, "state", states[state]);
    if (state == PART_OK) write_since(json, moment, counter_read(&part->since_ns));
    if (state == PART_SILENT) write_since(json, moment, counter_read(&part->beat_ns));
    json_close(json, '{');
}

static void write_parts(struct json *json, const struct health *health, const struct moment *moment)
{
    unsigned count = atomic_load_explicit(&health->part_count, memory_order_acquire);
    json_open(json, "parts", '[');
    for (unsigned i = 0; i < count; i++) write_part(json, &health->parts[i], moment);
    json_close(json, '[');
}

bool health_write_live(const struct health *health, uint64_t now_ns, int64_t wall_s, FILE *out)
{
    const struct moment moment = {now_ns, wall_s};
    struct json json = {out, false};
    bool live = health_is_live(health, now_ns);
    json_open(&json, NULL, '{');
    json_text(&json, "status", live ? "live" : "not live");
    json_count(&json, "uptime_seconds", age_ns(health->started_ns, now_ns) / NS_PER_S);
    write_parts(&json, health, &moment);
    json_close(&json, '{');
    putc('\n', out);
    return live;
}

void health_set_not_served(struct health *health, const struct address *addresses, unsigned count)
{
    pthread_mutex_lock(&health->not_served_lock);
    health->not_served_count = count < HEALTH_ADDRESSES_MAX ? count : HEALTH_ADDRESSES_MAX;
    memcpy(health->not_served, addresses, health->not_served_count * sizeof *addresses);
    pthread_mutex_unlock(&health->not_served_lock);
}

static void write_not_served(struct json *json, struct health *health)
{
    pthread_mutex_lock(&health->not_served_lock);
    if (health->not_served_count > 0) json_open(json, "addresses_not_served", '[');
    for (unsigned i = 0; i < health->not_served_count; i++) {
        char text[ADDRESS_TEXT_BYTES];
        json_text(json, NULL, address_format(&health->not_served[i], text));
    }
    if (health->not_served_count > 0) json_close(json, '[');
    pthread_mutex_unlock(&health->not_served_lock);
}

bool health_write_ready(struct health *health, const char *failing_routes, uint64_t now_ns, int64_t wall_s, FILE *out)
{
    const struct moment moment = {now_ns, wall_s};
    struct json json = {out, false};
    struct readiness readiness = health_look(health, now_ns);
    bool ready = readiness.state == READINESS_READY;
    json_open(&json, NULL, '{');
    json_text(&json, "status", ready ? "ready" : "not ready");
    json_text(&json, "reason", readiness_reason(readiness.state));
    write_since(&json, &moment, readiness.since_ns);
    if (readiness.answered_ns == 0)
        json_null(&json, "upstream_answered_ms_ago");
    else
        json_count(&json, "upstream_answered_ms_ago", age_ns(readiness.answered_ns, now_ns) / NS_PER_MS);
    write_not_served(&json, health);
    if (*failing_routes) json_text(&json, "failing_routes", failing_routes);
    write_parts(&json, health, &moment);
    json_close(&json, '{');
    putc('\n', out);
    return ready;
}
