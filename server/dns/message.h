/* message: the parts that every DNS message has: its header, names and records, on bytes (RFC 1035, 4.1); and how
 * messages are framed in a stream.
 *
 * Pure functions; any thread. None trusts a byte: a reader that runs over the end fails and stays failed, so callers
 * check once, after the last read. */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_HEADER_BYTES = 12,
    DNS_LABEL_MAX = 63,      /* octets of one label (RFC 1035, 2.3.4), */
    DNS_NAME_MAX = 255,      /* and of a name on the wire, lengths and root included */
    DNS_MESSAGE_MAX = 65535, /* what a frame's length can say */
};

/* The largest TTL (RFC 2181, 8); what is above counts as this (RFC 8767, 4). */
enum { DNS_TTL_MAX = 0x7fffffff };

/* Bits of the header's second 16-bit word. */
enum {
    DNS_QR = 0x8000,
    DNS_OPCODE = 0x7800,
    DNS_AA = 0x0400,
    DNS_TC = 0x0200,
    DNS_RD = 0x0100,
    DNS_RA = 0x0080,
    DNS_AD = 0x0020,
    DNS_CD = 0x0010,
    DNS_RCODE = 0x000f,
};

enum {
    DNS_RCODE_NOERROR = 0,
    DNS_RCODE_FORMERR = 1,
    DNS_RCODE_SERVFAIL = 2,
    DNS_RCODE_NXDOMAIN = 3,
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
    DNS_RCODE_YXDOMAIN = 6,
    DNS_RCODE_NOTAUTH = 9,
    DNS_RCODE_BADVERS = 16, /* its upper bits are in the OPT record (RFC 6891, 6.1.3) */
    DNS_RCODE_BADCOOKIE = 23,
};

enum {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_DS = 43,
    DNS_TYPE_META = 128, /* from here to 255: not types of data, but of questions and transactions (RFC 6895, 3.1) */
    DNS_TYPE_TSIG = 250,
    DNS_TYPE_IXFR = 251,
    DNS_TYPE_AXFR = 252,
    DNS_TYPE_ANY = 255,
    DNS_CLASS_IN = 1,
    DNS_CLASS_ANY = 255,
};

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

static inline uint16_t dns_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t dns_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void dns_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void dns_put_u32(uint8_t *at, uint32_t value)
{
    dns_put_u16(at, (uint16_t)(value >> 16));
    dns_put_u16(at + 2, (uint16_t)value);
}

/* Of a message of at least DNS_HEADER_BYTES. */
static inline uint16_t message_id(const uint8_t *message)
{
    return dns_u16(message);
}

static inline uint16_t message_flags(const uint8_t *message)
{
    return dns_u16(message + 2);
}

static inline uint16_t message_count(const uint8_t *message, enum dns_section section)
{
    return dns_u16(message + 4 + 2 * section);
}

/* What is known of the rest of a name that begins at some offset, from a name that led there before. */
struct name_rest {
    bool is_known;
    uint8_t pointers; /* it has so many, */
    uint8_t length;   /* and its labels take so many octets */
};

/* Places that a pointer can lead to. */
enum { NAME_RESTS = 0x4000 };

/* Reads a message from the front. */
struct reader {
    const uint8_t *message;
    size_t size;
    size_t at;
    bool failed; /* sticky */

    /* Names are skipped in place; their pointers are not followed. */
    bool is_shallow;

    /* Where the pointer lies that ended the last name read, or 0: it ended with the root. */
    size_t pointer_at;

    /* Pointers of all names read so far. */
    size_t pointers;

    /* NAME_RESTS of them, by place, zero at first: for messages of many pointers, so that each place that one leads to
     * is walked over once, and the work is bounded by the size of the message. NULL: nothing is remembered. */
    struct name_rest *rests;

    /* Where TTLs lie that will be changed: offsets of two octets each, ascending. None by default. */
    const uint8_t *ttls;
    size_t ttl_count;

    /* Part of the message that will be changed: `is_watched_hit` is set if a pointer leads over one of its octets.
     * Empty by default. */
    size_t watch_start;
    size_t watch_end;
    bool is_watched_hit;

