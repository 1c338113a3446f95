/* question: the queries of dnsload and udpload: PREFIXnnnnnnnn.bench A IN with RD set, n a hexadecimal number. Names
 * are one of NAMES at random (or of another number), or, where the prefix is not "h", never the same twice. */
#ifndef BENCH_QUESTION_H
#define BENCH_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    NAMES = 1000,
    NUMBER_DIGITS = 8,
    PREFIX_MAX = 40,
    QUERY_BYTES = 128 /* room for the longest one, with the length that precedes it over TCP */
};

struct question {
    bool is_new;                /* no name twice */
    uint32_t last;              /* number of the last new name */
    uint32_t names;             /* else one of so many */
    uint64_t random;            /* state of the generator for these */
    size_t size;                /* of the message, without a length before it */
    size_t number_at;           /* of the digits */
    uint8_t bytes[QUERY_BYTES]; /* id and number are put in by question_write */
};

/* `prefix` has at most PREFIX_MAX characters. */
static inline void question_init(struct question *question, const char *prefix)
{
    static const uint8_t header[12] = {0, 0, 1, 0, 0, 1};
    static const uint8_t tail[] = "\5bench\0\0\1\0\1";
    size_t prefix_size = strlen(prefix);
    *question = (struct question){.is_new = strcmp(prefix, "h") != 0, .names = NAMES};
    memcpy(question->bytes, header, sizeof header);
    question->bytes[sizeof header] = (uint8_t)(prefix_size + NUMBER_DIGITS);
    memcpy(question->bytes + sizeof header + 1, prefix, prefix_size);
    question->number_at = sizeof header + 1 + prefix_size;
    memcpy(question->bytes + question->number_at + NUMBER_DIGITS, tail, sizeof tail - 1);
    question->size = question->number_at + NUMBER_DIGITS + sizeof tail - 1;
}

/* The number of the name that is asked next. */
static inline uint32_t question_next(struct question *question)
{
    if (question->is_new) return ++question->last;
    question->random = question->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(question->random >> 33) % question->names;
}

static inline void question_put_number(uint8_t *at, uint32_t number)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, number >>= 4) at[i] = (uint8_t)digits[number & 15];
}

/* Writes question->size bytes. */
static inline void question_write(const struct question *question, uint8_t *out, uint16_t id, uint32_t number)
{
    memcpy(out, question->bytes, question->size);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    question_put_number(out + question->number_at, number);
}

/* Whether a message of `size` bytes is a response to the query with this number. */
static inline bool question_is_answered(const struct question *question, const uint8_t *message, size_t size,
                                        uint32_t number)
{
    uint8_t query[QUERY_BYTES];
    question_write(question, query, 0, number);
    return size >= question->size && message[2] & 0x80 && memcmp(message + 12, query + 12, question->size - 12) == 0;
}

#endif
