#include "queries/sharing.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "queries/kept_answer.h"

static uint64_t wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

bool sharing_init(struct sharing *sharing, struct store *store, struct purges *purges, struct counters *counters)
{
    *sharing = (struct sharing){.store = store, .purges = purges, .counters = counters};
    if (!store) return true;
    sharing->parsed = malloc(KEPT_ANSWER_BYTES);
    sharing->clamped = malloc(KEPT_ANSWER_BYTES);
    return sharing->parsed && sharing->clamped;
}

void sharing_done(struct sharing *sharing)
{
    free(sharing->parsed);
    free(sharing->clamped);
    *sharing = (struct sharing){.store = NULL};
}

bool sharing_concerns(const struct sharing *sharing, uint32_t route)
{
    const struct store_setup *setup = sharing->store ? store_setup(sharing->store) : NULL;
    return setup && (route == 0 || setup->options.routes);
}

static bool reject(const struct sharing *sharing, enum label_shared_rejected reason)
{
    count_event_by(sharing->counters, shared_rejected, reason);
    return false;
}

bool sharing_judge(struct sharing *sharing, const struct forwarder_options *options, const struct question_key *key,
                   const struct entry *entry, struct answer *ret_answer, uint64_t *ret_left_ns)
{
    uint64_t now_ms = wall_ms(), kept_ns;
    uint64_t latest_ms = now_ms + SHARING_AHEAD_MS;
    if (entry->expires_ms <= now_ms || entry->expires_ms <= entry->stored_ms)
        return reject(sharing, LABEL_SHARED_REJECTED_EXPIRED);
    if (entry->stored_ms > latest_ms || entry->expires_ms > latest_ms + options->cache_max_ns / NS_PER_MS)
        return reject(sharing, LABEL_SHARED_REJECTED_FUTURE);
    const struct kept_response kept = {key, entry->message, entry->message_size};
    if (!kept_answer_judge(options, &kept, sharing->parsed, sharing->clamped, ret_answer, &kept_ns))
        return reject(sharing, LABEL_SHARED_REJECTED_ANSWER);
    uint64_t lifetime_ms = entry->expires_ms - entry->stored_ms;
    uint64_t age_ms = now_ms > entry->stored_ms ? now_ms - entry->stored_ms : 0;
    if (lifetime_ms > kept_ns / NS_PER_MS) lifetime_ms = kept_ns / NS_PER_MS;
    if (age_ms >= lifetime_ms) return reject(sharing, LABEL_SHARED_REJECTED_EXPIRED);
    answer_age(sharing->clamped, ret_answer->size, (uint32_t)(age_ms / 1000));
    *ret_left_ns = (lifetime_ms - age_ms) * NS_PER_MS;
    return true;
}

bool sharing_is_purged(struct sharing *sharing, const struct question_key *key, const struct entry *entry)
{
    uint64_t ahead_ms = entry->stored_ms < SHARING_AHEAD_MS ? entry->stored_ms : SHARING_AHEAD_MS;
    uint64_t stored_ms = entry->stored_ms - ahead_ms; /* at the earliest, by this instance's clock */
    if (!purges_concern(sharing->purges, key->bytes, question_key_name_size(key), stored_ms)) return false;
    reject(sharing, LABEL_SHARED_REJECTED_PURGED);
    return true;
}

void sharing_give(struct sharing *sharing, const struct question_key *key, const struct answer *answer,
                  uint64_t kept_ns)
{
    if (!sharing_concerns(sharing, question_key_route(key))) return;
    if (answer->kind == ANSWER_FAILURE) return;
    uint64_t now_ms = wall_ms(), kept_ms = answer->kind == ANSWER_VERDICT ? 0 : kept_ns / NS_PER_MS;
    CHECK(answer->size <= ANSWER_BYTES_MAX);
    memcpy(sharing->clamped, answer->bytes, answer->size);
    size_t size = kept_ms > 0 ? kept_answer_write(sharing->clamped, answer->size, key) : 0;
    const struct entry entry = {now_ms, now_ms + kept_ms, sharing->clamped, size};
    if (size > 0)
        store_write(sharing->store, key, &entry, now_ms);
    else
        store_withdraw(sharing->store, key);
}
