/* address: an IP address with a port, and an address prefix. IPv4 addresses are stored as IPv4-mapped IPv6 addresses
 * (RFC 4291, 2.5.5.2): there is one form to compare, hash and mask, and a client is the same on a dual-stack socket.
 * Pure functions; any thread. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    uint8_t ip[16];
    uint16_t port;  /* host order */
    uint32_t scope; /* of a link-local IPv6 address, else 0 */
};

struct prefix {
    uint8_t ip[16]; /* bits behind `bits` are zero */
    uint8_t bits;   /* 0..128; an IPv4 /n is 96 + n */
};

/* Size of the longest text of the format functions, with its NUL. */
enum { ADDRESS_TEXT_BYTES = 64 };

/* "IP:PORT", "[IP6]:PORT", or, if `default_port` is not 0, "IP" or "IP6" alone. No names, no service names. False:
 * not such a text. */
bool address_parse(const char *text, uint16_t default_port, struct address *ret_address);

/* "IP/BITS" or "IP" (all bits). False also if bits after the prefix are set, as 10.0.0.1/8. */
bool prefix_parse(const char *text, struct prefix *ret_prefix);

/* "1.2.3.4:53" or "[2001:db8::1]:53"; returns `text`. */
const char *address_format(const struct address *address, char text[static ADDRESS_TEXT_BYTES]);

/* The address alone; returns `text`. */
const char *address_format_ip(const struct address *address, char text[static ADDRESS_TEXT_BYTES]);

struct address address_from_socket(const struct sockaddr_storage *storage);

/* Returns the length for bind() or connect(); IPv4 becomes AF_INET. */
socklen_t address_to_socket(const struct address *address, struct sockaddr_storage *ret_storage);

bool address_is_ipv4(const struct address *address);
bool address_is_any(const struct address *address); /* :: */
bool address_is_loopback(const struct address *address);
bool address_equal(const struct address *a, const struct address *b); /* with port and scope */

/* One that a connection can be made to: not unspecified (0.0.0.0/8, ::), no multicast, and with its interface where it
 * is link-local. */
bool address_is_host(const struct address *address);

/* A link-local IPv6 address (fe80::/10) without its interface: nothing can be bound or connected to it, since each
 * interface may have it. */
bool address_needs_interface(const struct address *address);

/* The first `bits` (0..128) of `ip`, the rest zero. */
struct prefix prefix_of(const uint8_t ip[static 16], unsigned bits);
bool prefix_contains(const struct prefix *prefix, const uint8_t ip[static 16]);

#endif
