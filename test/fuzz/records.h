/* records: messages record by record, with ldns's eyes wherever ldns can see. It reads records of some rare types
 * otherwise than they are framed (NSAP-PTR or SINK to behind their end) or refuses them (a URI record of one octet);
 * the program passes their data on without a look, and so these records, and no others, are compared octet by octet. */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h> /* first: without it ldns makes a bool of its own */

#include <ldns/ldns.h>
#include <string.h>

#include "dns/answer.h"
#include "dns/ede.h"
#include "framed.h"
#include "need.h"

/* Types of which ldns 1.8 refuses or misreads some record of random data (found by trying all of them), without those
 * whose form the program demands itself (dns/validator.c). */
static inline bool is_misread(uint16_t type)
{
    switch ((int)type) {
    case LDNS_RR_TYPE_WKS:
    case LDNS_RR_TYPE_X25:
    case LDNS_RR_TYPE_ISDN:
    case LDNS_RR_TYPE_RT:
    case LDNS_RR_TYPE_NSAP_PTR:
    case LDNS_RR_TYPE_SIG:
    case LDNS_RR_TYPE_KEY:
    case LDNS_RR_TYPE_PX:
    case LDNS_RR_TYPE_GPOS:
    case LDNS_RR_TYPE_NXT:
    case LDNS_RR_TYPE_CERT:
    case LDNS_RR_TYPE_SINK:
    case LDNS_RR_TYPE_HIP:
    case LDNS_RR_TYPE_TALINK:
    case LDNS_RR_TYPE_CSYNC:
    case LDNS_RR_TYPE_ZONEMD:
    case LDNS_RR_TYPE_NID:
    case LDNS_RR_TYPE_L32:
    case LDNS_RR_TYPE_L64:
    case LDNS_RR_TYPE_LP:
    case LDNS_RR_TYPE_EUI48:
    case LDNS_RR_TYPE_EUI64:
    case LDNS_RR_TYPE_TKEY:
    case LDNS_RR_TYPE_URI:
    case LDNS_RR_TYPE_DLV: return true;
    default: return false;
    }
}

/* A message that is gone through; `record` is the one at hand. */
struct pass {
    struct reader reader;
    struct record record;
    unsigned left; /* of the section */
};

static inline struct pass pass_begin(const uint8_t *message, size_t size)
{
    struct pass pass = {.reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES}};
    for (unsigned i = 0; i < message_count(message, DNS_QUESTION); i++) {
        reader_name(&pass.reader, false);
        reader_skip(&pass.reader, 4);
    }
    return pass;
}

static inline void pass_enter(struct pass *pass, enum dns_section section)
{
    pass->left = message_count(pass->reader.message, section);
}

/* The next record of the section that is not OPT; false where there is none. */
static inline bool pass_next(struct pass *pass)
{
    while (pass->left > 0) {
        pass->left--;
        reader_record(&pass->reader, &pass->record);
        need(!pass->reader.failed);
        if (pass->record.type != DNS_TYPE_OPT) return true;
    }
    return false;
}

/* The record at hand as ldns reads it: as a whole, and ending where it ends. */
static inline ldns_rr *read_record(const struct pass *pass)
{
    ldns_rr *rr = NULL;
    size_t at = pass->record.owner;
    need(ldns_wire2rr(&rr, pass->reader.message, pass->reader.size, &at, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK);
    need(at == pass->reader.at);
    return rr;
}

static inline ldns_rdf *read_owner(const struct pass *pass)
{
    ldns_rdf *name = NULL;
    size_t at = pass->record.owner;
    need(ldns_wire2dname(&name, pass->reader.message, pass->reader.size, &at) == LDNS_STATUS_OK);
    return name;
}

/* Owner, class, type and data; the time to live is the caller's. */
static inline void compare_records(const struct pass *ours, const struct pass *theirs)
{
    const struct record *our = &ours->record;
    const struct record *their = &theirs->record;
    need(our->type == their->type && our->class == their->class);
    if (is_misread(our->type)) {
        ldns_rdf *our_owner = read_owner(ours);
        ldns_rdf *their_owner = read_owner(theirs);
        need(ldns_dname_compare(our_owner, their_owner) == 0 && our->data_size == their->data_size);
        need(memcmp(ours->reader.message + our->data, theirs->reader.message + their->data, our->data_size) == 0);
        ldns_rdf_deep_free(our_owner);
        ldns_rdf_deep_free(their_owner);
        return;
    }
    ldns_rr *our_rr = read_record(ours);
    ldns_rr *their_rr = read_record(theirs);
    need(ldns_rr_compare(our_rr, their_rr) == 0);
    ldns_rr_free(our_rr);
    ldns_rr_free(their_rr);
}

/* All records but OPT are the same in the same order, with times to live that are `age_s` less, and not below 0. */
static inline void compare_messages(const uint8_t *ours, size_t our_size, const uint8_t *theirs, size_t their_size,
                                    uint32_t age_s)
{
    static const enum dns_section sections[] = {DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL};
    struct pass our = pass_begin(ours, our_size);
    struct pass their = pass_begin(theirs, their_size);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        pass_enter(&our, sections[i]);
        pass_enter(&their, sections[i]);
        while (pass_next(&our)) {
            need(pass_next(&their));
            compare_records(&our, &their);
            need(our.record.ttl == (their.record.ttl > age_s ? their.record.ttl - age_s : 0));
        }
        need(!pass_next(&their));
    }
    need(our.reader.at == our_size && their.reader.at == their_size);
}

static inline bool has_opt(const uint8_t *message, size_t size)
{
    struct pass pass = pass_begin(message, size);
    bool found = false;
    unsigned records = message_count(message, DNS_ANSWER) + message_count(message, DNS_AUTHORITY) +
                       message_count(message, DNS_ADDITIONAL);
    while (records-- > 0) {
        reader_record(&pass.reader, &pass.record);
        found |= pass.record.type == DNS_TYPE_OPT;
    }
    return found && !pass.reader.failed;
}

/* The message is framed, and ldns reads each of its records and the whole of it; the whole only where it has none of
 * the types above, behind which ldns may be lost. */
static inline void need_ldns_to_read(const uint8_t *message, size_t size)
{
    ldns_pkt *packet;
    bool has_misread = false;
    need(is_framed(message, size));
    struct pass pass = pass_begin(message, size);
    for (int section = DNS_ANSWER; section <= DNS_ADDITIONAL; section++) {
        pass_enter(&pass, (enum dns_section)section);
        while (pass_next(&pass)) {
            if (is_misread(pass.record.type))
                has_misread = true;
            else
                ldns_rr_free(read_record(&pass));
        }
    }
    if (has_misread) return;
    need(ldns_wire2pkt(&packet, message, size) == LDNS_STATUS_OK);
    ldns_pkt_free(packet);
}

/* The flags of a reply with this answer to one who asks with the flags of the response: without AA and the reserved
 * bit, and without AD where a negative trust anchor kept it from being validated. */
static inline uint16_t flags_to_give(const struct answer *answer, uint16_t flags)
{
    enum { RESERVED = 0x0040 };
    bool is_anchored = ede_has(answer->errors, answer->errors_size, DNS_EDE_NEGATIVE_TRUST_ANCHOR);
    unsigned dropped = RESERVED | DNS_AA | (is_anchored ? DNS_AD : 0);
    return (uint16_t)((flags & ~dropped) | DNS_RA);
}

#endif
