#include "dns/message.h"

#include <string.h>

enum {
    POINTER_TARGET = 0x3fff, /* the rest of a pointer's two octets */

    POINTER = 0xc0, /* the two bits that make an octet of length a compression pointer (RFC 1035, 4.1.4) */

    RECORD_FIXED_BYTES = 10, /* type, class, TTL, size of the data */
    TTL_OFFSET_BYTES = 2,
    TTL_BYTES = 4,
};

/* Passes over labels until the root or a pointer, which lies at `at` then; `length` grows by what they take. */
static bool pass_labels(const struct reader *reader, size_t *at, size_t *length)
{
    while (*at < reader->size) {
        uint8_t octet = reader->message[*at];
        if (octet == 0 || octet >= POINTER) return true;
        *at += 1u + octet;
        *length += 1u + octet;
        if (octet > DNS_LABEL_MAX || *length >= DNS_NAME_MAX) return false; /* the root must fit, too */
    }
    return false;
}

static size_t ttl_place(const struct reader *reader, size_t i)
{
    return dns_u16(reader->ttls + TTL_OFFSET_BYTES * i);
}

/* Whether a TTL has any of the octets from `start` to before `end`. Most names lead into the question,
 * before them all. */
static bool touches_ttl(const struct reader *reader, size_t start, size_t end)
{
    size_t low = 0; /* TTLs before it end at `start` or earlier */
    size_t high = reader->ttl_count;
    if (high == 0 || end <= ttl_place(reader, 0)) return false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ttl_place(reader, middle) + TTL_BYTES > start)
            high = middle;
        else
            low = middle + 1;
    }
    return low < reader->ttl_count && ttl_place(reader, low) < end;
}

/* The places that the pointers of a name led to, and what the name took before each. */
struct path {
    unsigned count;
    uint16_t place[NAME_POINTERS_MAX];
    uint8_t length[NAME_POINTERS_MAX];
};

/* Remembers the rest of the name behind each place of the path, so that none is walked twice, whichever name leads
 * there. `pointers` and `length` are those of the whole name. */
static void remember_path(const struct path *path, struct name_rest *rests, unsigned pointers, size_t length)
{
    for (unsigned i = 0; i < path->count; i++)
        rests[path->place[i]] =
            (struct name_rest){true, (uint8_t)(pointers - i - 1), (uint8_t)(length - path->length[i])};
}

/* Whether the pointer at `at`, which ends labels that begin at `stretch`, leads to the rest of a name; `length` is what
 * the name takes so far. What was found of a place once holds for every name that leads there later: all that can make
 * a difference, TTLs and the watched part, lies before the name that is read. */
static bool follow_pointers(struct reader *reader, size_t stretch, size_t at, size_t length)
{
    struct path path;
    unsigned pointers = 0; /* followed here; those that are known of the rest come on top */
    for (bool is_root = false; !is_root;) {
        size_t target = dns_u16(reader->message + at) & POINTER_TARGET;
        size_t end = target;
        if (target < DNS_HEADER_BYTES || target >= stretch || pointers == NAME_POINTERS_MAX) return false;
        path.place[pointers] = (uint16_t)target;
        path.length[pointers++] = (uint8_t)length;
        const struct name_rest *known = reader->rests ? &reader->rests[target] : NULL;
        if (known && known->is_known) {
            length += known->length;
            path.count = pointers - 1;
            pointers += known->pointers;
            if (length >= DNS_NAME_MAX || pointers > NAME_POINTERS_MAX) return false;
            break;
        }
        path.count = pointers;
        if (!pass_labels(reader, &end, &length)) return false;
        at = end;
        is_root = reader->message[at] == 0;
        end += is_root ? 1 : 2;
        if (end > stretch || touches_ttl(reader, target, end)) return false;
        if (target < reader->cut_at && end > reader->cut_at) return false;
        if (end > reader->watch_start && target < reader->watch_end) reader->is_watched_hit = true;
        stretch = target;
    }
    reader->pointers += pointers;
    if (reader->rests) remember_path(&path, reader->rests, pointers, length);
    return true;
}

