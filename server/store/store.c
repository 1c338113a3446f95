#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* An instance that ends with a claim in its hands keeps the others from that refresh for so long. */
#define CLAIM_MS "2000"

/* A claim's key is no entry's: its first character behind the prefix is no hexadecimal digit. */
#define CLAIM_MARK 'r'

enum { KEY_BYTES = STORE_WORD_MAX + 1 + ENTRY_KEY_DIGITS, NUMBER_BYTES = 24 };

#define PART(text) ((struct resp_part){text, sizeof(text) - 1})

struct store {
    struct pipeline pipeline;
    struct list waiting; /* lookups that are not late, the oldest first */
    uint8_t *value;      /* ENTRY_BYTES_MAX: an entry on its way */
};

static const struct store_setup *setup_of(const struct store *store)
{
    return store->pipeline.setup;
}

static struct counters *counters_of(const struct store *store)
{
    return store->pipeline.deps.counters;
}

static void make_digest(const struct store *store, const struct question_key *key, struct entry_digest *ret_digest)
{
    const char *origin =
        question_key_route(key) == 0 ? setup_of(store)->origin : ""; /* a route's identity says whose */
    entry_digest_make(&setup_of(store)->keys, origin, key, ret_digest);
}

static struct resp_part write_key(const struct store *store, const struct entry_digest *digest, bool is_claim,
                                  char out[static KEY_BYTES])
{
    size_t size = 0;
    for (const char *c = setup_of(store)->options.prefix; *c; c++) out[size++] = *c;
    if (is_claim) out[size++] = CLAIM_MARK;
    entry_key_write(digest, out + size);
    return (struct resp_part){out, size + ENTRY_KEY_DIGITS};
}

/* ---- questions ---- */

static uint64_t send_lookup(struct store *store, struct store_lookup *lookup)
{
    char key[KEY_BYTES];
    const struct resp_part get[] = {PART("GET"), write_key(store, &lookup->digest, false, key)};
    return pipeline_send(&store->pipeline, COMMAND_LOOKUP, lookup, get, 2);
}

static bool send_claim(struct store *store, struct store_lookup *lookup)
{
    char key[KEY_BYTES];
    const struct resp_part of_claim = write_key(store, &lookup->digest, true, key);
    const struct resp_part set[] = {PART("SET"), of_claim, PART("1"), PART("NX"), PART("PX"), PART(CLAIM_MS)};
    return pipeline_send(&store->pipeline, COMMAND_CLAIM, lookup, set, 6) != 0;
}

bool store_ask(struct store *store, struct store_lookup *lookup, const struct question_key *key, bool is_refresh)
{
    CHECK(!store_lookup_is_asked(lookup));
    if (!setup_of(store)) return false;
    if (!pipeline_is_used(&store->pipeline)) {
        count_event_by(counters_of(store), shared_skipped, LABEL_SHARED_SKIPPED_UNAVAILABLE);
        return false;
    }
    make_digest(store, key, &lookup->digest);
    lookup->replies_from = pipeline_has_room(&store->pipeline, 0) ? send_lookup(store, lookup) : 0;
    if (!store_lookup_is_asked(lookup)) {
        count_event_by(counters_of(store), shared_skipped, LABEL_SHARED_SKIPPED_FULL);
        return false;
    }
    lookup->asked_ns = loop_attended_ns(store->pipeline.deps.loop);
    lookup->is_refresh = is_refresh && send_claim(store, lookup);
    lookup->has_result = false;
    list_init(&lookup->waiting);
    list_push(&store->waiting, &lookup->waiting);
    count_event(counters_of(store), shared_asked);
    return true;
}

/* No reply concerns it any more. */
static void detach(struct store *store, struct store_lookup *lookup)
{
    for (unsigned i = 0; i < 2; i++) { /* the question and the claim */
        struct pending *pending = pendings_find(&store->pipeline.pendings, lookup->replies_from + i);
        if (pending && pending->lookup == lookup) pending->lookup = NULL;
    }
    list_remove(&lookup->waiting);
    lookup->replies_from = 0;
}

static void count_result(const struct store *store, enum label_shared_result result)
{
    count_event_by(counters_of(store), shared_results, result);
}

void store_cancel(struct store *store, struct store_lookup *lookup)
{
    CHECK(store_lookup_is_asked(lookup));
    detach(store, lookup);
    if (!lookup->has_result) count_result(store, LABEL_SHARED_RESULT_OVERTAKEN);
}

