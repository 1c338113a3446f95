#include "dns/edns.h"

#include <string.h>

enum { OPTION_KEEPALIVE = 11, OPTION_PADDING = 12, OPTION_EDE = 15 };
enum { OPTION_HEAD_BYTES = 4, OPT_FIXED_BYTES = 11 };

/* The upper bit of the OPT record's flags, which are in the lower half of its TTL (RFC 6891, 6.1.3). */
enum { FLAG_DO = 0x8000 };

static void parse_option(struct edns *edns, uint16_t code, const uint8_t *data, size_t size)
{
    if (code == OPTION_KEEPALIVE) edns->keepalive = true;
    if (code == OPTION_PADDING) edns->padding = true;
    if (code == EDNS_COOKIE && !edns->cookie) {
        edns->cookie = data;
        edns->cookie_size = (uint16_t)size;
    }
    if (code == OPTION_EDE && size >= 2 && edns->ede_code == DNS_EDE_NONE) edns->ede_code = dns_u16(data);
}

static bool parse_options(const uint8_t *data, size_t size, struct edns *edns)
{
    while (size > 0) {
        if (size < OPTION_HEAD_BYTES) return false;
        uint16_t code = dns_u16(data);
        size_t length = dns_u16(data + 2);
        data += OPTION_HEAD_BYTES;
        size -= OPTION_HEAD_BYTES;
        if (size < length) return false;
        parse_option(edns, code, data, length);
        data += length;
        size -= length;
    }
    return true;
}

bool edns_parse(const uint8_t *message, const struct record *record, struct edns *ret_edns)
{
    if (message[record->owner] != 0) return false;
    struct edns edns = {
        .rcode_high = (uint8_t)(record->ttl >> 24),
        .version = (uint8_t)(record->ttl >> 16),
        .dnssec_ok = record->ttl & FLAG_DO,
        .ede_code = DNS_EDE_NONE,
        .udp_size = record->class,
    };
    if (edns.version == 0 && !parse_options(message + record->data, record->data_size, &edns)) return false;
    *ret_edns = edns;
    return true;
}

/* Writes the record without options: the root, OPT, the UDP size, extended rcode, version 0, flags. */
static uint8_t *put_fixed(uint8_t *out, uint8_t rcode_high, bool dnssec_ok)
{
    out[0] = 0;
    dns_put_u16(out + 1, DNS_TYPE_OPT);
    dns_put_u16(out + 3, EDNS_UDP_SIZE);
    out[5] = rcode_high;
    out[6] = 0;
    dns_put_u16(out + 7, dnssec_ok ? FLAG_DO : 0);
    return out + OPT_FIXED_BYTES;
}

static uint8_t *put_option(uint8_t *out, uint16_t code, size_t size)
{
    dns_put_u16(out, code);
    dns_put_u16(out + 2, (uint16_t)size);
    return out + OPTION_HEAD_BYTES;
}

/* Fills in the size of the options and returns that of the record. */
static size_t finish(uint8_t *record, const uint8_t *end)
{
    size_t size = (size_t)(end - record);
    dns_put_u16(record + OPT_FIXED_BYTES - 2, (uint16_t)(size - OPT_FIXED_BYTES));
    return size;
}

size_t edns_write_reply(uint8_t *out, const struct edns_reply *reply)
{
    uint8_t *at = put_fixed(out, (uint8_t)(reply->rcode >> 4), reply->dnssec_ok);
    if (reply->ede_code != DNS_EDE_NONE) {
        size_t text_size = reply->ede_text ? strnlen(reply->ede_text, EDNS_TEXT_MAX) : 0;
        at = put_option(at, OPTION_EDE, 2 + text_size);
        dns_put_u16(at, reply->ede_code);
        at += 2;
        if (text_size > 0) memcpy(at, reply->ede_text, text_size);
        at += text_size;
    }
    if (reply->errors_size > 0) memcpy(at, reply->errors, reply->errors_size);
    at += reply->errors_size;
    if (reply->keepalive_100ms > 0) {
        at = put_option(at, OPTION_KEEPALIVE, 2);
        dns_put_u16(at, reply->keepalive_100ms);
        at += 2;
    }
    if (reply->option_bytes > 0) memcpy(at, reply->option, reply->option_bytes);
    at += reply->option_bytes;
    return finish(out, at);
}

size_t edns_write_query(uint8_t *out, size_t size, bool dnssec_ok, uint16_t block)
{
    uint8_t *at = put_fixed(out, 0, dnssec_ok);
    if (block > 0) {
        size_t over = (size + OPT_FIXED_BYTES + OPTION_HEAD_BYTES) % block;
        size_t padding = over > 0 ? block - over : 0;
        at = put_option(at, OPTION_PADDING, padding);
        memset(at, 0, padding); /* RFC 7830, 3 */
        at += padding;
    }
    return finish(out, at);
}
