#include "common/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void set_ipv4(uint8_t ip[static 16], const void *four)
{
    memcpy(ip, mapped, sizeof mapped);
    memcpy(ip + sizeof mapped, four, 4);
}

/* Copies a text that will be changed; false if it does not fit. */
static bool copy_text(const char *text, char *out, size_t room)
{
    size_t size = strlen(text) + 1;
    if (size > room) return false;
    memcpy(out, text, size);
    return true;
}

/* True if the text consists of at most five digits and its value is at most `max`. */
static bool parse_number(const char *text, unsigned long max, unsigned long *ret)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 5) return false;
    unsigned long number = strtoul(text, &end, 10);
    if (*end != '\0' || number > max) return false;
    *ret = number;
    return true;
}

static bool parse_ip(const char *text, struct address *ret)
{
    struct in_addr four;
    if (inet_pton(AF_INET, text, &four) == 1) {
        set_ipv4(ret->ip, &four);
        return true;
    }
    char copy[ADDRESS_TEXT_BYTES];
    if (!copy_text(text, copy, sizeof copy)) return false;
    char *zone = strchr(copy, '%');
    if (zone) {
        *zone = '\0';
        ret->scope = if_nametoindex(zone + 1);
        if (ret->scope == 0) return false;
    }
    return inet_pton(AF_INET6, copy, ret->ip) == 1;
}

bool address_parse(const char *text, uint16_t default_port, struct address *ret_address)
{
    struct address address = {.port = default_port};
    char copy[ADDRESS_TEXT_BYTES + 8];
    if (!copy_text(text, copy, sizeof copy)) return false;
    char *ip = copy;
    char *colon = strrchr(copy, ':');
    if (copy[0] == '[') {
        char *bracket = strchr(copy, ']');
        if (!bracket || (bracket[1] != ':' && bracket[1] != '\0')) return false;
        colon = bracket[1] == ':' ? bracket + 1 : NULL;
        *bracket = '\0';
        ip = copy + 1;
        if (!strchr(ip, ':')) return false;
    } else if (colon && strchr(copy, ':') != colon) {
        colon = NULL; /* an IPv6 address without brackets */
    }
    if (colon) {
        unsigned long port;
        if (!parse_number(colon + 1, UINT16_MAX, &port) || port == 0) return false;
        address.port = (uint16_t)port;
        *colon = '\0';
    }
    if (address.port == 0 || !parse_ip(ip, &address)) return false;
    *ret_address = address;
    return true;
}

bool prefix_parse(const char *text, struct prefix *ret_prefix)
{
    char copy[ADDRESS_TEXT_BYTES + 8];
    if (!copy_text(text, copy, sizeof copy)) return false;
    char *slash = strchr(copy, '/');
    if (slash) *slash++ = '\0';
    struct address address = {0};
    if (strchr(copy, '%') || !parse_ip(copy, &address)) return false;
    bool four = !strchr(copy, ':');
    unsigned long bits = four ? 32 : 128;
    if (slash && !parse_number(slash, bits, &bits)) return false;
    struct prefix prefix = prefix_of(address.ip, (unsigned)bits + (four ? 96 : 0));
    if (memcmp(prefix.ip, address.ip, sizeof prefix.ip) != 0) return false;
    *ret_prefix = prefix;
    return true;
}

const char *address_format_ip(const struct address *address, char text[static ADDRESS_TEXT_BYTES])
{
    if (address_is_ipv4(address)) return inet_ntop(AF_INET, address->ip + 12, text, ADDRESS_TEXT_BYTES);
    return inet_ntop(AF_INET6, address->ip, text, ADDRESS_TEXT_BYTES);
}

const char *address_format(const struct address *address, char text[static ADDRESS_TEXT_BYTES])
{
    char ip[ADDRESS_TEXT_BYTES];
    address_format_ip(address, ip);
    snprintf(text, ADDRESS_TEXT_BYTES, address_is_ipv4(address) ? "%.46s:%u" : "[%.46s]:%u", ip, address->port);
    return text;
}

struct address address_from_socket(const struct sockaddr_storage *storage)
{
    struct address address = {0};
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)storage;
        set_ipv4(address.ip, &in->sin_addr);
        address.port = ntohs(in->sin_port);
    } else if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)storage;
        memcpy(address.ip, &in6->sin6_addr, sizeof address.ip);
        address.port = ntohs(in6->sin6_port);
        address.scope = in6->sin6_scope_id;
    }
    return address;
}

socklen_t address_to_socket(const struct address *address, struct sockaddr_storage *ret_storage)
{
    *ret_storage = (struct sockaddr_storage){0};
    if (address_is_ipv4(address)) {
        struct sockaddr_in *in = (void *)ret_storage;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->ip + 12, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (void *)ret_storage;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    in6->sin6_scope_id = address->scope;
    memcpy(&in6->sin6_addr, address->ip, sizeof address->ip);
    return sizeof *in6;
}

bool address_is_ipv4(const struct address *address)
{
    return memcmp(address->ip, mapped, sizeof mapped) == 0;
}

bool address_is_any(const struct address *address)
{
    return memcmp(address->ip, &in6addr_any, sizeof address->ip) == 0;
}

bool address_is_loopback(const struct address *address)
{
    if (address_is_ipv4(address)) return address->ip[12] == 127;
    return memcmp(address->ip, &in6addr_loopback, sizeof address->ip) == 0;
}

bool address_is_host(const struct address *address)
{
    enum { IPV4_MULTICAST = 224, IPV6_MULTICAST = 0xff };
    if (address_is_ipv4(address)) return address->ip[12] != 0 && address->ip[12] < IPV4_MULTICAST;
    return !address_needs_interface(address) && !address_is_any(address) && address->ip[0] != IPV6_MULTICAST;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0 && a->port == b->port && a->scope == b->scope;
}

bool address_needs_interface(const struct address *address)
{
    return address->ip[0] == 0xfe && address->ip[1] >> 6 == 2 && address->scope == 0;
}

struct prefix prefix_of(const uint8_t ip[static 16], unsigned bits)
{
    struct prefix prefix = {.bits = (uint8_t)bits};
    memcpy(prefix.ip, ip, bits / 8);
    if (bits % 8 != 0) prefix.ip[bits / 8] = (uint8_t)(ip[bits / 8] & (0xff << (8 - bits % 8)));
    return prefix;
}

bool prefix_contains(const struct prefix *prefix, const uint8_t ip[static 16])
{
    unsigned whole = prefix->bits / 8;
    unsigned rest = prefix->bits % 8;
    if (memcmp(prefix->ip, ip, whole) != 0) return false;
    return rest == 0 || (uint8_t)(ip[whole] & (0xff << (8 - rest))) == prefix->ip[whole];
}
