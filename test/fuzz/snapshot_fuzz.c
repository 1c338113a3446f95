/* Any bytes as a snapshot of the state. The first octet chooses how the rest is read:
 * 0: as the file; 1: as records, each a head of 20 octets (kind, use, sizes, age in seconds, lifetime in seconds) and
 * its body, of which a file with right checksums is made; 2: as 1, and then octets of it are changed.
 * What is loaded must be sound and belong to its question, is not younger than it was, and is the same after another
 * snapshot. */
#include "records.h" /* first: ldns wants to be */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "dns/answer.h"
#include "need.h"
#include "state/load.h"
#include "state/save.h"
#include "state/snapshot_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ORIGIN = 7, SALT = 9, TOP = 20, HEAD_BYTES = 20, BYTES = QUESTION_KEY_MAX + ANSWER_BYTES_MAX + EDNS_REPLY_MAX };

#define STALE_NS (3600 * NS_PER_S)

struct tables {
    struct shared_tables shared;
    struct counters *counters;
    struct purged purged;
};

struct file {
    char *bytes;
    size_t size;
};

static struct tables tables_new(void)
{
    const struct cache_options cache = {.max_bytes = 4 << 20, .stale_ns = STALE_NS};
    const struct topnames_options top = {.top = TOP, .half_life_ns = 600 * NS_PER_S};
    struct tables tables = {.shared = {.cache = cache_new(&cache),
                                       .topnames = topnames_new(&top),
                                       .warmup = warmup_new(),
                                       .hash_key = {1, 2}},
                            .counters = counters_new()};
    need(tables.shared.cache && tables.shared.topnames && tables.shared.warmup && tables.counters);
    purged_init(&tables.purged);
    return tables;
}

static void tables_free(struct tables *tables)
{
    cache_free(tables->shared.cache);
    topnames_free(tables->shared.topnames);
    warmup_free(tables->shared.warmup);
    counters_free(tables->counters);
    purged_done(&tables->purged);
}

static struct load_result load(struct tables *tables, const struct file *file)
{
    static const struct forwarder_options options = {.cache_max_ns = 86400 * NS_PER_S,
                                                     .cache_negative_ns = 3600 * NS_PER_S};
    const struct load_target target = {.shared = &tables->shared,
                                       .options = &options,
                                       .stale_ns = STALE_NS,
                                       .half_life_ns = 600 * NS_PER_S,
                                       .origin = ORIGIN,
                                       .purged = &tables->purged,
                                       .counters = tables->counters};
    struct load_result result = {0};
    struct pace pace;
    char why[LOAD_WHY_BYTES];
    FILE *in = file->size > 0 ? fmemopen(file->bytes, file->size, "r") : fopen("/dev/null", "r");
    need(in);
    pace_init(&pace);
    pace_hurry(&pace, CLOCK_NEVER - 1);
    load_read(&target, &pace, in, &result, why);
    pace_done(&pace);
    fclose(in);
    return result;
}

static struct file save(struct tables *tables, uint64_t *ret_entries)
{
    struct file file = {NULL, 0};
    struct pace pace;
    int error;
    const struct save_source source = {.shared = &tables->shared, .origin = ORIGIN, .top = TOP};
    FILE *out = open_memstream(&file.bytes, &file.size);
    need(out);
    pace_init(&pace);
    pace_hurry(&pace, CLOCK_NEVER - 1);
    need(save_write(&source, &pace, out, ret_entries, &error) == SAVE_WRITTEN);
    pace_done(&pace);
    fclose(out);
    return file;
}

