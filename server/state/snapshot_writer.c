#include "state/snapshot_writer.h"

#include <errno.h>

#include "common/check.h"

static void write_bytes(struct snapshot_writer *writer, const void *bytes, size_t size)
{
    if (writer->failed || size == 0) return;
    writer->bytes += size;
    if (fwrite(bytes, 1, size, writer->out) == size) return;
    writer->failed = true;
    writer->error = errno;
}

static void write_record(struct snapshot_writer *writer, const struct snapshot_record *record)
{
    uint8_t head[SNAPSHOT_RECORD_BYTES];
    CHECK(record->key_size <= SNAPSHOT_KEY_MAX && record->value_size <= SNAPSHOT_VALUE_MAX);
    snapshot_record_write(record, writer->salt, head);
    write_bytes(writer, head, sizeof head);
    write_bytes(writer, record->key, record->key_size);
    write_bytes(writer, record->value, record->value_size);
}

void snapshot_writer_begin(struct snapshot_writer *writer, FILE *out, const struct snapshot_head *head)
{
    uint8_t bytes[SNAPSHOT_HEAD_BYTES];
    *writer = (struct snapshot_writer){.out = out, .salt = head->salt};
    snapshot_head_write(head, bytes);
    write_bytes(writer, bytes, sizeof bytes);
}

void snapshot_writer_add(struct snapshot_writer *writer, const struct snapshot_record *record)
{
    CHECK(record->kind != SNAPSHOT_END);
    write_record(writer, record);
    writer->records++;
}

bool snapshot_writer_flush(struct snapshot_writer *writer)
{
    if (!writer->failed && fflush(writer->out) != 0) {
        writer->failed = true;
        writer->error = errno;
    }
    return !writer->failed;
}

bool snapshot_writer_end(struct snapshot_writer *writer)
{
    const struct snapshot_record end = {.kind = SNAPSHOT_END, .first = writer->records};
    write_record(writer, &end);
    return snapshot_writer_flush(writer);
}
