#include "app/handover_image.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"

/* Layout: magic, version, size of the image, checksum of all behind it, then the summary and the descriptions. */
static const uint8_t magic[] = {'d', 't', 'p', '-', 'h', 'a', 'n', 'd'};

/* It finds accidents, not forgeries: whoever can write to the store can stop the program, too. */
static const struct hash_key checksum_key = {0, 0};

enum {
    AT_VERSION = sizeof magic,
    AT_SIZE = AT_VERSION + 4,
    AT_CHECKSUM = AT_SIZE + 8,
    AT_SUMMARY = AT_CHECKSUM + 8,
    SUMMARY_BYTES = HANDOVER_BY_BYTES + 8 + 4 * 4,
    AT_BODY = AT_SUMMARY + SUMMARY_BYTES,
    ADDRESS_BYTES = 16 + 2 + 4,
    CLIENT_BYTES = 8 + ADDRESS_BYTES + 2 + 4 + 4 + 3 * 8 + 4 + 4, /* and what it has read and not sent */
};

enum { FLAG_GREETED = 1, FLAG_ENDED = 2, FLAG_HELD_BACK = 4, FLAGS_ALL = 7 };

/* ---- writing ---- */

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    return at + bytes;
}

static uint8_t *put_address(uint8_t *at, const struct address *address)
{
    memcpy(at, address->ip, sizeof address->ip);
    at = put(at + sizeof address->ip, address->port, 2);
    return put(at, address->scope, 4);
}

static void add(struct handover_writer *writer, const uint8_t *bytes, size_t size)
{
    if (!writer->failed && size > 0) writer->failed = !buffer_add(&writer->image, bytes, size);
}

void handover_writer_init(struct handover_writer *writer, uint64_t stopped_ns)
{
    static const uint8_t front[AT_BODY];
    *writer = (struct handover_writer){.summary = {.by = PROJECT_VERSION, .stopped_ns = stopped_ns}};
    add(writer, front, sizeof front); /* written when all is known */
}

void handover_writer_done(struct handover_writer *writer)
{
    free(writer->image.bytes);
    *writer = (struct handover_writer){.failed = true};
}

void handover_writer_add_listener(struct handover_writer *writer, const struct address *address)
{
    uint8_t bytes[ADDRESS_BYTES];
    put_address(bytes, address);
    add(writer, bytes, sizeof bytes);
    writer->summary.listeners++;
}

void handover_writer_add_udp(struct handover_writer *writer, const struct address *address)
{
    uint8_t bytes[ADDRESS_BYTES];
    put_address(bytes, address);
    add(writer, bytes, sizeof bytes);
    writer->summary.udp_sockets++;
}

void handover_writer_add_client(struct handover_writer *writer, uint64_t cookie, const struct tcp_client_state *state)
{
    uint8_t bytes[CLIENT_BYTES];
    unsigned flags =
        (state->greeted ? FLAG_GREETED : 0) | (state->ended ? FLAG_ENDED : 0) | (state->held_back ? FLAG_HELD_BACK : 0);
    uint8_t *at = put(bytes, cookie, 8);
    at = put_address(at, &state->address);
    at = put(at, flags, 1);
    at = put(at, state->end_cause, 1);
    at = put(at, state->discard, 4);
    at = put(at, state->asked, 4);
    at = put(at, state->input_started_ns, 8);
    at = put(at, state->output_started_ns, 8);
    at = put(at, state->rate_started_ns, 8);
    at = put(at, state->partial_bytes, 4);
    put(at, state->unsent_bytes, 4);
    add(writer, bytes, sizeof bytes);
    add(writer, state->partial, state->partial_bytes);
    add(writer, state->unsent, state->unsent_bytes);
    writer->summary.clients++;
}

void handover_image_seal(uint8_t *image, size_t size)
{
    _Static_assert((int)AT_SUMMARY == (int)HANDOVER_FRONT_BYTES, "what the header says of the front");
    memcpy(image, magic, sizeof magic);
    put(image + AT_VERSION, HANDOVER_IMAGE_VERSION, 4);
    put(image + AT_SIZE, size, 8);
    put(image + AT_CHECKSUM, hash_bytes(&checksum_key, image + AT_SUMMARY, size - AT_SUMMARY), 8);
}

bool handover_writer_finish(struct handover_writer *writer)
{
    const struct handover_summary *summary = &writer->summary;
    if (writer->failed) return false;
    uint8_t *front = writer->image.bytes + writer->image.start;
    size_t size = buffer_size(&writer->image);
    uint8_t *at = front + AT_SUMMARY;
    memcpy(at, summary->by, HANDOVER_BY_BYTES);
    at = put(at + HANDOVER_BY_BYTES, summary->stopped_ns, 8);
    at = put(at, summary->listeners, 4);
    at = put(at, summary->udp_sockets, 4);
    at = put(at, summary->clients, 4);
    put(at, summary->left, 4);
    handover_image_seal(front, size);
    return true;
}

