#include "dns/validator.h"

#include <ldns/ldns.h>
#include <string.h>

#include "dns/message.h"

/* What ldns is asked to read; beyond these the walk over the fields has to do. It allocates for each field, and each
 * time the size of all the record's data: a TXT record of 64 KB in empty strings would cost 4 GB, and half a
 * microsecond a string. */
enum {
    RECORD_FIELDS_MAX = 32,   /* a TXT record of 8 KB in full strings; not above 2 MB then */
    MESSAGE_FIELDS_MAX = 256, /* some 50 us; a usual answer has less than 30 */
    POINTERS_PER_FIELD = 8,   /* ldns follows them anew for each name, at about an eighth of the cost of a field */
};

enum { DATA_SIZE_BYTES = 2 }; /* before a record's data */

/* The types whose data are looked at: those of RFC 1035, and what is in use today. */
static bool has_known_form(uint16_t type)
{
    switch ((int)type) {
    case LDNS_RR_TYPE_A:
    case LDNS_RR_TYPE_NS:
    case LDNS_RR_TYPE_MD:
    case LDNS_RR_TYPE_MF:
    case LDNS_RR_TYPE_CNAME:
    case LDNS_RR_TYPE_SOA:
    case LDNS_RR_TYPE_MB:
    case LDNS_RR_TYPE_MG:
    case LDNS_RR_TYPE_MR:
    case LDNS_RR_TYPE_PTR:
    case LDNS_RR_TYPE_HINFO:
    case LDNS_RR_TYPE_MINFO:
    case LDNS_RR_TYPE_MX:
    case LDNS_RR_TYPE_TXT:
    case LDNS_RR_TYPE_RP:
    case LDNS_RR_TYPE_AFSDB:
    case LDNS_RR_TYPE_AAAA:
    case LDNS_RR_TYPE_SRV:
    case LDNS_RR_TYPE_NAPTR:
    case LDNS_RR_TYPE_KX:
    case LDNS_RR_TYPE_DNAME:
    case LDNS_RR_TYPE_DS:
    case LDNS_RR_TYPE_SSHFP:
    case LDNS_RR_TYPE_RRSIG:
    case LDNS_RR_TYPE_NSEC:
    case LDNS_RR_TYPE_DNSKEY:
    case LDNS_RR_TYPE_NSEC3:
    case LDNS_RR_TYPE_NSEC3PARAM:
    case LDNS_RR_TYPE_TLSA:
    case LDNS_RR_TYPE_CDS:
    case LDNS_RR_TYPE_CDNSKEY:
    case LDNS_RR_TYPE_SVCB:
    case LDNS_RR_TYPE_HTTPS:
    case LDNS_RR_TYPE_SPF:
    case LDNS_RR_TYPE_TSIG:
    case LDNS_RR_TYPE_CAA: return true;
    default: return false;
    }
}

/* The size of a field that has always the same, else 0. */
static size_t field_bytes(ldns_rdf_type type)
{
    switch ((int)type) { /* an int: those not named are variable, and newer versions of ldns have more of them */
    case LDNS_RDF_TYPE_CLASS:
    case LDNS_RDF_TYPE_ALG:
    case LDNS_RDF_TYPE_CERTIFICATE_USAGE:
    case LDNS_RDF_TYPE_SELECTOR:
    case LDNS_RDF_TYPE_MATCHING_TYPE:
    case LDNS_RDF_TYPE_INT8: return 1;
    case LDNS_RDF_TYPE_TYPE:
    case LDNS_RDF_TYPE_CERT_ALG:
    case LDNS_RDF_TYPE_INT16: return 2;
    case LDNS_RDF_TYPE_TIME:
    case LDNS_RDF_TYPE_PERIOD:
    case LDNS_RDF_TYPE_A:
    case LDNS_RDF_TYPE_INT32: return 4;
    case LDNS_RDF_TYPE_TSIGTIME:
    case LDNS_RDF_TYPE_EUI48: return 6;
    case LDNS_RDF_TYPE_ILNP64:
    case LDNS_RDF_TYPE_EUI64: return 8;
    case LDNS_RDF_TYPE_AAAA: return 16;
    default: return 0;
    }
}