static void finish(struct store *store, struct store_lookup *lookup, enum store_outcome outcome)
{
    detach(store, lookup);
    lookup->events->on_done(lookup, outcome);
}

/* Shows an entry to the owner. */
static enum label_shared_result offer(struct store *store, struct store_lookup *lookup, const struct resp_reply *reply)
{
    struct entry entry;
    switch (entry_read(&setup_of(store)->keys, &lookup->digest, reply->bytes, reply->size, &entry)) {
    case ENTRY_FORMAT:
        count_event_by(counters_of(store), shared_rejected, LABEL_SHARED_REJECTED_FORMAT);
        return LABEL_SHARED_RESULT_REJECTED;
    case ENTRY_FORGED: return LABEL_SHARED_RESULT_FORGED;
    case ENTRY_GOOD: break;
    }
    switch (lookup->events->on_entry(lookup, &entry)) {
    case STORE_USED: return LABEL_SHARED_RESULT_HIT;
    case STORE_REJECTED: return LABEL_SHARED_RESULT_REJECTED;
    case STORE_OLD: break;
    }
    return LABEL_SHARED_RESULT_MISS;
}

static bool on_lookup_reply(struct store *store, struct store_lookup *lookup, const struct resp_reply *reply)
{
    enum label_shared_result result = LABEL_SHARED_RESULT_MISS;
    if (reply->kind == RESP_STATUS) return false; /* to no GET */
    if (!lookup) return true;                     /* upstream was first */
    if (reply->kind == RESP_ERROR) result = LABEL_SHARED_RESULT_FAILED;
    if (reply->kind == RESP_VALUE && reply->size > 0) result = offer(store, lookup, reply);
    count_result(store, result);
    lookup->has_result = true;
    if (result == LABEL_SHARED_RESULT_HIT)
        finish(store, lookup, STORE_HIT);
    else if (!lookup->is_refresh) /* else the reply to its claim decides */
        finish(store, lookup, result == LABEL_SHARED_RESULT_FAILED ? STORE_FAILED : STORE_MISS);
    return true;
}

/* The claim was given (OK), or another instance has it (null). */
static bool on_claim_reply(struct store *store, struct store_lookup *lookup, const struct resp_reply *reply)
{
    if (reply->kind == RESP_VALUE) return false;
    if (!lookup) return true;
    enum store_outcome outcome = STORE_FAILED;
    if (reply->kind == RESP_STATUS) outcome = STORE_CLAIMED;
    if (reply->kind == RESP_NULL) outcome = STORE_LEFT;
    finish(store, lookup, outcome);
    return true;
}

/* ---- answers ---- */

static bool send_answer(struct store *store, const struct entry_digest *digest, const struct resp_part *value,
                        uint64_t left_ms, enum command command)
{
    char key[KEY_BYTES], number[NUMBER_BYTES];
    const size_t digits = (size_t)snprintf(number, sizeof number, "%" PRIu64, left_ms);
    const struct resp_part set[] = {
        PART("SET"), write_key(store, digest, false, key), *value, PART("PX"), {number, digits}};
    return pipeline_has_room(&store->pipeline, value->size) &&
           pipeline_send(&store->pipeline, command, NULL, set, 5) != 0;
}

void store_write(struct store *store, const struct question_key *key, const struct entry *entry, uint64_t now_ms)
{
    struct entry_digest digest;
    CHECK(entry->expires_ms > now_ms);
    if (!setup_of(store)) return;
    if (!pipeline_is_used(&store->pipeline)) {
        count_event_by(counters_of(store), shared_dropped, LABEL_SHARED_DROPPED_UNAVAILABLE);
        return;
    }
    make_digest(store, key, &digest);
    const struct resp_part value = {store->value, entry_write(&setup_of(store)->keys, &digest, entry, store->value)};
    if (!send_answer(store, &digest, &value, entry->expires_ms - now_ms, COMMAND_WRITE))
        count_event_by(counters_of(store), shared_dropped, LABEL_SHARED_DROPPED_FULL);
}

/* An empty value for a millisecond: so the store needs to allow GET and SET alone. */
void store_withdraw(struct store *store, const struct question_key *key)
{
    struct entry_digest digest;
    const struct resp_part nothing = {"", 0};
    if (!setup_of(store) || !pipeline_is_used(&store->pipeline)) return;
    make_digest(store, key, &digest);
    send_answer(store, &digest, &nothing, 1, COMMAND_WITHDRAW);
}

