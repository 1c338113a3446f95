#include "state/load.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "queries/kept_answer.h"
#include "state/snapshot_reader.h"

/* A third of one processor, most used entries first, in pieces that a query may wait for. */
#define WORK_NS  (50 * NS_PER_US)
#define PAUSE_NS (50 * NS_PER_US)

/* A clock that was set back by less is not worth a cold cache: the entries' ages count from the snapshot then. */
#define AHEAD_NS (2 * NS_PER_S)

enum { FULL_MAX = 1000 }; /* answers in a row that find no room: the rest, which is used less, will find none either */

struct load {
    const struct load_target *target;
    struct snapshot_reader reader;
    struct load_result result;
    uint64_t now_ns;
    uint64_t wall_ns; /* not before the snapshot was made */
    uint64_t wall_offset_ns;
    unsigned full; /* in a row */
    bool is_over;
    bool has_name; /* the record before was this top name, whose answer may follow */
    struct question_key name;
    uint8_t *parsed; /* ANSWER_BYTES_MAX each */
    uint8_t *clamped;
};

static void reject(struct load *load, enum label_state_rejected reason)
{
    count_event_by(load->target->counters, state_rejected, reason);
    load->result.rejected++;
}

static struct hashed_key hashed(const struct load *load, const struct question_key *key)
{
    return (struct hashed_key){key->bytes, key->size,
                               hash_bytes(&load->target->shared->hash_key, key->bytes, key->size)};
}

/* Whether the question takes the same route now; if it has come to be one of our own names, none. */
static bool takes_its_route(const struct load *load, const struct question_key *key)
{
    struct names_found found;
    struct names *names = load->target->names;
    uint32_t identity = question_key_route(key);
    if (!names) return identity == 0;
    names_find(names, key->bytes, question_key_name_size(key), question_key_type(key), &found);
    if (found.verdict != NAMES_RESOLVE) return false;
    return (found.route == NAMES_ROUTE_DEFAULT ? 0 : names_route_identity(names, found.route)) == identity;
}

/* ---- top names ---- */

/* The record behind a top name was its answer, if there was one. Without a fresh one it is to be asked. */
static void leave_name(struct load *load)
{
    const struct hashed_key key = hashed(load, &load->name);
    if (!load->has_name) return;
    load->has_name = false;
    if (!cache_has_fresh(load->target->shared->cache, &key, load->now_ns))
        warmup_add(load->target->shared->warmup, load->name.bytes, load->name.size);
}

static void take_name(struct load *load, const struct snapshot_record *record)
{
    uint64_t half_life_ns = load->target->half_life_ns;
    uint64_t halvings = half_life_ns > 0 ? (load->wall_ns - load->result.saved_ns) / half_life_ns : 0;
    uint64_t queries = halvings < 32 && record->first <= UINT32_MAX ? record->first >> halvings : 0;
    if (!question_key_read(record->key, record->key_size, &load->name) || !question_key_is_confirmed(&load->name)) {
        reject(load, LABEL_STATE_REJECTED_INVALID);
        return;
    }
    const struct hashed_key key = hashed(load, &load->name);
    if (!takes_its_route(load, &load->name)) {
        reject(load, LABEL_STATE_REJECTED_ROUTE);
    } else if (topnames_restore(load->target->shared->topnames, &key, (uint32_t)queries, load->now_ns)) {
        load->has_name = true;
        load->result.names++;
    } else {
        reject(load, queries < 2 ? LABEL_STATE_REJECTED_EXPIRED : LABEL_STATE_REJECTED_FULL);
    }
}

/* ---- answers ---- */

/* False: it is of no use any more. */
static bool find_times(const struct load *load, const struct snapshot_record *record, uint64_t kept_ns,
                       struct cache_times *ret_times)
{
    uint64_t lifetime_ns = record->second - record->first;
    uint64_t age_ns = load->wall_ns - record->first;
    if (lifetime_ns > kept_ns) lifetime_ns = kept_ns;
    *ret_times = (struct cache_times){
        .age_ns = age_ns,
        .left_ns = lifetime_ns > age_ns ? lifetime_ns - age_ns : 0,
        .over_ns = age_ns > lifetime_ns ? age_ns - lifetime_ns : 0,
        .is_used = record->is_used,
    };
    return lifetime_ns > 0 && age_ns <= CACHE_AGE_MAX_NS &&
           (ret_times->left_ns > 0 || ret_times->over_ns < load->target->stale_ns);
}

static void store(struct load *load, const struct question_key *key, const struct answer *answer,
                  const struct cache_times *times)
{
    const struct shared_tables *shared = load->target->shared;
    const struct hashed_key found = hashed(load, key);
    enum cache_restored restored =
        cache_restore(shared->cache, &found, answer->bytes, answer->size, times, load->now_ns);
    enum purged_verdict purged = purged_look(load->target->purged, key->bytes, question_key_name_size(key));
    if (purged != PURGED_NOT) {
        if (restored == CACHE_RESTORED) cache_remove(shared->cache, &found);
        reject(load, LABEL_STATE_REJECTED_PURGED);
        load->is_over = purged == PURGED_ALL;
        return;
    }
    load->full = restored == CACHE_FULL ? load->full + 1 : 0;
    load->is_over = load->full == FULL_MAX;
    if (restored == CACHE_FULL) reject(load, LABEL_STATE_REJECTED_FULL);
    if (restored != CACHE_RESTORED) return;
    count_event(load->target->counters, state_loaded);
    load->result.answers++;
    if (times->left_ns > 0) topnames_answered(shared->topnames, &found, times->left_ns, load->now_ns);
}

