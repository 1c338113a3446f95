#include "queries/name_index.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

enum {
    SLOTS_MIN = 64,
    FILTER_BITS_A_SLOT = 8, /* so that at most an eighth of the bits is set */
    WORD_BITS = 64,

    /* Octets of a name for which a look at its labels is as cheap as one at a size: a name of more is looked up by the
     * sizes, so that one of 127 labels costs no more than there are sizes. */
    OCTETS_A_SIZE = 16,
};

static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 by the golden ratio: its bits are well mixed */

/* One to eight octets as a number; octets in the middle may be read twice. */
static inline uint64_t octets_of(const uint8_t *at, size_t size)
{
    uint32_t low;
    uint32_t high;
    if (size < sizeof low) return at[0] | (uint64_t)at[size / 2] << 8 | (uint64_t)at[size - 1] << 16;
    memcpy(&low, at, sizeof low);
    memcpy(&high, at + size - sizeof high, sizeof high);
    return low | (uint64_t)high << 32;
}

static inline uint64_t eight_octets(const uint8_t *at)
{
    uint64_t octets;
    memcpy(&octets, at, sizeof octets);
    return octets;
}

/* A look-up costs little more than its hashes, which the compiler would not inline for each caller. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Of the size and the first sixteen octets, in which most names differ. */
static ALWAYS_INLINE uint64_t filter_hash(const uint8_t *name, size_t size)
{
    if (size < 8) return (octets_of(name, size) ^ size << 56) * odd;
    uint64_t second = eight_octets(name + (size < 16 ? size - 8 : 8));
    return ((eight_octets(name) ^ size << 56) * odd ^ second) * odd;
}

/* Of all octets. */
static uint32_t hash_of(const uint8_t *name, size_t size)
{
    uint64_t hash = size * odd;
    for (; size > 8; name += 8, size -= 8) {
        hash = (hash ^ eight_octets(name)) * odd;
        hash ^= hash >> 32;
    }
    hash = (hash ^ octets_of(name, size)) * odd;
    return (uint32_t)(hash >> 32);
}

/* A name sets two bits of its filter: those that two parts of its hash number. */
static inline uint64_t second_of(uint64_t hash)
{
    return hash << 20;
}

