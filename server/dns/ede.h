/* ede: Extended DNS Errors (RFC 8914): what their codes mean for a forwarder, and lists of them that are passed on.
 *
 * A list is the options as they are in an OPT record, each with its option code and length, and nothing else: so it
 * is kept and given back by copying. Its texts are clean: valid UTF-8 of visible characters. Pure; any thread. */
#ifndef DNS_EDE_H
#define DNS_EDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The codes that the proxy itself says. The registry of IANA has the others. */
enum {
    DNS_EDE_OTHER = 0,
    DNS_EDE_STALE = 3,
    DNS_EDE_PROHIBITED = 18,
    DNS_EDE_STALE_NXDOMAIN = 19,
    DNS_EDE_NOT_SUPPORTED = 21,
    DNS_EDE_NO_REACHABLE_AUTHORITY = 22,
    DNS_EDE_NETWORK_ERROR = 23,
    DNS_EDE_NEGATIVE_TRUST_ANCHOR = 33,
    DNS_EDE_NONE = 0xffff, /* no Extended DNS Error; private to this program */
};

/* Bounds of a list: an upstream may say much more, and every client is told. */
enum {
    EDE_LIST_MAX = 2048,      /* bytes of a list */
    EDE_TEXT_MAX = 255,       /* bytes of one text */
    EDE_ITEM_MIN = 2 + 2 + 2, /* bytes of an option without text */
    EDE_CODES_MAX = EDE_LIST_MAX / EDE_ITEM_MIN,
};

/* Whether the code explains a failure definitively: validation failed, or a policy forbids the answer. Another upstream
 * is then not asked, and no stale answer given. */
bool ede_is_verdict(uint16_t code);

/* Takes the Extended DNS Errors out of the options of an OPT record, with clean texts; returns the size of the list.
 * If it would grow too long, texts are cut or left out before codes are. Malformed options end it. */
size_t ede_collect(const uint8_t *options, size_t size, uint8_t out[static EDE_LIST_MAX]);

/* Appends those options of `more` that `list` does not have yet, as long as there is room; returns the new size. Texts
 * are left out first. */
size_t ede_merge(uint8_t list[static EDE_LIST_MAX], size_t size, const uint8_t *more, size_t more_size);

/* Whether the list has a code that is a verdict, or that code. */
bool ede_has_verdict(const uint8_t *list, size_t size);
bool ede_has(const uint8_t *list, size_t size, uint16_t code);

/* Copies the list without its texts to `out` (as much room as the list takes); returns the new size. */
size_t ede_without_texts(const uint8_t *list, size_t size, uint8_t *out);

/* Whether the bytes are a list. For bytes from a cache. */
bool ede_is_list(const uint8_t *bytes, size_t size);

#endif