/* Passes over one field; the reader ends where the record's data do. */
static void pass_field(struct reader *data, ldns_rdf_type type)
{
    switch ((int)type) {
    case LDNS_RDF_TYPE_DNAME: reader_name(data, true); break;
    case LDNS_RDF_TYPE_STR:
    case LDNS_RDF_TYPE_TAG:
    case LDNS_RDF_TYPE_NSEC3_SALT:
    case LDNS_RDF_TYPE_B32_EXT:
    case LDNS_RDF_TYPE_NSEC3_NEXT_OWNER: reader_skip(data, reader_u8(data)); break;
    case LDNS_RDF_TYPE_INT16_DATA: reader_skip(data, reader_u16(data)); break;
    default: {
        size_t size = field_bytes(type);
        reader_skip(data, size > 0 ? size : data->size - data->at);
    }
    }
}

/* Passes over the fields of the record's type, which must fill its data exactly. A field that is whatever remains may
 * be empty, as the value of CAA may; any other must be there. `on_pointer`, if it is not NULL, is told of each
 * pointer that ends a name in the data, and may refuse it. Returns the number of fields, SIZE_MAX if they do not
 * fill the data. */
static size_t walk_fields(struct reader *reader, const struct record *record,
                          bool (*on_pointer)(void *context, size_t pointer_at), void *context)
{
    struct reader data = *reader;
    data.at = record->data;
    data.size = record->data + record->data_size;
    const ldns_rr_descriptor *descriptor = ldns_rr_descript(record->type);
    size_t least = ldns_rr_descriptor_minimum(descriptor);
    size_t most = ldns_rr_descriptor_maximum(descriptor);
    size_t i = 0;
    for (; !data.failed && (i < least || (i < most && data.at < data.size)); i++) {
        data.pointer_at = 0;
        pass_field(&data, ldns_rr_descriptor_field_type(descriptor, i));
        if (on_pointer && data.pointer_at > 0 && !on_pointer(context, data.pointer_at)) return SIZE_MAX;
    }
    reader->is_watched_hit = data.is_watched_hit;
    reader->pointers = data.pointers;
    return !data.failed && data.at == data.size ? i : SIZE_MAX;
}

static bool is_questions_name(const uint8_t *message, size_t at)
{
    enum { POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_BYTES };
    return dns_u16(message + at) == POINTER_TO_QUESTION;
}

/* Whether ldns reads the data; the owner was read before. Without the owner 700 instructions less: four allocations,
 * and their ends. */
static bool read_data(const struct reader *reader, const struct record *record)
{
    size_t at = record->data - DATA_SIZE_BYTES;
    ldns_rr *rr = ldns_rr_new();
    if (!rr) return false;
    ldns_rr_set_type(rr, record->type);
    bool is_read = ldns_wire2rdf(rr, reader->message, reader->size, &at) == LDNS_STATUS_OK;
    ldns_rr_free(rr);
    return is_read && at == reader->at;
}

/* Its data are so many octets, whatever they are: the walk has counted them, and ldns would only copy them. */
static bool is_address(const struct record *record)
{
    return record->type == LDNS_RR_TYPE_A || record->type == LDNS_RR_TYPE_AAAA;
}

