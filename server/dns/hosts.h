/* hosts: a line of a hosts file (hosts(5)): an address, then its names, the first of which is its canonical name. Pure;
 * any thread. */
#ifndef DNS_HOSTS_H
#define DNS_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "dns/message.h"

enum { HOSTS_NAMES_MAX = 64 }; /* of one line; those behind are ignored */

struct hosts_name {
    uint8_t size;
    uint8_t bytes[DNS_NAME_MAX]; /* on the wire, in lower case */
};

struct hosts_line {
    struct address address; /* its port is 0 */
    unsigned name_count;
    struct hosts_name names[HOSTS_NAMES_MAX];
};

enum hosts_status {
    HOSTS_LINE,  /* ret_line is filled */
    HOSTS_EMPTY, /* blank, or a comment */
    HOSTS_BAD,   /* no address, an address of one link (fe80::1%eth0), no name, or a name that is none */
};

/* Reads one line without its end; a comment runs from '#'. */
enum hosts_status hosts_parse_line(const char *text, size_t size, struct hosts_line *ret_line);

/* Writes the name under which PTR records of the address are asked for (RFC 1035, 3.5; RFC 3596, 2.5); returns its
 * size. */
size_t hosts_reverse_name(const struct address *address, uint8_t out[static DNS_NAME_MAX]);

#endif
