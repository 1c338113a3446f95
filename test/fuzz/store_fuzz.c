/* A store that sends anything, step by step, to a worker that asks, writes and waits: every question is over exactly
 * once, nothing is kept beyond the largest reply, and the counts add up. Some steps send an entry that is signed, with
 * any response and times, and what is taken of it may be kept for no longer than it may live.
 *
 * The connection is one of the target's own, which hands replies on as store/connection.c does; all above it is real.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "need.h"
#include "queries/sharing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUESTIONS = 4, UNREAD_MAX = 2 * (ENTRY_BYTES_MAX + RESP_OVERHEAD_MAX) };

struct connection {
    const struct connection_events *events;
    void *owner;
    uint8_t *unread; /* a partial reply */
    size_t unread_size;
    size_t unsent;
    bool is_open;
};

struct asked {
    struct store_lookup lookup;
    struct question_key key;
    bool is_asked; /* and not over */
    bool is_late;
};

static struct world {
    struct loop loop;
    struct counters *counters;
    struct store *store;
    struct sharing sharing;
    struct forwarder_options options;
    struct store_setup setup;
    struct connection *connection;
    struct asked asked[QUESTIONS];
    const uint8_t *data; /* what is left of the input */
    size_t size;
} world;

static uint8_t take(void)
{
    if (world.size == 0) return 0;
    world.size--;
    return *world.data++;
}

/* ---- the connection ---- */

struct connection *connection_open(const struct connection_deps *deps, const struct connection_target *target,
                                   const struct connection_events *events, void *owner)
{
    (void)deps;
    (void)target;
    need(!world.connection);
    world.connection = calloc(1, sizeof *world.connection);
    need(world.connection);
    *world.connection = (struct connection){.events = events, .owner = owner};
    return world.connection;
}

void connection_free(struct connection *connection)
{
    if (!connection) return;
    need(connection == world.connection);
    world.connection = NULL;
    free(connection->unread);
    free(connection);
}

bool connection_send(struct connection *connection, const struct resp_part *parts, unsigned count)
{
    size_t size = resp_command_size(parts, count);
    uint8_t *bytes = malloc(size); /* exactly as large, so that a sanitizer sees who writes beyond */
    need(bytes && resp_write_command(parts, count, bytes) == size);
    free(bytes);
    connection->unsent += size;
    return true;
}

size_t connection_unsent(const struct connection *connection)
{
    return connection->unsent;
}

void connection_flush(struct connection *connection)
{
    connection->unsent = 0;
}

void connection_resume(struct connection *connection)
{
    (void)connection;
}

bool connection_has_more(const struct connection *connection)
{
    (void)connection;
    return false;
}

/* It is made, as happens once. */
static void open_connection(void)
{
    struct connection *connection = world.connection;
    if (!connection || connection->is_open) return;
    connection->is_open = true;
    connection->events->on_open(connection->owner);
}

static void end_connection(enum connection_end end)
{
    if (world.connection) world.connection->events->on_end(world.connection->owner, end, NULL);
}

/* The store sends these octets. */
static void say(const void *bytes, size_t size)
{
    struct connection *connection = world.connection;
    if (!connection || !connection->is_open) return;
    need(connection->unread_size + size <= UNREAD_MAX);
    connection->unread = realloc(connection->unread, connection->unread_size + size + 1);
    need(connection->unread);
    memcpy(connection->unread + connection->unread_size, bytes, size);
    connection->unread_size += size;
    for (;;) {
        uint8_t *exact = malloc(connection->unread_size + 1);
        size_t left = connection->unread_size;
        need(exact);
        memcpy(exact, connection->unread, left);
        struct resp_reply reply = resp_read(exact, left, ENTRY_BYTES_MAX);
        need(reply.used <= left && (!reply.bytes || reply.bytes + reply.size <= exact + left));
        bool is_good = reply.used > 0 && connection->events->on_reply(connection->owner, &reply);
        free(exact);
        if (reply.kind == RESP_PARTIAL) break;
        if (!is_good) {
            end_connection(CONNECTION_PROTOCOL);
            return;
        }
        connection->unread_size -= reply.used;
        memmove(connection->unread, connection->unread + reply.used, connection->unread_size);
    }
    need(connection->unread_size < ENTRY_BYTES_MAX + RESP_OVERHEAD_MAX);
}

