/* presentation: names, types and response codes as people read them (RFC 1035, 5.1; RFC 3597). Pure; any thread. */
#ifndef DNS_PRESENTATION_H
#define DNS_PRESENTATION_H

#include <stddef.h>
#include <stdint.h>

/* A name of 255 octets, each written \DDD, and a NUL. */
enum { PRESENTATION_NAME_BYTES = 4 * 255 + 2, PRESENTATION_TYPE_BYTES = 12 };

/* An uncompressed name on the wire, with a dot at the end; what cannot be printed as \DDD. Text is cut if `name` is
 * not sound. Returns `text`. */
const char *presentation_name(const uint8_t *name, size_t size, char text[static PRESENTATION_NAME_BYTES]);

/* The other way round, in lower case: at most 255 octets to `out`, their number is returned; 0: no name. The dot at the
 * end may be missing. */
size_t presentation_parse_name(const char *text, uint8_t out[static 255]);

/* "A", "AAAA", ... or "TYPE65280". Returns `text`. */
const char *presentation_type(uint16_t type, char text[static PRESENTATION_TYPE_BYTES]);

/* "NOERROR", "NXDOMAIN", ... or "RCODE24". Returns `text`. */
enum { PRESENTATION_RCODE_BYTES = 12 };
const char *presentation_rcode(uint16_t rcode, char text[static PRESENTATION_RCODE_BYTES]);

#endif