static void take_answer(struct load *load, const struct snapshot_record *record)
{
    struct question_key key;
    struct answer answer;
    struct cache_times times;
    uint64_t kept_ns;
    const struct kept_response kept = {&key, record->value, record->value_size};
    if (!question_key_read(record->key, record->key_size, &key) || record->first > record->second ||
        record->first > load->wall_ns ||
        !kept_answer_judge(load->target->options, &kept, load->parsed, load->clamped, &answer, &kept_ns))
        reject(load, LABEL_STATE_REJECTED_INVALID);
    else if (!takes_its_route(load, &key))
        reject(load, LABEL_STATE_REJECTED_ROUTE);
    else if (!find_times(load, record, kept_ns, &times))
        reject(load, LABEL_STATE_REJECTED_EXPIRED);
    else
        store(load, &key, &answer, &times);
}

/* ---- a snapshot ---- */

static bool refuse(char ret_why[static LOAD_WHY_BYTES], const char *why)
{
    snprintf(ret_why, LOAD_WHY_BYTES, "%s", why);
    return false;
}

static bool begin(struct load *load, FILE *in, char ret_why[static LOAD_WHY_BYTES])
{
    switch (snapshot_reader_begin(&load->reader, in)) {
    case SNAPSHOT_FOREIGN: return refuse(ret_why, "it is no snapshot, or its beginning is damaged");
    case SNAPSHOT_OTHER_VERSION: return refuse(ret_why, "another version of the program has written it");
    case SNAPSHOT_SOUND: break;
    }
    const struct snapshot_head *head = &load->reader.head;
    uint64_t wall_ns = clock_wall_ns();
    if (head->saved_ns > wall_ns + AHEAD_NS) return refuse(ret_why, "it is from the future, by this machine's clock");
    if (head->origin != load->target->origin) return refuse(ret_why, "it has answers of other upstreams or routes");
    load->result.saved_ns = head->saved_ns;
    load->now_ns = clock_now_ns();
    load->wall_ns = wall_ns > head->saved_ns ? wall_ns : head->saved_ns;
    load->wall_offset_ns = load->wall_ns - load->now_ns;
    load->parsed = malloc(ANSWER_BYTES_MAX);
    load->clamped = malloc(ANSWER_BYTES_MAX);
    return (load->parsed && load->clamped) || refuse(ret_why, "memory is short");
}

/* One record. False at the end. */
static bool take_record(struct load *load)
{
    struct snapshot_record record;
    uint64_t damaged = load->reader.damaged;
    bool is_there = snapshot_reader_next(&load->reader, &record);
    for (; damaged < load->reader.damaged; damaged++) reject(load, LABEL_STATE_REJECTED_DAMAGED);
    if (!is_there) return false;
    if (record.kind == SNAPSHOT_NAME) {
        leave_name(load);
        take_name(load, &record);
    } else if (record.kind == SNAPSHOT_ANSWER) {
        take_answer(load, &record);
        leave_name(load);
    }
    return !load->is_over;
}

enum load_verdict load_read(const struct load_target *target, struct pace *pace, FILE *in,
                            struct load_result *ret_result, char ret_why[static LOAD_WHY_BYTES])
{
    struct load load = {.target = target};
    struct pace_stretch stretch = {0};
    enum pace_verdict verdict = PACE_GO_ON;
    bool is_used = begin(&load, in, ret_why);
    while (is_used && verdict == PACE_GO_ON && take_record(&load)) {
        verdict = pace_step(pace, &stretch, WORK_NS, PAUSE_NS, &load.now_ns);
        load.wall_ns = load.now_ns + load.wall_offset_ns;
    }
    if (is_used) leave_name(&load);
    load.result.damaged = load.reader.damaged;
    load.result.is_complete = load.reader.is_complete;
    *ret_result = load.result;
    snapshot_reader_done(&load.reader);
    free(load.parsed);
    free(load.clamped);
    if (!is_used) return LOAD_IGNORED;
    return verdict == PACE_GO_ON ? LOAD_DONE : LOAD_STOPPED;
}

bool load_cookie_key(FILE *in, uint8_t ret_key[static STATE_COOKIE_KEY_BYTES])
{
    struct snapshot_reader reader;
    struct snapshot_record record;
    bool is_there = snapshot_reader_begin(&reader, in) == SNAPSHOT_SOUND && snapshot_reader_next(&reader, &record) &&
                    record.kind == SNAPSHOT_COOKIE_KEY && record.value_size == STATE_COOKIE_KEY_BYTES;
    if (is_there) memcpy(ret_key, record.value, STATE_COOKIE_KEY_BYTES);
    snapshot_reader_done(&reader);
    return is_there;
}
