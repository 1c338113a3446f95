/* edns: the OPT pseudo-record, read and written (RFC 6891), with the options the proxy knows: edns-tcp-keepalive (RFC
 * 7828), padding (RFC 7830, 8467), Extended DNS Errors (RFC 8914). Options are hop-by-hop: none is relayed but the
 * error's code. Pure. */
#ifndef DNS_EDNS_H
#define DNS_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/ede.h"
#include "dns/message.h"

/* What we say we take over UDP; over TCP and TLS it has no meaning, but must be there (RFC 6891, 6.2.5). */
enum { EDNS_UDP_SIZE = 1232 };

/* Codes of the options that others write or read, too. */
enum { EDNS_COOKIE = 10 };

/* The longest text of an Extended DNS Error that is written; ours are short phrases. */
enum { EDNS_TEXT_MAX = 64 };

struct edns {
    uint8_t version;
    uint8_t rcode_high; /* the upper eight bits of a response's extended rcode */
    bool dnssec_ok;
    bool keepalive; /* the option was there; its value is not our business */
    bool padding;
    uint16_t ede_code; /* of the first Extended DNS Error, or DNS_EDE_NONE */
    uint16_t udp_size; /* the largest reply that its sender takes over UDP, as it said */
    uint16_t cookie_size;
    const uint8_t *cookie; /* the data of the first COOKIE option (RFC 7873), in the message; NULL: there is none */
};

/* Reads an OPT record. False: its owner is not the root, or its options do not add up. Options of a version above 0 are
 * not looked at, because their form is unknown. */
bool edns_parse(const uint8_t *message, const struct record *record, struct edns *ret_edns);

/* What an OPT record of ours says. */
struct edns_reply {
    uint16_t rcode;           /* the whole, 12 bits; the upper eight are written */
    bool dnssec_ok;           /* as the query said (RFC 3225) */
    uint16_t ede_code;        /* an error of this program's, or DNS_EDE_NONE */
    const char *ede_text;     /* or NULL; at most EDNS_TEXT_MAX bytes */
    const uint8_t *errors;    /* errors that came from upstream, a list as in ede.h, */
    size_t errors_size;       /* and its size; 0: none */
    uint16_t keepalive_100ms; /* edns-tcp-keepalive in units of 100 ms; 0: left out */
    const uint8_t *option;    /* one more option, its code and length included, */
    uint8_t option_bytes;     /* and its size: at most EDNS_OPTION_MAX; 0: none */
};

/* The largest option that a caller may add: a cookie of 24 bytes (RFC 9018) with its code and length. */
enum { EDNS_OPTION_MAX = 4 + 24 };

/* Bytes that edns_write_reply writes at most. */
enum { EDNS_REPLY_MAX = 11 + 4 + 2 + EDNS_TEXT_MAX + EDE_LIST_MAX + 4 + 2 + EDNS_OPTION_MAX };

/* Appends an OPT record; returns its bytes. The caller counts it in ARCOUNT. */
size_t edns_write_reply(uint8_t *out, const struct edns_reply *reply);

/* Appends the OPT record of a query whose message has `size` bytes so far, padded so that the message becomes a
 * multiple of `block` bytes (0: no padding). Returns the record's bytes, at most 15 + block. */
size_t edns_write_query(uint8_t *out, size_t size, bool dnssec_ok, uint16_t block);

#endif
