/* validator: whether records are what their types say, as ldns sees it; the only file that knows ldns. Pure; any
 * thread.
 *
 * ldns 1.8 accepts too much: it follows a pointer that points to itself 65,535 times, goes on behind a record's data
 * if the data were longer than its type has fields, takes a record with fields missing, and allocates the size of a
 * record's data again for each string in it. So every name and field is walked first (message.h), and ldns reads what
 * has passed, but for records of very many strings and what stands behind the first few hundred fields of a message, or
 * fewer where their names have many pointers, each of which ldns follows.
 *
 * It also refuses what it should accept: its descriptions of some rare types are wrong (NSAP-PTR, SINK). So types that
 * are not among the usual ones are data without form, as RFC 3597 has it for unknown types: well framed is enough. */
#ifndef DNS_VALIDATOR_H
#define DNS_VALIDATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;
struct record;

/* What ldns has read of a message so far; zero at its beginning. */
struct validator {
    size_t work;     /* fields, and pointers at a share of one */
    size_t pointers; /* of the message, up to the record that was read last */
};

/* Whether a record that `reader` has just read is what its type says. Names in its data are read with the settings of
 * the reader (TTLs, watched part). ldns reads its owner, too, unless that is a pointer to the name of the message's
 * question: it read that when the question was asked, or the message is a query and it was read before. Of an address
 * of such an owner nothing is left for it to read. */
bool validator_is_record(struct validator *validator, struct reader *reader, const struct record *record);

/* Whether ldns, too, reads a name of `name_size` octets at `at`, over which reader_name has passed: the whole of what
 * it has to read in a query without records of data, which the caller has walked over. */
bool validator_is_name(const uint8_t *message, size_t size, size_t at, size_t name_size);

/* Reads the one question and each record except OPT, whose options edns.h reads. False if one is malformed, bytes are
 * left over, or there is not exactly one question. For queries with records of data. */
bool validator_is_message(const uint8_t *message, size_t size);

/* Makes the names of `count` records, from the offset `from` to the end of the message, ready for the removal of the
 * `cut_size` octets at `cut_at` before them: pointers to what follows these are lowered. Names are only passed
 * over, so the records are to be read afterwards. False if they are cut, or a pointer leads into what is removed. */
bool validator_shift_pointers(uint8_t *message, size_t size, size_t from, size_t count, size_t cut_at, size_t cut_size);

/* Makes the names of `count` records right that stand from the offset `from` to the end of the message and stood
 * `moved` octets nearer to its beginning in another: pointers into that one's question, which is at DNS_HEADER_BYTES
 * and ends at `question_end`, lead to the same name at `name_at` now, and those behind it to what has moved. Names are
 * only passed over. False if they are cut, or a pointer would lead too far (RFC 1035, 4.1.4). */
bool validator_move_pointers(uint8_t *message, size_t size, size_t from, size_t count, size_t moved,
                             size_t question_end, size_t name_at);

/* "1.8.3" */
const char *validator_library_version(void);

#endif
