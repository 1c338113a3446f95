/* tsig: transaction signatures (RFC 8945), of which the proxy has no keys: a signed query is recognised, and the reply
 * says that its key is not known. Pure; any thread. */
#ifndef DNS_TSIG_H
#define DNS_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

/* The TSIG record of a query; points into the message. All 0 and NULL: there is none. */
struct tsig {
    const uint8_t *message;
    size_t key_name;   /* offset of the record's owner */
    size_t algorithm;  /* offset of a name, */
    const uint8_t *at; /* the time it was signed at, and the fudge: eight octets */
};

enum { TSIG_REPLY_MAX = 2 * DNS_NAME_MAX + 10 + 16 };

/* Reads a TSIG record. False: it is malformed, or its class or TTL is wrong. */
bool tsig_parse(const uint8_t *message, size_t size, const struct record *record, struct tsig *ret_tsig);

/* Writes the record of an unsigned reply: error BADKEY, no MAC (RFC 8945, 5.2.1 and 5.3.2). Returns its bytes, at most
 * TSIG_REPLY_MAX. */
size_t tsig_write_badkey(const struct tsig *tsig, uint16_t id, uint8_t *out);

#endif