static bool read_record(const struct reader *reader, const struct record *record)
{
    size_t at = record->owner;
    ldns_rr *rr = NULL;
    if (ldns_wire2rr(&rr, reader->message, reader->size, &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) return false;
    ldns_rr_free(rr);
    return at == reader->at;
}

bool validator_is_record(struct validator *validator, struct reader *reader, const struct record *record)
{
    size_t pointers_before = validator->pointers;
    validator->pointers = reader->pointers;
    if (!has_known_form(record->type)) return true;
    size_t fields = walk_fields(reader, record, NULL, NULL);
    if (fields == SIZE_MAX) return false;
    validator->pointers = reader->pointers;
    size_t work = fields + (reader->pointers - pointers_before) / POINTERS_PER_FIELD;
    if (fields > RECORD_FIELDS_MAX || validator->work + work > MESSAGE_FIELDS_MAX) return true;
    validator->work += work;
    if (!is_questions_name(reader->message, record->owner)) return read_record(reader, record);
    return is_address(record) || read_data(reader, record); /* 900 instructions less for an address */
}

bool validator_is_name(const uint8_t *message, size_t size, size_t at, size_t name_size)
{
    ldns_rdf *name;
    size_t end = at;
    if (ldns_wire2dname(&name, message, size, &end) != LDNS_STATUS_OK) return false;
    ldns_rdf_deep_free(name);
    return end == at + name_size;
}

static bool is_question(struct reader *reader)
{
    size_t at = reader->at;
    size_t name_size = reader_name(reader, false);
    reader_skip(reader, 4);
    return !reader->failed && validator_is_name(reader->message, reader->size, at, name_size);
}

bool validator_is_message(const uint8_t *message, size_t size)
{
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    struct validator validator = {0};
    if (size < DNS_HEADER_BYTES || message_count(message, DNS_QUESTION) != 1 || !is_question(&reader)) return false;
    size_t left = (size_t)message_count(message, DNS_ANSWER) + message_count(message, DNS_AUTHORITY) +
                  message_count(message, DNS_ADDITIONAL);
    for (; left > 0; left--) {
        struct record record;
        reader_record(&reader, &record);
        if (reader.failed) return false;
        if (record.type != DNS_TYPE_OPT && !validator_is_record(&validator, &reader, &record)) return false;
    }
    return reader.at == size;
}

/* ---- the removal of a part of a message ---- */

struct removal {
    uint8_t *message;
    size_t at;
    size_t size;
};

/* Lowers a pointer to what follows the part. */
static bool shift_pointer(void *context, size_t pointer_at)
{
    const struct removal *removal = context;
    uint8_t *pointer = removal->message + pointer_at;
    size_t target = dns_u16(pointer) & 0x3fff;
    if (target < removal->at) return true;
    if (target < removal->at + removal->size) return false;
    dns_put_u16(pointer, (uint16_t)(dns_u16(pointer) - removal->size));
    return true;
}

/* Has each pointer in the names of `count` records changed; false if one cannot be. */
static bool change_pointers(uint8_t *message, size_t size, size_t from, size_t count,
                            bool (*change)(void *context, size_t pointer_at), void *context)
{
    struct reader reader = {.message = message, .size = size, .at = from, .is_shallow = true};
    for (; count > 0; count--) {
        struct record record;
        reader_record(&reader, &record);
        if (reader.failed) return false;
        if (reader.pointer_at > 0 && !change(context, reader.pointer_at)) return false;
        if (has_known_form(record.type) && walk_fields(&reader, &record, change, context) == SIZE_MAX) return false;
    }
    return true;
}

bool validator_shift_pointers(uint8_t *message, size_t size, size_t from, size_t count, size_t cut_at, size_t cut_size)
{
    struct removal removal = {message, cut_at, cut_size};
    return change_pointers(message, size, from, count, shift_pointer, &removal);
}

/* ---- the move of records into another message ---- */

struct move {
    uint8_t *message;
    size_t moved;
    size_t question_end;
    size_t name_at;
};

static bool move_pointer(void *context, size_t pointer_at)
{
    enum { POINTER_MAX = 0x3fff, POINTER = 0xc000 };
    const struct move *move = context;
    size_t target = dns_u16(move->message + pointer_at) & POINTER_MAX;
    bool into_question = target < move->question_end;
    target = into_question ? move->name_at + target - DNS_HEADER_BYTES : target + move->moved;
    if (target > POINTER_MAX) return false;
    dns_put_u16(move->message + pointer_at, (uint16_t)(POINTER | target));
    return true;
}

bool validator_move_pointers(uint8_t *message, size_t size, size_t from, size_t count, size_t moved,
                             size_t question_end, size_t name_at)
{
    struct move move = {message, moved, question_end, name_at};
    return change_pointers(message, size, from, count, move_pointer, &move);
}

const char *validator_library_version(void)
{
    return ldns_version();
}
