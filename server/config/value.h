/* value: the texts a configuration is made of, read strictly: what is not exactly such a text is refused, never guessed
 * at. Pure; any thread. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "upstream/pool.h"

enum value_status {
    VALUE_OK,
    VALUE_MALFORMED,
    VALUE_OUT_OF_RANGE, /* a proper text, but below zero or too large */
    VALUE_TOO_LONG,
    VALUE_TWICE,    /* in its list already */
    VALUE_TOO_MANY, /* the list is full */
    VALUE_CONFLICT, /* it does not go together with what it holds or with others of its list */
    VALUE_NO_MEMORY
};

/* Decimal digits, nothing else: no sign but a refused minus, no leading zero (is 010 eight or ten?), no hex, no
 * exponent. */
enum value_status value_parse_number(const char *text, uint64_t *ret_number);

/* A number, a fraction allowed, and at once its unit: "500ms", "4.5s", "10m", "1h", "1d"; "0" needs none. */
enum value_status value_parse_duration(const char *text, uint64_t *ret_ns);

/* A number of bytes, or a number with KiB, MiB or GiB (powers of 1024; KB and MB are refused, because people differ
 * over them). */
enum value_status value_parse_size(const char *text, uint64_t *ret_bytes);

/* "true" or "false" only. */
enum value_status value_parse_boolean(const char *text, bool *ret_boolean);

/* The index of `text` in `words`, which are separated by single spaces. */
enum value_status value_parse_choice(const char *text, const char *words, uint64_t *ret_index);

/* A DNS host name (RFC 1123, 2.1): letters, digits and inner hyphens, up to 253 bytes, and no IP address: its last
 * label is not a number. Comes out lower-cased and without a dot at the end. */
enum value_status value_parse_name(const char *text, char ret_name[static UPSTREAM_NAME_MAX + 1]);

/* The IP address of one host, without a port. Keeps the port that `ret_address` has. */
enum value_status value_parse_ip(const char *text, struct address *ret_address);

/* "IP#NAME", "IP:PORT#NAME", "[IP6]:PORT#NAME"; port 853 (RFC 7858) if none is given. */
enum value_status value_parse_upstream(const char *text, struct upstream_options *ret_upstream);

/* "NAME" or "NAME:PORT": an upstream without an address; port 853 if none is given. */
enum value_status value_parse_named_upstream(const char *text, struct upstream_options *ret_upstream);

/* A server that is asked for addresses: "IP" or "IP:PORT" over plain TCP, port 53 if none is given; or as
 * value_parse_upstream over TLS. */
enum value_status value_parse_bootstrap(const char *text, struct upstream_options *ret_server);

/* In the largest unit that needs no fraction: "90s", "1h", "64MiB", "0s", "0"; a part of a millisecond as "1.5ms". What
 * is written is parsed as the same value. Return `text`. */
enum { VALUE_TEXT_BYTES = 32 };
const char *value_format_duration(uint64_t ns, char text[static VALUE_TEXT_BYTES]);
const char *value_format_size(uint64_t bytes, char text[static VALUE_TEXT_BYTES]);

/* An address as the parsers above take it, with the name of its interface if it has a scope, and with or without its
 * port. Returns `text`. */
enum { VALUE_ADDRESS_BYTES = 96 };
const char *value_format_address(const struct address *address, bool with_port, char text[static VALUE_ADDRESS_BYTES]);

#endif
