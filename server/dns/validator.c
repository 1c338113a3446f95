#include "dns/validator.h"

#include <ldns/ldns.h>
#include <string.h>

#include "dns/message.h"

/* What ldns is asked to read; beyond these the walk over the fields has to do. It allocates for each field, and each
 * time the size of all the record's data: a TXT record of 64 KB in empty strings would cost 4 GB, and half a
 * microsecond a string. */
enum {
    RECORD_FIELDS_MAX = 32,    /* a TXT record of 8 KB in full strings; not above 2 MB then */
    MESSAGE_FIELDS_MAX = 8192, /* twice the A records that a message can hold */
};

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
    case LDNS_RDF_TYPE_HIP: { /* sizes of two fields, an octet between them, then both (RFC 8005, 5) */
        size_t tag_size = reader_u8(data);
        reader_skip(data, 1);
        reader_skip(data, tag_size + reader_u16(data));
        break;
    }
    default: {
        size_t size = field_bytes(type);
        reader_skip(data, size > 0 ? size : data->size - data->at);
    }
    }
}

/* Whether the fields of the record's type fill its data exactly. A field that is whatever remains may be nothing, as an
 * empty value of CAA is; any other must be there. */
static bool walk_fields(const struct reader *message, const struct record *record, size_t *ret_count)
{
    struct reader data = *message;
    data.at = record->data;
    data.size = record->data + record->data_size;
    const ldns_rr_descriptor *descriptor = ldns_rr_descript(record->type);
    size_t least = ldns_rr_descriptor_minimum(descriptor);
    size_t most = ldns_rr_descriptor_maximum(descriptor);
    size_t i = 0;
    for (; !data.failed && (i < least || (i < most && data.at < data.size)); i++)
        pass_field(&data, ldns_rr_descriptor_field_type(descriptor, i));
    *ret_count = i;
    return !data.failed && data.at == data.size;
}

static bool read_question(struct reader *reader)
{
    size_t at = reader->at;
    reader_name(reader, false);
    if (reader->failed) return false;
    ldns_rdf *name;
    if (ldns_wire2dname(&name, reader->message, reader->size, &at) != LDNS_STATUS_OK) return false;
    ldns_rdf_deep_free(name);
    reader_skip(reader, 4);
    return true;
}

/* What ldns makes of the next record: to be freed; NULL where it was not asked. `budget` is the fields it may still
 * read. */
static bool read_record(struct reader *reader, size_t *budget, ldns_rr **ret_rr, uint16_t *ret_type)
{
    struct record record;
    size_t at = reader->at;
    size_t fields;
    *ret_rr = NULL;
    reader_record(reader, &record);
    if (reader->failed) return false;
    *ret_type = record.type;
    if (record.type == DNS_TYPE_OPT) return true;
    if (!walk_fields(reader, &record, &fields)) return false;
    if (fields > RECORD_FIELDS_MAX || fields > *budget) return true;
    *budget -= fields;
    if (ldns_wire2rr(ret_rr, reader->message, reader->size, &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) return false;
    if (at == reader->at) return true;
    ldns_rr_free(*ret_rr);
    return false;
}

static size_t record_count(const uint8_t *message)
{
    return (size_t)message_count(message, DNS_ANSWER) + message_count(message, DNS_AUTHORITY) +
           message_count(message, DNS_ADDITIONAL);
}

bool validator_is_message(const uint8_t *message, size_t size, const uint8_t *ttls, size_t ttl_count)
{
    struct reader reader = {
        .message = message, .size = size, .at = DNS_HEADER_BYTES, .ttls = ttls, .ttl_count = ttl_count};
    if (size < DNS_HEADER_BYTES || message_count(message, DNS_QUESTION) != 1 || !read_question(&reader)) return false;
    size_t budget = MESSAGE_FIELDS_MAX;
    for (size_t left = record_count(message); left > 0; left--) {
        ldns_rr *rr;
        uint16_t type;
        if (!read_record(&reader, &budget, &rr, &type)) return false;
        ldns_rr_free(rr);
    }
    return !reader.failed && reader.at == size;
}

/* Appends each record but OPT. */
static bool write_records(struct reader *reader, ldns_buffer *buffer)
{
    size_t budget = MESSAGE_FIELDS_MAX;
    for (size_t left = record_count(reader->message); left > 0; left--) {
        ldns_rr *rr;
        uint16_t type;
        if (!read_record(reader, &budget, &rr, &type)) return false;
        if (type == DNS_TYPE_OPT) continue;
        if (!rr) return false;
        ldns_status status = ldns_rr2buffer_wire(buffer, rr, LDNS_SECTION_ANSWER);
        ldns_rr_free(rr);
        if (status != LDNS_STATUS_OK) return false;
    }
    return true;
}

size_t validator_without_opt(const uint8_t *message, size_t size, uint8_t *out, size_t capacity)
{
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    if (size < DNS_HEADER_BYTES || message_count(message, DNS_QUESTION) != 1 || !read_question(&reader)) return 0;
    if (message_count(message, DNS_ADDITIONAL) == 0 || reader.failed) return 0;
    ldns_buffer *buffer = ldns_buffer_new(size);
    if (!buffer) return 0;
    ldns_buffer_write(buffer, message, reader.at);
    size_t written = write_records(&reader, buffer) && reader.at == size ? ldns_buffer_position(buffer) : 0;
    if (written <= capacity && written > 0) {
        memcpy(out, ldns_buffer_begin(buffer), written);
        dns_put_u16(out + 10, (uint16_t)(message_count(message, DNS_ADDITIONAL) - 1));
    } else {
        written = 0;
    }
    ldns_buffer_free(buffer);
    return written;
}

const char *validator_library_version(void)
{
    return ldns_version();
}