static bool on_write_reply(const struct store *store, enum command command, const struct resp_reply *reply)
{
    if (reply->kind == RESP_VALUE || reply->kind == RESP_NULL) return false;
    if (command == COMMAND_WITHDRAW) return true;
    if (reply->kind == RESP_STATUS)
        count_event(counters_of(store), shared_written);
    else
        count_event_by(counters_of(store), shared_dropped, LABEL_SHARED_DROPPED_REFUSED);
    return true;
}

/* ---- events ---- */

static bool on_reply(void *owner, const struct pending *pending, const struct resp_reply *reply)
{
    struct store *store = owner;
    switch (pending->command) {
    case COMMAND_LOOKUP: return on_lookup_reply(store, pending->lookup, reply);
    case COMMAND_CLAIM: return on_claim_reply(store, pending->lookup, reply);
    case COMMAND_WRITE:
    case COMMAND_WITHDRAW: return on_write_reply(store, pending->command, reply);
    case COMMAND_AUTH:
    case COMMAND_PROBE: break;
    }
    CHECK(false); /* the pipeline keeps its own */
    return false;
}

static void on_lost(void *owner, const struct pending *pending)
{
    struct store *store = owner;
    if (pending->command == COMMAND_WRITE)
        count_event_by(counters_of(store), shared_dropped, LABEL_SHARED_DROPPED_LOST);
    if (!pending->lookup) return;
    if (pending->command == COMMAND_LOOKUP) count_result(store, LABEL_SHARED_RESULT_FAILED);
    finish(store, pending->lookup, STORE_FAILED);
}

/* ---- turns and life ---- */

static uint64_t wait_ns(const struct store *store)
{
    const struct rtt *rtt = &store->pipeline.rtt;
    uint64_t timeout_ns = setup_of(store)->options.timeout_ns;
    uint64_t usual_ns = rtt->smoothed_ns + 4 * rtt->variance_ns;
    if (usual_ns < STORE_WAIT_MIN_NS) usual_ns = STORE_WAIT_MIN_NS;
    return rtt->smoothed_ns == 0 || usual_ns > timeout_ns ? timeout_ns : usual_ns;
}

/* The question that waits longest, or NULL. */
static struct store_lookup *longest_waiting(const struct store *store)
{
    const struct list *node = list_first(&store->waiting);
    return node ? container_of(node, struct store_lookup, waiting) : NULL;
}

static void call_late(struct store *store, struct store_lookup *lookup)
{
    list_remove(&lookup->waiting);
    count_event(counters_of(store), shared_late);
    lookup->events->on_late(lookup);
}

void store_tick(struct store *store)
{
    struct store_lookup *lookup;
    pipeline_tick(&store->pipeline);
    while ((lookup = longest_waiting(store))) {
        if (loop_attended_ns(store->pipeline.deps.loop) - lookup->asked_ns < wait_ns(store)) return;
        call_late(store, lookup);
    }
}

void store_hurry(struct store *store)
{
    struct store_lookup *lookup;
    while ((lookup = longest_waiting(store))) call_late(store, lookup);
}

uint64_t store_deadline_ns(const struct store *store)
{
    uint64_t deadline_ns = pipeline_deadline_ns(&store->pipeline);
    const struct store_lookup *lookup = longest_waiting(store);
    if (!lookup) return deadline_ns;
    return clock_earlier(deadline_ns, lookup->asked_ns + wait_ns(store) + store->pipeline.deps.loop->own_delay_ns);
}

void store_flush(struct store *store)
{
    pipeline_flush(&store->pipeline);
}

void store_set_setup(struct store *store, struct store_setup *setup)
{
    pipeline_set_setup(&store->pipeline, setup);
}

const struct store_setup *store_setup(const struct store *store)
{
    return setup_of(store);
}

struct store *store_new(const struct store_deps *deps)
{
    static const struct pipeline_events events = {on_reply, on_lost};
    struct store *store = calloc(1, sizeof *store);
    if (!store) return NULL;
    store->value = malloc(ENTRY_BYTES_MAX);
    if (!store->value) {
        free(store);
        return NULL;
    }
    list_init(&store->waiting);
    pipeline_init(&store->pipeline, deps, &events, store);
    return store;
}

void store_free(struct store *store)
{
    if (!store) return;
    CHECK(list_is_empty(&store->waiting));
    pipeline_done(&store->pipeline);
    free(store->value);
    free(store);
}
