/* validator: whether bytes are a DNS message, as ldns sees it; the only file that knows ldns. Pure; any thread.
 *
 * ldns 1.8 believes more than is good for it: it follows a pointer that points to itself 65,535 times, goes on behind a
 * record's data where the data were longer than its type has fields, takes a record with fields missing, and allocates
 * the size of a record's data again for each string in it. So every name and field is walked first (message.h), and
 * ldns is asked about what that has left over, but for records of very many strings. */
#ifndef DNS_VALIDATOR_H
#define DNS_VALIDATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Has ldns read the one question and each record, but for OPT, whose options are one lump to it (edns.h reads them).
 * False where one is malformed, bytes are left over, or there is not exactly one question; and where a name leads over
 * an octet of a TTL that will be changed: `ttls` are their places, two octets each, ascending. Builds no packet: meant
 * for every query and every response. */
bool validator_is_message(const uint8_t *message, size_t size, const uint8_t *ttls, size_t ttl_count);

/* Has ldns write the message anew without its OPT record and without compression, for the rare response whose OPT is
 * not its last record; at most `capacity` bytes, their number is returned, 0 on failure. */
size_t validator_without_opt(const uint8_t *message, size_t size, uint8_t *out, size_t capacity);

/* "1.8.3" */
const char *validator_library_version(void);

#endif