size_t reader_name(struct reader *reader, bool compressed)
{
    size_t start = reader->at;
    size_t at = start;
    size_t length = 0;
    if (!reader->failed && pass_labels(reader, &at, &length)) {
        bool is_root = reader->message[at] == 0;
        bool is_whole = is_root || (compressed && reader->size - at >= 2);
        reader->pointer_at = is_root ? 0 : at;
        if (is_whole && (is_root || reader->is_shallow || follow_pointers(reader, start, at, length))) {
            reader->at = at + (is_root ? 1 : 2);
            return reader->at - start;
        }
    }
    reader->failed = true;
    return 0;
}

void reader_record(struct reader *reader, struct record *ret_record)
{
    size_t owner = reader->at;
    reader_name(reader, true);
    const uint8_t *fixed = reader_take(reader, RECORD_FIXED_BYTES);
    if (!fixed) return;
    size_t data = reader->at;
    uint16_t data_size = dns_u16(fixed + 8);
    if (!reader_take(reader, data_size)) return;
    *ret_record = (struct record){
        .owner = owner,
        .type = dns_u16(fixed),
        .class = dns_u16(fixed + 2),
        .ttl = dns_u32(fixed + 4),
        .ttl_at = data - 6,
        .data = data,
        .data_size = data_size,
    };
}

static inline uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
}

/* Eight octets at once: adding to the lower seven bits of each carries into its top bit from 'A' on, and again behind
 * 'Z'. */
static inline uint64_t lower_eight(uint64_t octets)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t seven = octets & each * 0x7f;
    uint64_t from_a = seven + each * (0x80 - 'A');
    uint64_t behind_z = seven + each * (0x7f - 'Z');
    return octets | (from_a & ~behind_z & ~octets & each * 0x80) >> 2;
}

static inline void put_lower_eight(const uint8_t *name, uint8_t *out)
{
    uint64_t octets;
    memcpy(&octets, name, 8);
    octets = lower_eight(octets);
    memcpy(out, &octets, 8);
}

void name_to_lower(const uint8_t *name, size_t size, uint8_t *out)
{
    size_t i = 0;
    for (; i + 8 <= size; i += 8) put_lower_eight(name + i, out + i);
    if (i == size) return;
    if (size >= 8) /* the last eight, of which some are done already */
        put_lower_eight(name + size - 8, out + size - 8);
    else
        for (; i < size; i++) out[i] = lower(name[i]);
}

static inline bool has_upper_eight(const uint8_t *name)
{
    uint64_t octets;
    memcpy(&octets, name, 8);
    return lower_eight(octets) != octets;
}

bool name_has_upper(const uint8_t *name, size_t size)
{
    size_t i = 0;
    for (; i + 8 <= size; i += 8)
        if (has_upper_eight(name + i)) return true;
    if (i < size && size >= 8) return has_upper_eight(name + size - 8);
    for (; i < size; i++)
        if (lower(name[i]) != name[i]) return true;
    return false;
}

size_t name_place(const uint8_t *message, size_t at)
{
    while (message[at] >= POINTER) at = dns_u16(message + at) & 0x3fff;
    return at;
}

bool name_is_same(const uint8_t *message, size_t one, size_t other)
{
    for (;;) {
        one = name_place(message, one);
        other = name_place(message, other);
        if (one == other) return true;
        size_t size = message[one];
        if (size != message[other]) return false;
        if (size == 0) return true;
        for (size_t i = 1; i <= size; i++)
            if (lower(message[one + i]) != lower(message[other + i])) return false;
        one += 1 + size;
        other += 1 + size;
    }
}

size_t name_expand(const uint8_t *message, size_t at, uint8_t out[static DNS_NAME_MAX])
{
    size_t size = 0;
    for (at = name_place(message, at); message[at] != 0; at = name_place(message, at)) {
        size_t label = 1u + message[at];
        name_to_lower(message + at, label, out + size);
        at += label;
        size += label;
    }
    out[size] = 0;
    return size + 1;
}

enum frame_status frame_next(const uint8_t *stream, size_t size, struct frame *ret_frame)
{
    *ret_frame = (struct frame){0};
    if (size < FRAME_LENGTH_BYTES) return FRAME_PARTIAL;
    ret_frame->message = stream + FRAME_LENGTH_BYTES;
    ret_frame->size = dns_u16(stream);
    return size - FRAME_LENGTH_BYTES < ret_frame->size ? FRAME_PARTIAL : FRAME_WHOLE;
}