/* ---- questions ---- */

static struct asked *asked_of(struct store_lookup *lookup)
{
    return container_of(lookup, struct asked, lookup);
}

static enum store_use on_entry(struct store_lookup *lookup, const struct entry *entry)
{
    struct asked *asked = asked_of(lookup);
    struct answer answer;
    uint64_t left_ns;
    need(asked->is_asked);
    if (!sharing_judge(&world.sharing, &world.options, &asked->key, entry, &answer, &left_ns)) return STORE_REJECTED;
    need(left_ns > 0 && left_ns <= world.options.cache_max_ns);
    need(answer.size <= ANSWER_BYTES_MAX && answer_unpack(world.sharing.clamped, answer.size, &answer));
    return lookup->is_refresh && entry->stored_ms % 2 ? STORE_OLD : STORE_USED;
}

static void on_late(struct store_lookup *lookup)
{
    struct asked *asked = asked_of(lookup);
    need(asked->is_asked && !asked->is_late);
    asked->is_late = true;
}

static void on_done(struct store_lookup *lookup, enum store_outcome outcome)
{
    struct asked *asked = asked_of(lookup);
    need(asked->is_asked && outcome <= STORE_LEFT);
    need(lookup->is_refresh || outcome < STORE_CLAIMED);
    asked->is_asked = false;
}

static void ask(bool is_refresh)
{
    static const struct store_events events = {on_entry, on_late, on_done};
    struct asked *asked = &world.asked[take() % QUESTIONS];
    if (asked->is_asked) return;
    memset(&asked->lookup, 0, sizeof asked->lookup);
    asked->lookup.events = &events;
    asked->is_late = false;
    asked->is_asked = store_ask(world.store, &asked->lookup, &asked->key, is_refresh);
}

static void cancel(struct asked *asked)
{
    if (!asked->is_asked) return;
    asked->is_asked = false;
    store_cancel(world.store, &asked->lookup);
}

/* An entry for one of the questions: a response with any octets behind its question, and any times. */
static void say_entry(void)
{
    const struct asked *asked = &world.asked[take() % QUESTIONS];
    uint8_t message[512] = {0}, value[ENTRY_HEAD_BYTES + sizeof message + MAC_BYTES];
    char reply[sizeof value + RESP_OVERHEAD_MAX];
    uint64_t stored_ms = clock_wall_ns() / NS_PER_MS + 2 * 1000 - (uint64_t)take() * 1000;
    struct entry entry = {stored_ms, stored_ms + (uint64_t)take() * 2000, message, 0};
    struct entry_digest digest;
    size_t name_size = question_key_name_size(&asked->key), more = take();
    dns_put_u16(message + 2, (uint16_t)(DNS_QR | take()));
    message[5] = 1;
    for (unsigned i = 7; i < DNS_HEADER_BYTES; i += 2) message[i] = take() % 4;
    memcpy(message + DNS_HEADER_BYTES, asked->key.bytes, name_size);
    dns_put_u16(message + DNS_HEADER_BYTES + name_size, question_key_type(&asked->key));
    dns_put_u16(message + DNS_HEADER_BYTES + name_size + 2, DNS_CLASS_IN);
    entry.message_size = DNS_HEADER_BYTES + name_size + 4;
    for (; more > 0 && world.size > 0; more--) message[entry.message_size++] = take();
    entry_digest_make(&world.setup.keys, world.setup.origin, &asked->key, &digest);
    size_t size = entry_write(&world.setup.keys, &digest, &entry, value);
    int head = snprintf(reply, sizeof reply, "$%zu\r\n", size);
    memcpy(reply + head, value, size);
    memcpy(reply + head + size, "\r\n", 2);
    say(reply, (size_t)head + size + 2);
}

