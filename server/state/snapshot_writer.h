/* snapshot_writer: writes a snapshot (snapshot.h) to a stream. One thread. */
#ifndef STATE_SNAPSHOT_WRITER_H
#define STATE_SNAPSHOT_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "state/snapshot.h"

struct snapshot_writer {
    FILE *out;      /* the owner's */
    uint64_t bytes; /* that `out` was given */
    uint32_t salt;
    uint64_t records;
    bool failed; /* errno at that time is in `error` */
    int error;
};

/* Begins with the file's head. */
void snapshot_writer_begin(struct snapshot_writer *writer, FILE *out, const struct snapshot_head *head);

/* Adds a record, of any kind but SNAPSHOT_END. Nothing is written after a failure. */
void snapshot_writer_add(struct snapshot_writer *writer, const struct snapshot_record *record);

/* Flushes the stream. False if anything has failed. */
bool snapshot_writer_flush(struct snapshot_writer *writer);

/* Adds the end and flushes the stream. False if anything has failed. */
bool snapshot_writer_end(struct snapshot_writer *writer);

#endif
