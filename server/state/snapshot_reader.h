/* snapshot_reader: reads a snapshot (snapshot.h) from a stream, whatever bytes it has.
 *
 * A damaged record is left out; the next one is found by the sizes in its head or, if that is damaged, by the mark of
 * the next head. Memory: one window of SNAPSHOT_WINDOW_BYTES, whatever sizes the file claims. Time: each byte is looked
 * at once or, behind a damaged head, twice. One thread. */
#ifndef STATE_SNAPSHOT_READER_H
#define STATE_SNAPSHOT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "state/snapshot.h"

/* Room for the largest record, and enough to read in few system calls. */
enum { SNAPSHOT_WINDOW_BYTES = 256 * 1024 };

struct snapshot_reader {
    FILE *in; /* the owner's */
    struct snapshot_head head;
    uint8_t *window;
    size_t begin; /* what was read and not taken yet */
    size_t end;
    uint64_t records; /* taken */
    uint64_t damaged; /* stretches of the file that are no sound record; the end that is missing counts, too */
    bool is_over;     /* of the stream */
    bool is_complete; /* the end was found */
};

/* Reads the file's head. Anything but SNAPSHOT_SOUND: there is nothing to read. snapshot_reader_done in any case. */
enum snapshot_verdict snapshot_reader_begin(struct snapshot_reader *reader, FILE *in);

/* The next sound record, which is valid until the next call. False at the end. */
bool snapshot_reader_next(struct snapshot_reader *reader, struct snapshot_record *ret_record);

void snapshot_reader_done(struct snapshot_reader *reader);

#endif