    /* Where a part of the message was removed; no name may lead over this place, since it would have gone on otherwise
     * in the whole message. 0: none was. */
    size_t cut_at;
};

/* Where `size` octets lie that may be read, or NULL. The reader moves behind them. */
static inline const uint8_t *reader_take(struct reader *reader, size_t size)
{
    if (reader->failed || reader->size - reader->at < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->message + reader->at;
    reader->at += size;
    return bytes;
}

static inline void reader_skip(struct reader *reader, size_t size)
{
    reader_take(reader, size);
}

/* Numbers read behind the end are 0. */
static inline uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *bytes = reader_take(reader, 1);
    return bytes ? *bytes : 0;
}

static inline uint16_t reader_u16(struct reader *reader)
{
    const uint8_t *bytes = reader_take(reader, 2);
    return bytes ? dns_u16(bytes) : 0;
}

static inline uint32_t reader_u32(struct reader *reader)
{
    const uint8_t *bytes = reader_take(reader, 4);
    return bytes ? dns_u32(bytes) : 0;
}

/* Passes over a name. Compression pointers are followed if `compressed` says so, else they are a fault. Each must
 * lead to labels that end before the stretch of labels it ends begins, and not into the header: so no name runs in a
 * circle, and none changes when an id does; nor may one lead over an octet of the reader's TTLs, or the name would
 * change as they grow old. The name it makes up must be no longer than DNS_NAME_MAX, and it has no more than
 * NAME_POINTERS_MAX pointers: each that is of use comes behind a label, and a name has no more labels. Returns the
 * bytes it takes here, 0 on failure. */
enum { NAME_POINTERS_MAX = 127 };
size_t reader_name(struct reader *reader, bool compressed);

/* One record's fixed part; its data lies at `data` in the message. Afterwards the reader is behind the record. */
struct record {
    size_t owner; /* where its name begins */
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    size_t ttl_at; /* where the TTL's four octets lie */
    size_t data;
    uint16_t data_size;
};

/* Its owner is read as a name that may be compressed; its data is only passed over. Untouched on failure. */
void reader_record(struct reader *reader, struct record *ret_record);

/* Writes a name that lies uncompressed at `name` to `out` in lower case (ASCII only: RFC 4343); they may be the same.
 * An octet of length is never a letter, so the name need not be taken apart. */
void name_to_lower(const uint8_t *name, size_t size, uint8_t *out);

/* Whether name_to_lower would change it. */
bool name_has_upper(const uint8_t *name, size_t size);

/* Where the first label of the name at `at` lies, which reader_name has passed over: behind the pointers it begins
 * with.
 */
size_t name_place(const uint8_t *message, size_t at);

/* Whether the names at two offsets of a message, both of which reader_name has passed over, are the same except for
 * case.
 */
bool name_is_same(const uint8_t *message, size_t one, size_t other);

/* Writes the name at `at` of the message, which reader_name has passed over, uncompressed and in lower case; returns
 * its size. */
size_t name_expand(const uint8_t *message, size_t at, uint8_t out[static DNS_NAME_MAX]);

/* ---- frames: messages in a byte stream, each behind its length in two octets (RFC 1035, 4.2.2; RFC 7766, 8) ---- */

enum { FRAME_LENGTH_BYTES = 2 };

enum frame_status {
    FRAME_WHOLE,   /* a message is there */
    FRAME_PARTIAL, /* more bytes are needed */
};

struct frame {
    const uint8_t *message; /* points into the stream */
    size_t size;            /* of the message, by its length, also while it is partial; 0 while the length is */
};

/* Looks at the start of `stream`. If the frame is whole, FRAME_LENGTH_BYTES + ret_frame->size bytes belong to it. */
enum frame_status frame_next(const uint8_t *stream, size_t size, struct frame *ret_frame);

/* Writes the length before a message of `size` bytes (at most 65535). */
static inline void frame_put_length(uint8_t out[static FRAME_LENGTH_BYTES], size_t size)
{
    out[0] = (uint8_t)(size >> 8);
    out[1] = (uint8_t)size;
}

#endif
