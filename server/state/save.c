#include "state/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "queries/kept_answer.h"
#include "state/snapshot_writer.h"

/* So many bytes are given to the disk at a time, as they come. At the end they would be one piece of work of the
 * system, of 7 ms for a million entries, in which it leaves nobody the processor. */
enum { PUSH_BYTES = 128 * 1024 };

struct save {
    const struct save_source *source;
    struct pace *pace;
    struct pace_stretch stretch;
    struct snapshot_writer writer;
    uint64_t pushed; /* bytes of the file that were given to the disk */
    uint64_t now_ns;
    uint64_t wall_offset_ns; /* the wall clock less the program's, modulo 2^64: a step of the clock changes no age */
    uint64_t entries;
    enum pace_verdict verdict;
    uint8_t *bytes; /* of an entry: key, value, and room to make a response of the value */
};

enum { BYTES = SNAPSHOT_KEY_MAX + KEPT_ANSWER_BYTES };

/* The disk begins with what was written. Whether it takes that shows when the file is completed. */
static void push(struct save *save)
{
    if (snapshot_writer_flush(&save->writer))
        sync_file_range(fileno(save->writer.out), (off_t)save->pushed, PUSH_BYTES, SYNC_FILE_RANGE_WRITE);
    save->pushed += PUSH_BYTES;
}

/* False: the work is over. */
static bool step(struct save *save)
{
    if (save->writer.bytes - save->pushed >= PUSH_BYTES) push(save);
    save->verdict = pace_step(save->pace, &save->stretch, SAVE_WORK_NS, SAVE_PAUSE_NS, &save->now_ns);
    return save->verdict == PACE_GO_ON && !save->writer.failed;
}

static void write_answer(struct save *save, const struct cache_copy *copy)
{
    struct question_key key;
    uint8_t *value = save->bytes + copy->key_size;
    if (!question_key_read(save->bytes, copy->key_size, &key)) return;
    size_t size = kept_answer_write(value, copy->value_size, &key);
    if (size == 0) return;
    uint64_t wall_ns = save->now_ns + save->wall_offset_ns;
    const struct snapshot_record record = {
        .kind = SNAPSHOT_ANSWER,
        .is_used = copy->times.is_used,
        .key_size = copy->key_size,
        .value_size = (uint32_t)size,
        .first = wall_ns - copy->times.age_ns,
        .second = wall_ns + copy->times.left_ns - copy->times.over_ns,
        .key = save->bytes,
        .value = value,
    };
    snapshot_writer_add(&save->writer, &record);
    save->entries++;
}

/* ---- top names ---- */

static int by_count(const void *a, const void *b)
{
    uint32_t left = ((const struct topname *)a)->queries;
    uint32_t right = ((const struct topname *)b)->queries;
    return (left < right) - (left > right);
}

/* Each name, the most asked first, and behind it its answer. */
static void write_names(struct save *save, const struct topname *names, size_t count)
{
    const struct shared_tables *shared = save->source->shared;
    for (size_t i = 0; i < count && step(save); i++) {
        struct cache_copy copy;
        const struct snapshot_record record = {
            .kind = SNAPSHOT_NAME, .key_size = names[i].size, .first = names[i].queries, .key = names[i].bytes};
        const struct hashed_key key = {names[i].bytes, names[i].size,
                                       hash_bytes(&shared->hash_key, names[i].bytes, names[i].size)};
        snapshot_writer_add(&save->writer, &record);
        save->entries++;
        if (cache_copy_one(shared->cache, &key, save->now_ns, save->bytes, SNAPSHOT_KEY_MAX + ANSWER_BYTES_MAX, &copy))
            write_answer(save, &copy);
    }
}

static bool write_top(struct save *save)
{
    struct topnames_cursor cursor = {0};
    size_t count = 0;
    size_t max = save->source->top;
    if (max == 0) return true;
    struct topname *names = malloc(max * sizeof *names);
    if (!names) return false;
    while (count < max && topnames_next(save->source->shared->topnames, &cursor, &names[count])) count++;
    qsort(names, count, sizeof *names, by_count);
    write_names(save, names, count);
    free(names);
    return true;
}

/* ---- all answers ---- */

static void write_answers(struct save *save, enum cache_walk which)
{
    struct cache_cursor cursor = {.which = which};
    struct cache_copy copy;
    while (step(save) && cache_copy_next(save->source->shared->cache, &cursor, save->now_ns, save->bytes,
                                         SNAPSHOT_KEY_MAX + ANSWER_BYTES_MAX, &copy))
        write_answer(save, &copy);
}

static void write_cookie_key(struct save *save)
{
    const struct snapshot_record record = {
        .kind = SNAPSHOT_COOKIE_KEY, .value_size = STATE_COOKIE_KEY_BYTES, .value = save->source->cookie_key};
    if (save->source->has_cookie_key) snapshot_writer_add(&save->writer, &record);
}

enum save_result save_write(const struct save_source *source, struct pace *pace, FILE *out, uint64_t *ret_entries,
                            int *ret_error)
{
    struct snapshot_head head = {.saved_ns = clock_wall_ns(), .origin = source->origin};
    struct save save = {.source = source, .pace = pace, .now_ns = clock_now_ns(), .bytes = malloc(BYTES)};
    *ret_error = ENOMEM;
    if (!save.bytes) return SAVE_FAILED;
    if (getrandom(&head.salt, sizeof head.salt, 0) != sizeof head.salt) head.salt = (uint32_t)head.saved_ns;
    save.wall_offset_ns = head.saved_ns - save.now_ns;
    snapshot_writer_begin(&save.writer, out, &head);
    write_cookie_key(&save);
    bool good = write_top(&save);
    if (good) write_answers(&save, CACHE_USED);
    if (good) write_answers(&save, CACHE_UNUSED);
    free(save.bytes);
    if (!good) return SAVE_FAILED;
    if (save.verdict == PACE_STOP) return SAVE_STOPPED;
    *ret_entries = save.entries;
    bool is_written = snapshot_writer_end(&save.writer);
    *ret_error = save.writer.error;
    return is_written ? SAVE_WRITTEN : SAVE_FAILED;
}
