/* snapshot_story: a snapshot in memory, written and read by the real code. */
#ifndef TEST_SNAPSHOT_STORY_H
#define TEST_SNAPSHOT_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/snapshot_reader.h"
#include "state/snapshot_writer.h"

enum { STORY_RECORDS = 8, STORY_SALT = 0x1234abcd };

struct story {
    char *bytes;
    size_t size;
    size_t starts[STORY_RECORDS + 2]; /* where each record begins, the end record, and the end */
};

static inline struct snapshot_record story_record(unsigned number, char *text, size_t size)
{
    int used = snprintf(text, size, "key%u-and-value-%u", number, number * 7);
    return (struct snapshot_record){
        .kind = SNAPSHOT_ANSWER,
        .key_size = 4,
        .value_size = (uint32_t)used - 4,
        .first = number,
        .second = UINT64_C(1) << 40 | number,
        .key = (const uint8_t *)text,
        .value = (const uint8_t *)text + 4,
    };
}

static inline struct story story_new(void)
{
    struct story story = {.bytes = NULL};
    struct snapshot_writer writer;
    const struct snapshot_head head = {.saved_ns = 5000, .origin = UINT64_MAX - 1, .salt = STORY_SALT};
    FILE *out = open_memstream(&story.bytes, &story.size);
    assert_non_null(out);
    snapshot_writer_begin(&writer, out, &head);
    for (unsigned i = 0; i < STORY_RECORDS; i++) {
        char text[64];
        const struct snapshot_record record = story_record(i, text, sizeof text);
        fflush(out);
        story.starts[i] = story.size;
        snapshot_writer_add(&writer, &record);
    }
    fflush(out);
    story.starts[STORY_RECORDS] = story.size;
    assert_true(snapshot_writer_end(&writer));
    fclose(out);
    story.starts[STORY_RECORDS + 1] = story.size;
    return story;
}

/* What of the first `size` bytes is read: a bit for each record, which must be as it was written. */
struct story_read {
    enum snapshot_verdict verdict;
    struct snapshot_head head;
    unsigned found;
    uint64_t damaged;
    bool is_complete;
};

static inline struct story_read story_read(const char *bytes, size_t size)
{
    struct story_read read = {.found = 0};
    struct snapshot_reader reader;
    struct snapshot_record record;
    FILE *in = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "r") : fopen("/dev/null", "r");
    assert_non_null(in);
    read.verdict = snapshot_reader_begin(&reader, in);
    read.head = reader.head;
    while (read.verdict == SNAPSHOT_SOUND && snapshot_reader_next(&reader, &record)) {
        char text[64];
        assert_in_range(record.first, 0, STORY_RECORDS - 1);
        const struct snapshot_record wanted = story_record((unsigned)record.first, text, sizeof text);
        assert_int_equal(record.kind, wanted.kind);
        assert_int_equal(record.second, wanted.second);
        assert_int_equal(record.key_size, wanted.key_size);
        assert_int_equal(record.value_size, wanted.value_size);
        assert_memory_equal(record.key, wanted.key, wanted.key_size);
        assert_memory_equal(record.value, wanted.value, wanted.value_size);
        assert_int_equal(read.found & 1u << record.first, 0);
        read.found |= 1u << record.first;
    }
    read.damaged = reader.damaged;
    read.is_complete = reader.is_complete;
    snapshot_reader_done(&reader);
    fclose(in);
    return read;
}

enum { STORY_ALL = (1 << STORY_RECORDS) - 1 };

#endif
