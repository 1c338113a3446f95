#include "queries/record_list.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECORD_FIXED_BYTES = 12, /* on the wire, with a compressed owner */
    RRSET_BYTES_MAX = DNS_MESSAGE_MAX - DNS_HEADER_BYTES - DNS_NAME_MAX - 4,
};

/* FNV-1a; what is in the list comes from the configuration, so the hash needs no key. */
static uint32_t hash_of(const struct zone_record *record)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < record->owner_size; i++) hash = (hash ^ record->bytes[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t *head_of(const struct record_list *list, const struct zone_record *record)
{
    return &list->heads[hash_of(record) & (2 * list->capacity - 1)];
}

static void link_record(struct record_list *list, size_t index)
{
    uint32_t *head = head_of(list, &list->records[index]);
    list->next[index] = *head;
    *head = (uint32_t)index + 1;
}

static bool grow(struct record_list *list)
{
    size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
    if (capacity > INT32_MAX) return false;
    struct zone_record *records = reallocarray(list->records, capacity, sizeof *records);
    if (records) list->records = records;
    uint32_t *next = reallocarray(list->next, capacity, sizeof *next);
    if (next) list->next = next;
    uint32_t *heads = calloc(2 * capacity, sizeof *heads);
    if (!records || !next || !heads) {
        free(heads);
        return false;
    }
    free(list->heads);
    list->heads = heads;
    list->capacity = capacity;
    for (size_t i = 0; i < list->count; i++) link_record(list, i);
    return true;
}

static bool is_of_name(const struct zone_record *a, const struct zone_record *b)
{
    return a->owner_size == b->owner_size && memcmp(a->bytes, b->bytes, a->owner_size) == 0;
}

static bool conflicts(const struct zone_record *a, const struct zone_record *b)
{
    bool cname = a->type == DNS_TYPE_CNAME || b->type == DNS_TYPE_CNAME;
    return cname || (a->type == DNS_TYPE_SOA && b->type == DNS_TYPE_SOA);
}

enum record_list_status record_list_add(struct record_list *list, const struct zone_record *record)
{
    if (list->count == list->capacity && !grow(list)) return RECORD_LIST_NO_MEMORY;
    size_t set_bytes = RECORD_FIXED_BYTES + record->data_size;
    for (uint32_t i = *head_of(list, record); i != 0; i = list->next[i - 1]) {
        const struct zone_record *other = &list->records[i - 1];
        if (!is_of_name(other, record)) continue;
        if (zone_record_equal(other, record)) return RECORD_LIST_TWICE;
        if (conflicts(other, record)) return RECORD_LIST_CONFLICT;
        if (other->type == record->type) set_bytes += RECORD_FIXED_BYTES + other->data_size;
    }
    if (set_bytes > RRSET_BYTES_MAX) return RECORD_LIST_CONFLICT;
    list->records[list->count] = *record;
    link_record(list, list->count++);
    return RECORD_LIST_OK;
}

void record_list_clear(struct record_list *list)
{
    for (size_t i = 0; i < list->count; i++) zone_record_free(&list->records[i]);
    free(list->records);
    free(list->next);
    free(list->heads);
    *list = (struct record_list){.records = NULL};
}