/* ---- steps ---- */

static void say_raw(void)
{
    size_t size = take();
    if (size > world.size) size = world.size;
    const uint8_t *bytes = world.data;
    world.data += size;
    world.size -= size;
    say(bytes, size);
}

static void say_usual(void)
{
    static const char *const replies[] = {"+OK\r\n", "$-1\r\n", "$0\r\n\r\n", "-ERR no\r\n"};
    const char *reply = replies[take() % 4];
    say(reply, strlen(reply));
}

static void write_answer(void)
{
    static const uint8_t message[DNS_HEADER_BYTES + 300];
    const struct question_key *key = &world.asked[take() % QUESTIONS].key;
    const struct entry entry = {1000, 1001u + take(), message, DNS_HEADER_BYTES + take()};
    if (take() % 4 > 0)
        store_write(world.store, key, &entry, 1000);
    else
        store_withdraw(world.store, key);
}

/* 255: all who wait are told at once that the store is late. */
static void pass(uint8_t ms)
{
    if (ms == UINT8_MAX) store_hurry(world.store);
    world.loop.now_ns += ms * NS_PER_MS;
    store_tick(world.store);
    store_flush(world.store);
    need(store_deadline_ns(world.store) >= world.loop.now_ns);
}

static void step(void)
{
    switch (take() % 10) {
    case 0: ask(false); break;
    case 1: ask(true); break;
    case 2: cancel(&world.asked[take() % QUESTIONS]); break;
    case 3: write_answer(); break;
    case 4: say_raw(); break;
    case 5: say_usual(); break;
    case 6: say_entry(); break;
    case 7: pass(take()); break;
    case 8: end_connection(take() % (CONNECTION_PROTOCOL + 1)); break;
    default:
        pass(100);
        open_connection();
        say("$-1\r\n", 5);
    }
}

static uint64_t all_results(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LABEL_SHARED_RESULT_COUNT; i++)
        sum += value_shared_results(world.counters, (enum label_shared_result)i);
    return sum;
}

static void begin(const uint8_t *data, size_t size)
{
    world = (struct world){.data = data, .size = size, .counters = counters_new()};
    world.loop.now_ns = 1000 * NS_PER_S;
    world.options = (struct forwarder_options){.cache_max_ns = 300 * NS_PER_S, .cache_negative_ns = 60 * NS_PER_S};
    world.setup.options = (struct store_options){
        .address.port = 1, .timeout_ns = 5 * NS_PER_MS, .queue_bytes = 128 * 1024, .prefix = "t:"};
    atomic_init(&world.setup.owners, 2); /* never freed: it is no block of its own */
    static const uint8_t zeros[ENTRY_SECRET_BYTES];
    entry_keys_derive(zeros, &world.setup.keys);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        struct question_key *key = &world.asked[i].key;
        *key = (struct question_key){.size = 6, .bytes = {1, 'a', 0, 0, DNS_TYPE_A, QUESTION_KEY_RD}};
        key->bytes[1] = (uint8_t)('a' + i);
    }
    const struct store_deps deps = {.loop = &world.loop, .counters = world.counters, .seed = 1};
    world.store = store_new(&deps);
    need(world.counters && world.store && sharing_init(&world.sharing, world.store, NULL, world.counters));
    store_set_setup(world.store, &world.setup);
    pass(0);
    open_connection();
    say("$-1\r\n", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin(data, size);
    while (world.size > 0) step();
    for (unsigned i = 0; i < QUESTIONS; i++) cancel(&world.asked[i]);
    need(value_shared_asked(world.counters) == all_results());
    store_free(world.store);
    need(!world.connection);
    sharing_done(&world.sharing);
    counters_free(world.counters);
    return 0;
}