/* ---- reading ---- */

/* The next bytes; the caller knows that they are there. */
static uint64_t take(struct handover_reader *reader, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | reader->bytes[reader->at++];
    return value;
}

static bool has(const struct handover_reader *reader, uint64_t bytes)
{
    return bytes <= reader->size - reader->at;
}

static struct address take_address(struct handover_reader *reader)
{
    struct address address;
    memcpy(address.ip, reader->bytes + reader->at, sizeof address.ip);
    reader->at += sizeof address.ip;
    address.port = (uint16_t)take(reader, 2);
    address.scope = (uint32_t)take(reader, 4);
    return address;
}

static bool take_summary(struct handover_reader *reader)
{
    struct handover_summary *summary = &reader->summary;
    memcpy(summary->by, reader->bytes + reader->at, sizeof summary->by);
    reader->at += sizeof summary->by;
    summary->stopped_ns = take(reader, 8);
    summary->listeners = (uint32_t)take(reader, 4);
    summary->udp_sockets = (uint32_t)take(reader, 4);
    summary->clients = (uint32_t)take(reader, 4);
    summary->left = (uint32_t)take(reader, 4);
    for (size_t i = 0; i < sizeof summary->by && summary->by[i]; i++)
        if (summary->by[i] < ' ' || summary->by[i] > '~') return false; /* it is for the log */
    return summary->by[sizeof summary->by - 1] == '\0' && summary->listeners <= LISTENERS_MAX &&
           summary->udp_sockets <= UDP_FORMER_MAX;
}

enum handover_verdict handover_reader_init(struct handover_reader *reader, const uint8_t *bytes, size_t size)
{
    *reader = (struct handover_reader){.bytes = bytes, .size = size};
    if (size < AT_SIZE || memcmp(bytes, magic, sizeof magic) != 0) return HANDOVER_DAMAGED;
    reader->at = AT_VERSION;
    if (take(reader, 4) != HANDOVER_IMAGE_VERSION) return HANDOVER_VERSION;
    if (size < AT_BODY || take(reader, 8) != size) return HANDOVER_DAMAGED;
    if (take(reader, 8) != hash_bytes(&checksum_key, bytes + AT_SUMMARY, size - AT_SUMMARY)) return HANDOVER_DAMAGED;
    if (!take_summary(reader)) return HANDOVER_DAMAGED;
    uint64_t sockets = reader->summary.listeners + reader->summary.udp_sockets;
    uint64_t least = sockets * ADDRESS_BYTES + (uint64_t)reader->summary.clients * CLIENT_BYTES;
    reader->clients_left = reader->summary.clients;
    return has(reader, least) ? HANDOVER_GOOD : HANDOVER_DAMAGED;
}

bool handover_reader_next_address(struct handover_reader *reader, struct address *ret_address)
{
    if (!has(reader, ADDRESS_BYTES)) return false;
    *ret_address = take_address(reader);
    return true;
}

enum handover_verdict handover_reader_next_client(struct handover_reader *reader, uint64_t *ret_cookie,
                                                  struct tcp_client_state *ret_state, bool *ret_sound)
{
    if (reader->clients_left == 0 || !has(reader, CLIENT_BYTES)) return HANDOVER_DAMAGED;
    *ret_cookie = take(reader, 8);
    *ret_state = (struct tcp_client_state){.address = take_address(reader)};
    unsigned flags = (unsigned)take(reader, 1);
    ret_state->greeted = flags & FLAG_GREETED;
    ret_state->ended = flags & FLAG_ENDED;
    ret_state->held_back = flags & FLAG_HELD_BACK;
    ret_state->end_cause = (uint8_t)take(reader, 1);
    ret_state->discard = (uint32_t)take(reader, 4);
    ret_state->asked = (uint32_t)take(reader, 4);
    ret_state->input_started_ns = take(reader, 8);
    ret_state->output_started_ns = take(reader, 8);
    ret_state->rate_started_ns = take(reader, 8);
    ret_state->partial_bytes = take(reader, 4);
    ret_state->unsent_bytes = take(reader, 4);
    if (!has(reader, (uint64_t)ret_state->partial_bytes + ret_state->unsent_bytes)) return HANDOVER_DAMAGED;
    ret_state->partial = reader->bytes + reader->at;
    ret_state->unsent = ret_state->partial + ret_state->partial_bytes;
    reader->at += ret_state->partial_bytes + ret_state->unsent_bytes;
    reader->clients_left--;
    *ret_sound = (flags & ~(unsigned)FLAGS_ALL) == 0 && tcp_client_state_is_sound(ret_state);
    return HANDOVER_GOOD;
}
