#include "dns/special_names.h"

#include <string.h>

#include "dns/local_answer.h"

enum { TTL_S = 10800 }; /* of every record (RFC 6303, 3) */
enum { LABELS_MAX = 127 };

/* Names on the wire. A digit behind an escaped length would be read as a part of it, hence the strings in pieces. */
#define IN_ADDR "\7in-addr\4arpa"
#define IP6     "\3ip6\4arpa"
#define ZERO                                                                                                           \
    "\1"                                                                                                               \
    "0"
#define ZEROS_7  ZERO ZERO ZERO ZERO ZERO ZERO ZERO
#define ZEROS_31 ZEROS_7 ZEROS_7 ZEROS_7 ZEROS_7 ZERO ZERO ZERO

#define NAME(text)    .name = (text), .name_size = sizeof(text)
#define POINTER(text) .pointer = (text), .pointer_size = sizeof(text)

/* clang-format off: a table is read by its lines */
static const struct special_zone zones[] = {
    {NAME("\11localhost"), .kind = SPECIAL_KIND_ADDRESS, .rfc = "RFC 6761, 6.3"},
    {NAME("\4test"), .kind = SPECIAL_KIND_NXDOMAIN, .rfc = "RFC 6761, 6.2"},
    {NAME("\7invalid"), .kind = SPECIAL_KIND_NXDOMAIN, .rfc = "RFC 6761, 6.4"},
    {NAME("\5local"), .kind = SPECIAL_KIND_NXDOMAIN, .rfc = "RFC 6762, 22.1"},
    {NAME("\5onion"), .kind = SPECIAL_KIND_NXDOMAIN, .rfc = "RFC 7686, 2"},
    {NAME("\4home\4arpa"), .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 8375, 4"},
    {NAME("\7service\4arpa"), .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 9665, 8.4"},
    {NAME("\10resolver\4arpa"), .kind = SPECIAL_KIND_NODATA, .rfc = "RFC 9462, 6.4"},

    {NAME("\3"
          "127" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY,
     POINTER("\1"
             "1" ZERO ZERO "\3"
             "127" IN_ADDR),
     .rfc = "RFC 6303, 4.2"},
    {NAME("\1"
          "1" ZEROS_31 IP6),
     .kind = SPECIAL_KIND_EMPTY,
     POINTER("\1"
             "1" ZEROS_31 IP6),
     .rfc = "RFC 6303, 4.3"},
    {NAME(ZERO ZEROS_31 IP6), .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.3"},
    {NAME("\2"
          "10" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.1"},
    {NAME("\3"
          "172" IN_ADDR),
     .first = 16, .last = 31, .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.1"},
    {NAME("\3"
          "168\3"
          "192" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.1"},
    {NAME("\3"
          "100" IN_ADDR),
     .first = 64, .last = 127, .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 7793, 4"},
    {NAME(ZERO IN_ADDR), .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.2"},
    {NAME("\3"
          "254\3"
          "169" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.2"},
    {NAME("\1"
          "2" ZERO "\3"
          "192" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.2"},
    {NAME("\3"
          "100\2"
          "51\3"
          "198" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.2"},
    {NAME("\3"
          "113\1"
          "0\3"
          "203" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.2"},
    {NAME("\3"
          "255\3"
          "255\3"
          "255\3"
          "255" IN_ADDR),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.2"},
    {NAME("\1d\1f" IP6), .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.4"},
    {NAME("\1"
          "8\1e\1f" IP6),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.5"},
    {NAME("\1"
          "9\1e\1f" IP6),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.5"},
    {NAME("\1"
          "a\1e\1f" IP6),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.5"},
    {NAME("\1"
          "b\1e\1f" IP6),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.5"},
    {NAME("\1"
          "8\1"
          "b\1d\1"
          "0\1"
          "1\1"
          "0\1"
          "0\1"
          "2" IP6),
     .kind = SPECIAL_KIND_EMPTY, .rfc = "RFC 6303, 4.6"},
};
/* clang-format on */

enum { ZONES = sizeof zones / sizeof *zones };

const struct special_zone *special_names_table(size_t *ret_count)
{
    *ret_count = ZONES;
    return zones;
}

/* A name in lower case, and where its labels begin. */
struct split_name {
    const uint8_t *bytes;
    size_t size;
    size_t label_count; /* without the root */
    uint8_t labels[LABELS_MAX];
};

/* Whether the last label may have `length` octets, judged by one octet. */
static bool may_end_in(const uint8_t *name, size_t size, size_t length)
{
    return size >= length + 2 && name[size - 2 - length] == length;
}

/* Whether the name may be in the table, judged by the length and the last letter of its last label. This rejects most
 * names. */
static bool may_be_special(const uint8_t *name, size_t size)
{
    if (size < 2) return false;
    switch (name[size - 2] | 0x20) {
    case 'a': return may_end_in(name, size, sizeof "arpa" - 1);
    case 't': return may_end_in(name, size, sizeof "test" - 1) || may_end_in(name, size, sizeof "localhost" - 1);
    case 'd': return may_end_in(name, size, sizeof "invalid" - 1);
    case 'l': return may_end_in(name, size, sizeof "local" - 1);
    case 'n': return may_end_in(name, size, sizeof "onion" - 1);
    default: return false;
    }
}

static void split(const uint8_t *name, size_t size, struct split_name *ret_split)
{
    ret_split->bytes = name;
    ret_split->size = size;
    ret_split->label_count = 0;
    for (size_t at = 0; at + 1 < size && ret_split->label_count < LABELS_MAX; at += 1u + name[at])
        ret_split->labels[ret_split->label_count++] = (uint8_t)at;
}

/* The label that begins at `at`, as a decimal number of up to 255 without leading zeros; -1 if it is not one. */
static int decimal_label(const uint8_t *name, size_t at)
{
    int value = 0;
    size_t size = name[at];
    if (size == 0 || size > 3 || (size > 1 && name[at + 1] == '0')) return -1;
    for (size_t i = 1; i <= size; i++) {
        if (name[at + i] < '0' || name[at + i] > '9') return -1;
        value = value * 10 + (name[at + i] - '0');
    }
    return value <= UINT8_MAX ? value : -1;
}

/* Whether the name is the zone's name or below it; `ret_at` is where the zone's name begins. */
static bool is_in(const struct split_name *name, const struct special_zone *zone, size_t *ret_at)
{
    if (zone->name_size > name->size) return false;
    size_t at = name->size - zone->name_size;
    if (memcmp(name->bytes + at, zone->name, zone->name_size) != 0) return false;
    size_t label = 0;
    while (label < name->label_count && name->labels[label] < at) label++;
    if (label == name->label_count || name->labels[label] != at) return false; /* within a label */
    if (zone->last > 0) {
        if (label == 0) return false;
        at = name->labels[label - 1];
        int number = decimal_label(name->bytes, at);
        if (number < zone->first || number > zone->last) return false;
    }
    *ret_at = at;
    return true;
}

static enum special_verdict judge_empty(const struct special_zone *zone, const uint8_t *name, size_t size, bool is_apex,
                                        uint16_t type)
{
    bool is_pointer = zone->pointer && size == zone->pointer_size && memcmp(name, zone->pointer, size) == 0;
    bool leads_to_pointer = zone->pointer && size < zone->pointer_size &&
                            memcmp(name, zone->pointer + zone->pointer_size - size, size) == 0;
    if (is_pointer && type == DNS_TYPE_PTR) return SPECIAL_POINTER;
    if (is_apex && type == DNS_TYPE_SOA) return SPECIAL_SOA;
    if (is_apex && type == DNS_TYPE_NS) return SPECIAL_NS;
    if (is_apex && type == DNS_TYPE_DS) return SPECIAL_FORWARD;
    return is_apex || is_pointer || leads_to_pointer ? SPECIAL_NODATA : SPECIAL_NXDOMAIN;
}

static enum special_verdict judge(const struct special_zone *zone, const uint8_t *name, size_t size, bool is_apex,
                                  uint16_t type)
{
    if (zone->kind == SPECIAL_KIND_EMPTY) return judge_empty(zone, name, size, is_apex, type);
    if (is_apex && type == DNS_TYPE_SOA) return SPECIAL_SOA;
    if (zone->kind == SPECIAL_KIND_NXDOMAIN) return SPECIAL_NXDOMAIN;
    bool is_address = zone->kind == SPECIAL_KIND_ADDRESS && (type == DNS_TYPE_A || type == DNS_TYPE_AAAA);
    return is_address ? SPECIAL_ADDRESS : SPECIAL_NODATA;
}

enum special_verdict special_names_find(const uint8_t *name, size_t name_size, uint16_t type,
                                        struct special_match *ret_match)
{
    uint8_t lower[DNS_NAME_MAX];
    struct split_name split_name;
    if (!may_be_special(name, name_size)) return SPECIAL_NONE;
    name_to_lower(name, name_size, lower);
    split(lower, name_size, &split_name);
    for (size_t i = 0; i < ZONES; i++) {
        size_t at;
        if (!is_in(&split_name, &zones[i], &at)) continue;
        *ret_match = (struct special_match){&zones[i], at, name_size - at};
        return judge(&zones[i], lower, name_size, at == 0, type);
    }
    return SPECIAL_NONE;
}

/* ---- the answer ---- */

static void add_address(struct local_answer *answer, const uint8_t *name, size_t name_size, uint16_t type)
{
    static const uint8_t loopback_ipv4[] = {127, 0, 0, 1};
    static const uint8_t loopback_ipv6[16] = {[15] = 1};
    bool is_ipv4 = type == DNS_TYPE_A;
    const struct local_record record = {
        .owner = name,
        .owner_size = name_size,
        .type = type,
        .ttl_s = TTL_S,
        .data = is_ipv4 ? loopback_ipv4 : loopback_ipv6,
        .data_size = is_ipv4 ? sizeof loopback_ipv4 : sizeof loopback_ipv6,
    };
    local_answer_add(answer, DNS_ANSWER, &record);
}

/* A record of the name whose data is another name. */
static void add_name(struct local_answer *answer, const uint8_t *name, size_t name_size, uint16_t type,
                     const uint8_t *data, size_t data_size)
{
    const struct local_record record = {name, name_size, type, TTL_S, data, (uint16_t)data_size};
    local_answer_add(answer, DNS_ANSWER, &record);
}

uint16_t special_names_add(struct local_answer *answer, enum special_verdict verdict, const struct special_match *match,
                           const uint8_t *name, size_t name_size, uint16_t type)
{
    static const char localhost[] = "\11localhost";
    const uint8_t *zone = name + match->zone_at;
    switch (verdict) {
    case SPECIAL_ADDRESS: add_address(answer, name, name_size, type); break;
    case SPECIAL_POINTER:
        add_name(answer, name, name_size, DNS_TYPE_PTR, (const uint8_t *)localhost, sizeof localhost);
        break;
    case SPECIAL_NS: add_name(answer, name, name_size, DNS_TYPE_NS, zone, match->zone_size); break;
    case SPECIAL_SOA: local_answer_add_soa(answer, DNS_ANSWER, zone, match->zone_size, TTL_S); break;
    case SPECIAL_NODATA:
    case SPECIAL_NXDOMAIN: local_answer_add_soa(answer, DNS_AUTHORITY, zone, match->zone_size, TTL_S); break;
    case SPECIAL_NONE:
    case SPECIAL_FORWARD: break;
    }
    return verdict == SPECIAL_NXDOMAIN ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
}

size_t special_names_write(enum special_verdict verdict, const struct special_match *match,
                           const struct question *question, uint8_t *out)
{
    struct local_answer answer;
    uint8_t name[DNS_NAME_MAX];
    name_to_lower(question->name, question->name_size, name);
    local_answer_begin(&answer, out, SPECIAL_ANSWER_BYTES, question);
    uint16_t rcode = special_names_add(&answer, verdict, match, name, question->name_size, question->type);
    return local_answer_finish(&answer, rcode);
}

const char *special_verdict_text(enum special_verdict verdict)
{
    switch (verdict) {
    case SPECIAL_NONE: return "no special-use name";
    case SPECIAL_FORWARD: return "forwarded, as its parent answers for it";
    case SPECIAL_ADDRESS: return "the loopback address";
    case SPECIAL_POINTER: return "PTR localhost.";
    case SPECIAL_SOA: return "the zone's SOA record";
    case SPECIAL_NS: return "the zone's NS record";
    case SPECIAL_NODATA: return "NODATA";
    case SPECIAL_NXDOMAIN: return "NXDOMAIN";
    }
    return "";
}
