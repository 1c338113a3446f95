#include "state/snapshot_reader.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SNAPSHOT_WINDOW_BYTES >= SNAPSHOT_RECORD_BYTES + SNAPSHOT_KEY_MAX + SNAPSHOT_VALUE_MAX,
               "the window holds any record");

static size_t available(const struct snapshot_reader *reader)
{
    return reader->end - reader->begin;
}

/* Reads on until `size` bytes are available; false if the stream has no more. */
static bool need(struct snapshot_reader *reader, size_t size)
{
    if (available(reader) >= size) return true;
    if (reader->is_over) return false;
    memmove(reader->window, reader->window + reader->begin, available(reader));
    reader->end = available(reader);
    reader->begin = 0;
    size_t taken = fread(reader->window + reader->end, 1, SNAPSHOT_WINDOW_BYTES - reader->end, reader->in);
    reader->end += taken;
    reader->is_over = reader->end < SNAPSHOT_WINDOW_BYTES;
    return available(reader) >= size;
}

enum snapshot_verdict snapshot_reader_begin(struct snapshot_reader *reader, FILE *in)
{
    *reader = (struct snapshot_reader){.in = in, .window = malloc(SNAPSHOT_WINDOW_BYTES)};
    if (!reader->window || !need(reader, SNAPSHOT_HEAD_BYTES)) return SNAPSHOT_FOREIGN;
    enum snapshot_verdict verdict = snapshot_head_read(reader->window, &reader->head);
    reader->begin = SNAPSHOT_HEAD_BYTES;
    return verdict;
}

void snapshot_reader_done(struct snapshot_reader *reader)
{
    free(reader->window);
    reader->window = NULL;
}

/* Moves on to the next octet that a record's head may begin with, at least by one. */
static void search_mark(struct snapshot_reader *reader)
{
    const uint8_t *from = reader->window + reader->begin + 1;
    const uint8_t *found = memchr(from, SNAPSHOT_MARK_FIRST, available(reader) - 1);
    reader->begin = found ? (size_t)(found - reader->window) : reader->end;
}

/* The bytes from here on are no record. */
static bool end_damaged(struct snapshot_reader *reader, bool is_counted)
{
    if (!is_counted) reader->damaged++;
    reader->begin = reader->end;
    return false;
}

bool snapshot_reader_next(struct snapshot_reader *reader, struct snapshot_record *ret_record)
{
    struct snapshot_record record;
    bool is_counted = false; /* the damaged stretch that is being left */
    while (!reader->is_complete) {
        if (!need(reader, SNAPSHOT_RECORD_BYTES)) return end_damaged(reader, is_counted);
        if (!snapshot_record_read(reader->window + reader->begin, reader->head.salt, &record)) {
            if (!is_counted) reader->damaged++;
            is_counted = true;
            search_mark(reader);
            continue;
        }
        size_t size = snapshot_record_size(&record);
        if (!need(reader, size)) return end_damaged(reader, false);
        const uint8_t *bytes = reader->window + reader->begin;
        reader->begin += size;
        if (!snapshot_record_take_body(bytes, reader->head.salt, &record)) {
            reader->damaged++;
            is_counted = true;
            continue;
        }
        if (record.kind == SNAPSHOT_END) {
            reader->is_complete = true;
            return false;
        }
        reader->records++;
        *ret_record = record;
        return true;
    }
    return false;
}