/* Each answer is one to its question, and makes a reply that ldns can read. Returns their number. */
static unsigned check_answers(struct tables *tables, uint64_t loaded_ns, uint8_t *bytes)
{
    struct cache_cursor cursor = {0};
    struct cache_copy copy;
    unsigned count = 0;
    for (; cache_copy_next(tables->shared.cache, &cursor, loaded_ns, bytes, BYTES - EDNS_REPLY_MAX, &copy); count++) {
        static const struct answer_use as_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
        const struct reply_profile profile = {.edns = true, .max_bytes = DNS_MESSAGE_MAX};
        uint8_t *value = bytes + copy.key_size;
        struct question_key key;
        need(question_key_read(bytes, copy.key_size, &key));
        size_t size = answer_to_reply(value, copy.value_size, &profile, key.bytes, &as_is);
        size_t name_size = question_key_name_size(&key);
        need(size > DNS_HEADER_BYTES + name_size + 4);
        need(memcmp(value + DNS_HEADER_BYTES, key.bytes, name_size) == 0);
        need(dns_u16(value + DNS_HEADER_BYTES + name_size) == question_key_type(&key));
        need((message_flags(value) & DNS_RCODE) == DNS_RCODE_NOERROR ||
             (message_flags(value) & DNS_RCODE) == DNS_RCODE_NXDOMAIN);
        need(question_key_route(&key) == 0);
        need(copy.times.left_ns == 0 || copy.times.over_ns == 0);
        need(copy.times.over_ns < STALE_NS && copy.times.left_ns <= 86400 * NS_PER_S);
        need_ldns_to_read(value, size);
    }
    return count;
}

/* Makes a file of the records that the input describes. */
static struct file make_file(const uint8_t *data, size_t size)
{
    struct file file = {NULL, 0};
    struct snapshot_writer writer;
    uint64_t now_ns = clock_wall_ns();
    const struct snapshot_head head = {.saved_ns = now_ns, .origin = ORIGIN, .salt = SALT};
    FILE *out = open_memstream(&file.bytes, &file.size);
    need(out);
    snapshot_writer_begin(&writer, out, &head);
    while (size >= HEAD_BYTES) {
        struct snapshot_record record = {
            .kind = (enum snapshot_kind)(SNAPSHOT_COOKIE_KEY + data[0] % 3),
            .is_used = data[1] & 1,
            .key_size = dns_u16(data + 2) % (SNAPSHOT_KEY_MAX + 1),
            .value_size = dns_u16(data + 4),
            .key = data + HEAD_BYTES,
        };
        bool is_answer = record.kind == SNAPSHOT_ANSWER;
        record.first = is_answer ? now_ns - dns_u32(data + 8) * NS_PER_S : dns_u32(data + 8);
        record.second = record.first + dns_u32(data + 12) * NS_PER_S;
        size -= HEAD_BYTES;
        if (record.key_size > size) record.key_size = (uint16_t)size;
        if (record.value_size > size - record.key_size) record.value_size = (uint32_t)(size - record.key_size);
        record.value = record.key + record.key_size;
        snapshot_writer_add(&writer, &record);
        data = record.value + record.value_size;
        size -= (size_t)record.key_size + record.value_size;
    }
    need(snapshot_writer_end(&writer));
    fclose(out);
    return file;
}

static void change(struct file *file, const uint8_t *data, size_t size)
{
    for (; size >= 4; size -= 4, data += 4) {
        size_t at = SNAPSHOT_HEAD_BYTES + dns_u16(data) % (file->size - SNAPSHOT_HEAD_BYTES);
        file->bytes[at] = (char)data[2];
    }
}

/* A name that the file has twice is one. */
static unsigned count_names(struct tables *tables)
{
    struct topnames_cursor cursor = {0};
    struct topname name;
    unsigned count = 0;
    while (topnames_next(tables->shared.topnames, &cursor, &name)) count++;
    return count;
}

static void check(const struct file *file)
{
    struct tables first = tables_new();
    struct tables second = tables_new();
    uint8_t *bytes = malloc(BYTES);
    uint64_t entries;
    need(bytes);
    struct load_result result = load(&first, file);
    need(result.rejected >= result.damaged);
    need(check_answers(&first, clock_now_ns(), bytes) == result.answers);
    struct file again = save(&first, &entries);
    const struct load_result same = load(&second, &again);
    need(same.answers == result.answers && same.names == count_names(&first) && same.damaged == 0 && same.is_complete);
    need(check_answers(&second, clock_now_ns(), bytes) == result.answers);
    free(again.bytes);
    free(bytes);
    tables_free(&first);
    tables_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    if (data[0] % 3 == 0) {
        struct file file = {malloc(size), size - 1};
        need(file.bytes);
        memcpy(file.bytes, data + 1, size - 1);
        check(&file);
        free(file.bytes);
        return 0;
    }
    struct file file = make_file(data + 1, size - 1);
    if (data[0] % 3 == 2) change(&file, data + 1, size - 1);
    check(&file);
    free(file.bytes);
    return 0;
}
