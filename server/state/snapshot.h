/* snapshot: the layout of the file that keeps the state over a restart: answers of the cache, top names, and the key of
 * DNS cookies. Pure; any thread.
 *
 * The file is a head and then records, numbers in network byte order. A record has a head of its own with a mark and
 * the sizes of what follows, so that a reader finds the next record behind a damaged one. Head and body have a checksum
 * each (CRC-32 of zlib, docs/decisions/0027). Checksums begin with the salt of the file, which is drawn anew for each:
 * without it nobody can send an answer whose records hold octets that pass for a record of this file.
 *
 * The records come in the order in which they are of use: the cookie key, top names with the most asked first, answers
 * that were used lately, other answers, and the end, which shows that the file is complete. Times are those of the wall
 * clock, because the program's own clock ends with the machine. The file holds names that clients asked for: its owner
 * alone may read it. */
#ifndef STATE_SNAPSHOT_H
#define STATE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/question.h"

/* Any change of the layout takes another number; a file of another version is not read. */
enum { SNAPSHOT_VERSION = 1 };

enum { SNAPSHOT_KEY_MAX = QUESTION_KEY_MAX, SNAPSHOT_VALUE_MAX = DNS_MESSAGE_MAX };

struct snapshot_head {
    uint64_t saved_ns; /* when it was begun, nanoseconds since 1970 */
    uint64_t origin;   /* of whom the answers came: a number that stands for the upstreams and routes */
    uint32_t salt;
};

enum { SNAPSHOT_HEAD_BYTES = 40 };
void snapshot_head_write(const struct snapshot_head *head, uint8_t out[static SNAPSHOT_HEAD_BYTES]);

enum snapshot_verdict {
    SNAPSHOT_SOUND,
    SNAPSHOT_FOREIGN,       /* not such a file, or a damaged head */
    SNAPSHOT_OTHER_VERSION, /* of another version of this program */
};
enum snapshot_verdict snapshot_head_read(const uint8_t bytes[static SNAPSHOT_HEAD_BYTES],
                                         struct snapshot_head *ret_head);

enum snapshot_kind {
    SNAPSHOT_COOKIE_KEY = 1, /* value: the key */
    SNAPSHOT_NAME,           /* key: a question; first: its queries */
    SNAPSHOT_ANSWER,         /* key: a question; value: a response to it; first: when it was stored, second: its end */
    SNAPSHOT_END,            /* first: the number of records before */
};

struct snapshot_record {
    enum snapshot_kind kind;
    bool is_used;        /* of an answer: clients asked for it lately */
    uint16_t key_size;   /* 0..SNAPSHOT_KEY_MAX */
    uint32_t value_size; /* 0..SNAPSHOT_VALUE_MAX */
    uint64_t first;
    uint64_t second;
    const uint8_t *key; /* the value follows it where the record was read */
    const uint8_t *value;
};

/* The head of a record: everything but key and value, which follow in this order. */
enum { SNAPSHOT_RECORD_BYTES = 36 };
void snapshot_record_write(const struct snapshot_record *record, uint32_t salt,
                           uint8_t out[static SNAPSHOT_RECORD_BYTES]);

/* Reads a record's head; `ret_record` has no key and value yet. False if it is none. */
bool snapshot_record_read(const uint8_t bytes[static SNAPSHOT_RECORD_BYTES], uint32_t salt,
                          struct snapshot_record *ret_record);

/* Sets key and value, which stand behind the head that was read at `bytes`. False if they are damaged. */
bool snapshot_record_take_body(const uint8_t *bytes, uint32_t salt, struct snapshot_record *record);

/* Bytes of a record in all. */
static inline size_t snapshot_record_size(const struct snapshot_record *record)
{
    return (size_t)SNAPSHOT_RECORD_BYTES + record->key_size + record->value_size;
}

/* The first octet of every record's head, to search for. */
enum { SNAPSHOT_MARK_FIRST = 0xd5 };

#endif
