#include "dns/tsig.h"

#include <string.h>

enum {
    TIME_BYTES = 6 + 2, /* the time it was signed at, and the fudge */
    ERROR_BADKEY = 17,
    REPLY_FIXED_BYTES = TIME_BYTES + 2 + 2 + 2 + 2, /* with no MAC: its size, the id, the error, the size of the rest */
};

bool tsig_parse(const uint8_t *message, size_t size, const struct record *record, struct tsig *ret_tsig)
{
    struct reader reader = {.message = message, .size = record->data + record->data_size, .at = record->data};
    if (record->class != DNS_CLASS_ANY || record->ttl != 0 || reader.size > size) return false;
    reader_name(&reader, false);
    size_t time_at = reader.at;
    reader_skip(&reader, TIME_BYTES);
    reader_skip(&reader, reader_u16(&reader)); /* the MAC */
    reader_skip(&reader, 4);                   /* the original id and the error */
    reader_skip(&reader, reader_u16(&reader)); /* other data */
    if (reader.failed || reader.at != reader.size) return false;
    *ret_tsig = (struct tsig){message, record->owner, record->data, message + time_at};
    return true;
}

size_t tsig_write_badkey(const struct tsig *tsig, uint16_t id, uint8_t *out)
{
    uint8_t *at = out + name_expand(tsig->message, tsig->key_name, out);
    dns_put_u16(at, DNS_TYPE_TSIG);
    dns_put_u16(at + 2, DNS_CLASS_ANY);
    dns_put_u32(at + 4, 0);
    uint8_t *data = at + 10;
    size_t algorithm_size = name_expand(tsig->message, tsig->algorithm, data);
    dns_put_u16(at + 8, (uint16_t)(algorithm_size + REPLY_FIXED_BYTES));
    at = data + algorithm_size;
    memcpy(at, tsig->at, TIME_BYTES);
    dns_put_u16(at + TIME_BYTES, 0); /* no MAC */
    dns_put_u16(at + TIME_BYTES + 2, id);
    dns_put_u16(at + TIME_BYTES + 4, ERROR_BADKEY);
    dns_put_u16(at + TIME_BYTES + 6, 0); /* no other data */
    return (size_t)(at + REPLY_FIXED_BYTES - out);
}