static inline bool has_bit(const struct name_index *index, const uint64_t *filter, uint64_t hash)
{
    uint64_t bit = hash >> index->filter_shift;
    return filter[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

static void set_bits(const struct name_index *index, uint64_t *filter, uint64_t hash)
{
    uint64_t first = hash >> index->filter_shift;
    uint64_t second = second_of(hash) >> index->filter_shift;
    filter[first / WORD_BITS] |= UINT64_C(1) << first % WORD_BITS;
    filter[second / WORD_BITS] |= UINT64_C(1) << second % WORD_BITS;
}

static inline bool has_size(const struct name_sizes *sizes, size_t size)
{
    return sizes->bits[size / WORD_BITS] >> size % WORD_BITS & 1;
}

static void set_size(struct name_sizes *sizes, size_t size)
{
    sizes->bits[size / WORD_BITS] |= UINT64_C(1) << size % WORD_BITS;
}

/* Keeps the sizes in order. */
static void add_below_size(struct name_index *index, size_t size)
{
    if (has_size(&index->below, size)) return;
    set_size(&index->below, size);
    unsigned i = index->below_count++;
    for (; i > 0 && index->below_sizes[i - 1] < size; i--) index->below_sizes[i] = index->below_sizes[i - 1];
    index->below_sizes[i] = (uint8_t)size;
}

bool name_index_init(struct name_index *index, uint32_t count, uint32_t names_size)
{
    uint32_t slot_count = SLOTS_MIN;
    while (slot_count < 2 * (uint64_t)count) slot_count *= 2;
    uint64_t bits = (uint64_t)slot_count * FILTER_BITS_A_SLOT;
    *index = (struct name_index){.slot_count = slot_count, .capacity = count, .names_capacity = names_size};
    index->filter_shift = (unsigned)__builtin_clzll(bits) + 1;
    index->itself_filter = calloc(bits / WORD_BITS, sizeof *index->itself_filter);
    index->below_filter = calloc(bits / WORD_BITS, sizeof *index->below_filter);
    index->slots = calloc(slot_count, sizeof *index->slots);
    index->entries = calloc(count + 1u, sizeof *index->entries);
    index->names = malloc(names_size + 1u);
    return index->itself_filter && index->below_filter && index->slots && index->entries && index->names;
}

void name_index_done(struct name_index *index)
{
    free(index->itself_filter);
    free(index->below_filter);
    free(index->slots);
    free(index->entries);
    free(index->names);
    *index = (struct name_index){.slots = NULL};
}

/* The entry of a name, or NULL. Few names come so far. */
static __attribute__((noinline)) const struct name_index_entry *find_entry(const struct name_index *index,
                                                                           const uint8_t *name, size_t size)
{
    uint32_t hash = hash_of(name, size);
    for (uint32_t i = hash;; i++) {
        const struct name_index_slot *slot = &index->slots[i & (index->slot_count - 1)];
        if (slot->entry == 0) return NULL;
        if (slot->hash != hash) continue;
        const struct name_index_entry *entry = &index->entries[slot->entry - 1];
        if (entry->size == size && memcmp(index->names + entry->name, name, size) == 0) return entry;
    }
}

static void fill_slot(struct name_index *index, uint32_t hash, uint32_t entry)
{
    uint32_t i = hash & (index->slot_count - 1);
    while (index->slots[i].entry != 0) i = (i + 1) & (index->slot_count - 1);
    index->slots[i] = (struct name_index_slot){hash, entry + 1};
}

void name_index_add(struct name_index *index, const uint8_t *name, size_t size, unsigned entered_for, uint32_t itself,
                    uint32_t below)
{
    CHECK(index->count < index->capacity && index->names_size + size <= index->names_capacity);
    uint64_t hash = filter_hash(name, size);
    if (entered_for & NAME_INDEX_ITSELF) {
        set_size(&index->itself, size);
        set_bits(index, index->itself_filter, hash);
    }
    if (entered_for & NAME_INDEX_BELOW) {
        CHECK(size > 1);
        set_bits(index, index->below_filter, hash);
        add_below_size(index, size);
    }
    memcpy(index->names + index->names_size, name, size);
    index->entries[index->count] = (struct name_index_entry){index->names_size, itself, below, (uint8_t)size};
    index->names_size += (uint32_t)size;
    fill_slot(index, hash_of(name, size), index->count++);
}

/* The entry of a name that is entered, as the filter has it, or NULL. */
static ALWAYS_INLINE const struct name_index_entry *probe(const struct name_index *index, const uint64_t *filter,
                                                          const uint8_t *name, size_t size)
{
    uint64_t hash = filter_hash(name, size);
    if (!has_bit(index, filter, hash) || !has_bit(index, filter, second_of(hash))) return NULL;
    return find_entry(index, name, size);
}

/* The longest ancestor that is entered for what is below it: the first label from the left that begins one. */
static const struct name_index_entry *find_by_labels(const struct name_index *index, const uint8_t *name, size_t size)
{
    const struct name_index_entry *entry;
    size_t least = index->below_sizes[index->below_count - 1];
    for (size_t at = 1u + name[0]; at + least <= size; at += 1u + name[at])
        if (has_size(&index->below, size - at) && (entry = probe(index, index->below_filter, name + at, size - at)))
            return entry;
    return NULL;
}

/* The same by the sizes there are, for names that may have more labels than these. Where the last octets of the name
 * are those of an entry, a label has to begin there, too. */
static const struct name_index_entry *find_by_sizes(const struct name_index *index, const uint8_t *name, size_t size)
{
    const struct name_index_entry *entry;
    size_t label = 1u + name[0];
    for (unsigned i = 0; i < index->below_count; i++) {
        size_t left = index->below_sizes[i];
        if (left >= size || !(entry = probe(index, index->below_filter, name + size - left, left))) continue;
        while (label + left < size) label += 1u + name[label];
        if (label + left == size) return entry;
    }
    return NULL;
}

uint32_t name_index_find(const struct name_index *index, const uint8_t *name, size_t size)
{
    const struct name_index_entry *entry;
    if (has_size(&index->itself, size) && (entry = probe(index, index->itself_filter, name, size)))
        return entry->itself;
    if (index->below_count == 0 || size == 1) return 0;
    bool has_few_sizes = index->below_count * OCTETS_A_SIZE < size;
    entry = has_few_sizes ? find_by_sizes(index, name, size) : find_by_labels(index, name, size);
    return entry ? entry->below : 0;
}
