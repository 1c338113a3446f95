/* store_story: a worker's store, with a server that does what a test says and time as a number; and questions that note
 * what they were told. */
#ifndef STORE_STORY_H
#define STORE_STORY_H

#include "common/clock.h"
#include "fake_connection.h"
#include "store/store.h"

enum { QUESTIONS = 8 };

/* One question to the store, and its events. */
struct question_story {
    struct store_lookup lookup;
    enum store_use use; /* what its owner says of an entry */
    unsigned entries, lates, dones;
    enum store_outcome outcome;
    uint64_t stored_ms; /* of the entry it was shown */
};

static struct store_story {
    struct loop loop;
    struct counters *counters;
    struct store *store;
    struct store_setup *setup;
    struct question_story questions[QUESTIONS];
} story;

static inline enum store_use story_on_entry(struct store_lookup *lookup, const struct entry *entry)
{
    struct question_story *question = container_of(lookup, struct question_story, lookup);
    question->entries++;
    question->stored_ms = entry->stored_ms;
    return question->use;
}

static inline void story_on_late(struct store_lookup *lookup)
{
    container_of(lookup, struct question_story, lookup)->lates++;
}

static inline void story_on_done(struct store_lookup *lookup, enum store_outcome outcome)
{
    struct question_story *question = container_of(lookup, struct question_story, lookup);
    question->dones++;
    question->outcome = outcome;
    memset(&question->lookup, 0xa5, sizeof question->lookup); /* its owner may have freed it */
}

static const struct store_events story_events = {story_on_entry, story_on_late, story_on_done};

static inline struct store_options usual_options(void)
{
    struct store_options options = {.timeout_ns = 5 * NS_PER_MS, .queue_bytes = 128 * 1024, .prefix = "t:"};
    strcpy(options.secret_file, STORE_UNSIGNED);
    assert_true(address_parse("192.0.2.6:6379", 0, &options.address));
    return options;
}

static inline struct store_setup *make_setup(const struct store_options *options, const char *password)
{
    struct upstream_options upstream = {.transport = UPSTREAM_TLS};
    char error[SETUP_ERROR_BYTES];
    strcpy(upstream.name, "dns.example");
    struct store_setup *setup = store_setup_new(options, &upstream, 1, NULL, error);
    assert_non_null(setup);
    strcpy(setup->password, password);
    return setup;
}

static inline void pass_ms(uint64_t ms)
{
    story.loop.now_ns += ms * NS_PER_MS;
    store_tick(story.store);
    store_flush(story.store);
}

static inline void begin_with(const struct store_options *options, const char *password)
{
    memset(&story, 0, sizeof story);
    memset(&fake_store, 0, sizeof fake_store);
    story.loop.now_ns = 1000 * NS_PER_S;
    story.counters = counters_new();
    const struct store_deps deps = {.loop = &story.loop, .counters = story.counters, .seed = 1};
    story.store = store_new(&deps);
    assert_non_null(story.store);
    story.setup = make_setup(options, password);
    store_set_setup(story.store, story.setup);
}

static inline void begin(void)
{
    const struct store_options options = usual_options();
    begin_with(&options, "");
}

/* The connection is made, and the store answers the first GET. */
static inline void connect_store(void)
{
    pass_ms(0);
    fake_store_open();
    pass_ms(0);
    assert_sent("GET t:probe");
    fake_store_say("$-1\r\n");
}

static inline void begin_in_use(void)
{
    begin();
    connect_store();
}

static inline void end(void)
{
    for (unsigned i = 0; i < QUESTIONS; i++)
        if (story.questions[i].lookup.events && story.questions[i].dones == 0 &&
            store_lookup_is_asked(&story.questions[i].lookup))
            store_cancel(story.store, &story.questions[i].lookup);
    store_free(story.store);
    assert_null(fake_store.connection);
    store_setup_free(story.setup);
    counters_free(story.counters);
}

static inline struct question_key key_of(unsigned number)
{
    struct question_key key = {.size = 6, .bytes = {1, 'a', 0, 0, DNS_TYPE_A, QUESTION_KEY_RD}};
    key.bytes[1] = (uint8_t)('a' + number);
    return key;
}

static inline bool ask_kind(unsigned number, bool is_refresh)
{
    struct question_story *question = &story.questions[number];
    const struct question_key key = key_of(number);
    memset(question, 0, sizeof *question);
    question->lookup.events = &story_events;
    return store_ask(story.store, &question->lookup, &key, is_refresh);
}

static inline bool ask(unsigned number)
{
    return ask_kind(number, false);
}

static inline const struct question_story *question(unsigned number)
{
    return &story.questions[number];
}

/* The question is over, with that outcome and no more than one call. */
static inline void assert_over(unsigned number, enum store_outcome outcome)
{
    assert_int_equal(question(number)->dones, 1);
    assert_int_equal(question(number)->outcome, outcome);
}

static inline size_t entry_of(unsigned number, uint64_t stored_ms, uint8_t *out)
{
    static const uint8_t message[DNS_HEADER_BYTES] = {0};
    const struct entry entry = {stored_ms, stored_ms + 60000, message, sizeof message};
    struct entry_digest digest;
    const struct question_key key = key_of(number);
    entry_digest_make(&story.setup->keys, story.setup->origin, &key, &digest);
    return entry_write(&story.setup->keys, &digest, &entry, out);
}

/* The store has an entry for that question. */
static inline void say_entry(unsigned number, uint64_t stored_ms)
{
    uint8_t bytes[ENTRY_BYTES_MIN];
    fake_store_say_value(bytes, entry_of(number, stored_ms, bytes));
}

/* The name of the question's key in the store, behind the prefix. */
static inline const char *digits_of(unsigned number)
{
    static char digits[ENTRY_KEY_DIGITS + 1];
    struct entry_digest digest;
    const struct question_key key = key_of(number);
    entry_digest_make(&story.setup->keys, story.setup->origin, &key, &digest);
    entry_key_write(&digest, digits);
    return digits;
}

static inline uint64_t count(const _Atomic uint64_t *counter)
{
    return counter_read(counter);
}

static inline uint64_t results(enum label_shared_result result)
{
    return count(cell_shared_results(story.counters, result));
}

static inline uint64_t state(void)
{
    return count(cell_shared_state(story.counters));
}

static inline void write_answer(unsigned number, size_t message_size)
{
    uint8_t *message = calloc(1, message_size);
    const struct question_key key = key_of(number);
    const struct entry entry = {100000, 160000, message, message_size};
    store_write(story.store, &key, &entry, 101500);
    free(message);
}

static inline uint64_t dropped(enum label_shared_dropped reason)
{
    return count(cell_shared_dropped(story.counters, reason));
}

static inline uint64_t failures(enum label_shared_failure reason)
{
    return count(cell_shared_failures(story.counters, reason));
}

/* Passes the pause, and the next try begins. */
static inline void wait_for_try(void)
{
    unsigned opened = fake_store.opened;
    uint64_t next_ns = store_deadline_ns(story.store);
    assert_true(next_ns > story.loop.now_ns);
    story.loop.now_ns = next_ns - 1;
    pass_ms(0);
    assert_int_equal(fake_store.opened, opened);
    story.loop.now_ns = next_ns;
    pass_ms(0);
    assert_int_equal(fake_store.opened, opened + 1);
}

#endif
