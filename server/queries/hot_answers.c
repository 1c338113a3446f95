#include "queries/hot_answers.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

struct hot_answer {
    struct cache_validity validity;
    uint64_t hash;
    uint64_t expires_ns; /* of the answer that was used last */
    uint32_t uncounted;  /* queries */
    uint16_t key_size;   /* 0: there is no copy */
    uint8_t key[QUESTION_KEY_MAX];
    uint8_t value[HOT_ANSWER_BYTES];
};

_Static_assert(HOT_ANSWERS * sizeof(struct hot_answer) <= 88 * 1024, "what the header says of memory");
_Static_assert(HOT_ANSWERS == 64, "a bit for each");

bool hot_answers_init(struct hot_answers *hot, struct cache *cache, struct topnames *topnames)
{
    *hot = (struct hot_answers){.cache = cache, .topnames = topnames};
    hot->answers = calloc(HOT_ANSWERS, sizeof *hot->answers);
    return hot->answers;
}

void hot_answers_done(struct hot_answers *hot)
{
    free(hot->answers);
    hot->answers = NULL;
}

static void count_now(struct hot_answers *hot, struct hot_answer *answer, uint64_t now_ns)
{
    const struct hashed_key key = {answer->key, answer->key_size, answer->hash};
    CHECK(answer->uncounted > 0 && answer->key_size > 0);
    topnames_count_times(hot->topnames, &key, answer->uncounted, answer->expires_ns, now_ns);
    answer->uncounted = 0;
    hot->uncounted &= ~(UINT64_C(1) << (answer - hot->answers));
}

void hot_answers_count(struct hot_answers *hot, struct hot_answer *answer, uint64_t expires_ns, uint64_t now_ns)
{
    answer->expires_ns = expires_ns;
    answer->uncounted++;
    hot->uncounted |= UINT64_C(1) << (answer - hot->answers);
    if (answer->uncounted == HOT_ANSWERS_BATCH) count_now(hot, answer, now_ns);
}

void hot_answers_count_all(struct hot_answers *hot, uint64_t now_ns)
{
    while (hot->uncounted) count_now(hot, &hot->answers[__builtin_ctzll(hot->uncounted)], now_ns);
}

static bool is_of(const struct hot_answer *answer, const struct hashed_key *key)
{
    return answer->hash == key->hash && answer->key_size == key->size &&
           memcmp(answer->key, key->bytes, key->size) == 0;
}

/* Copies the key's answer from the cache. */
static bool copy(struct hot_answers *hot, struct hot_answer *answer, const struct hashed_key *key, uint64_t now_ns)
{
    if (answer->uncounted > 0) count_now(hot, answer, now_ns); /* while its key is known */
    CHECK(key->size <= sizeof answer->key);
    answer->key_size = 0;
    if (!cache_copy_valid(hot->cache, key, now_ns, answer->value, sizeof answer->value, &answer->validity))
        return false;
    answer->hash = key->hash;
    answer->key_size = key->size;
    memcpy(answer->key, key->bytes, key->size);
    return true;
}

struct hot_answer *hot_answers_find(struct hot_answers *hot, const struct hashed_key *key, uint64_t now_ns,
                                    uint8_t out[static HOT_ANSWER_BYTES], struct cache_found *ret_found)
{
    struct hot_place *place = &hot->places[key->hash % HOT_ANSWERS];
    struct hot_answer *answer = &hot->answers[key->hash % HOT_ANSWERS];
    if (!hot_answers_may_have(hot, key->hash)) return NULL;
    bool is_valid = is_of(answer, key) && cache_is_valid(hot->cache, key, &answer->validity, now_ns, ret_found);
    if (!is_valid &&
        (!copy(hot, answer, key, now_ns) || !cache_is_valid(hot->cache, key, &answer->validity, now_ns, ret_found))) {
        place->ahead = 0; /* to be asked again as often before the next try */
        return NULL;
    }
    memcpy(out, answer->value, ret_found->size);
    return answer;
}
