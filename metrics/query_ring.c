#include "metrics/query_ring.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"

/* Put and read by words, each of which is atomic: the reader may look while the writer writes. */
struct entry {
    /* 2 x number + 1 while the note of that number is written, 2 x number + 2 when it is there; 0: none ever was. */
    _Atomic uint64_t sequence;
    _Atomic uint64_t words[QUERY_WORDS];
};

struct lane {
    _Atomic uint64_t put;
    _Atomic uint64_t left_out;
    uint64_t second_ns;  /* when the present second began; the writer's */
    uint32_t in_second;  /* admitted in it; the same */
    struct entry *first; /* of `entries` */
};

struct query_ring {
    uint32_t entries;
    struct lane lanes[QUERY_KINDS];
    struct entry all[];
};

static const char *const names[QUERY_KINDS] = {
    [QUERY_SLOW] = "slow",       [QUERY_SERVFAIL] = "servfail", [QUERY_REFUSED] = "refused",
    [QUERY_LIMITED] = "limited", [QUERY_STALE] = "stale",       [QUERY_MALFORMED] = "malformed",
};

struct query_ring *query_ring_new(uint32_t entries)
{
    CHECK(entries > 0 && entries <= QUERY_ENTRIES_MAX);
    size_t count = (size_t)entries * QUERY_KINDS;
    struct query_ring *ring = calloc(1, sizeof *ring + count * sizeof(struct entry));
    if (!ring) return NULL;
    ring->entries = entries;
    for (unsigned kind = 0; kind < QUERY_KINDS; kind++) ring->lanes[kind].first = &ring->all[(size_t)kind * entries];
    return ring;
}

void query_ring_free(struct query_ring *ring)
{
    free(ring);
}

/* One writer: nobody else adds to it. */
static void add_one(_Atomic uint64_t *count)
{
    uint64_t value = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, value + 1, memory_order_release);
}

bool query_ring_admit(struct query_ring *ring, enum query_kind kind, uint64_t now_ns)
{
    struct lane *lane = &ring->lanes[kind];
    if (now_ns - lane->second_ns >= NS_PER_S) {
        lane->second_ns = now_ns;
        lane->in_second = 0;
    }
    if (lane->in_second < QUERY_RING_PER_S) {
        lane->in_second++;
        return true;
    }
    add_one(&lane->left_out);
    return false;
}

void query_ring_put(struct query_ring *ring, const struct query_note *note)
{
    CHECK(note->kind < QUERY_KINDS && note->name_size <= QUERY_NAME_MAX);
    struct lane *lane = &ring->lanes[note->kind];
    uint64_t number = atomic_load_explicit(&lane->put, memory_order_relaxed);
    struct entry *entry = &lane->first[number % ring->entries];
    uint64_t words[QUERY_WORDS] = {0};
    memcpy(words, note, sizeof *note);
    atomic_store_explicit(&entry->sequence, 2 * number + 1, memory_order_relaxed);
    /* Each with release: whoever sees a new word sees the odd number, too. */
    for (unsigned i = 0; i < QUERY_WORDS; i++) atomic_store_explicit(&entry->words[i], words[i], memory_order_release);
    atomic_store_explicit(&entry->sequence, 2 * number + 2, memory_order_release);
    add_one(&lane->put);
}

enum query_kind query_kind_of_dropped(enum label_udp_dropped dropped, const char **ret_reason)
{
#define L(id, text) text,
    static const char *const reasons[] = {LABELS_UDP_DROPPED(L)};
#undef L
    *ret_reason = reasons[dropped];
    switch (dropped) {
    case LABEL_UDP_DROPPED_ACCESS:
    case LABEL_UDP_DROPPED_PORT: return QUERY_REFUSED;
    case LABEL_UDP_DROPPED_NOT_QUERY: return QUERY_MALFORMED;
    case LABEL_UDP_DROPPED_OLD:
    case LABEL_UDP_DROPPED_OVERLOAD:
    case LABEL_UDP_DROPPED_UNSENT: break;
    }
    return QUERY_LIMITED; /* there was no time or no room for it */
}

void query_ring_put_connection(struct query_ring *ring, enum label_rejected why, const struct address *client,
                               uint64_t now_ns)
{
#define L(id, text) text,
    static const char *const reasons[] = {LABELS_REJECTED(L)};
#undef L
    enum query_kind kind = why == LABEL_REJECTED_ACCESS ? QUERY_REFUSED : QUERY_LIMITED;
    if (!ring || !query_ring_admit(ring, kind, now_ns)) return;
    const struct query_note note = {
        .at_ns = now_ns,
        .reason = reasons[why],
        .client = *client,
        .rcode = QUERY_NO_RCODE,
        .ede_code = QUERY_NO_EDE,
        .kind = (uint8_t)kind,
        .transport = LABEL_TRANSPORT_TCP,
        .source = QUERY_SOURCE_NONE,
    };
    query_ring_put(ring, &note);
}

struct query_count query_ring_count(const struct query_ring *ring, enum query_kind kind)
{
    const struct lane *lane = &ring->lanes[kind];
    uint64_t put = atomic_load_explicit(&lane->put, memory_order_acquire);
    uint64_t left_out = atomic_load_explicit(&lane->left_out, memory_order_acquire);
    return (struct query_count){.seen = put + left_out, .left_out = left_out, .put = put};
}

uint32_t query_ring_entries(const struct query_ring *ring)
{
    return ring->entries;
}

bool query_ring_read(const struct query_ring *ring, enum query_kind kind, uint64_t number, struct query_note *ret_note)
{
    const struct entry *entry = &ring->lanes[kind].first[number % ring->entries];
    uint64_t words[QUERY_WORDS];
    if (atomic_load_explicit(&entry->sequence, memory_order_acquire) != 2 * number + 2) return false;
    for (unsigned i = 0; i < QUERY_WORDS; i++) words[i] = atomic_load_explicit(&entry->words[i], memory_order_acquire);
    if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) != 2 * number + 2) return false;
    memcpy(ret_note, words, sizeof *ret_note);
    return true;
}

const char *query_kind_name(enum query_kind kind)
{
    CHECK(kind < QUERY_KINDS);
    return names[kind];
}

bool query_kind_parse(const char *name, size_t size, enum query_kind *ret_kind)
{
    for (unsigned kind = 0; kind < QUERY_KINDS; kind++) {
        if (strlen(names[kind]) != size || memcmp(names[kind], name, size) != 0) continue;
        *ret_kind = (enum query_kind)kind;
        return true;
    }
    return false;
}
