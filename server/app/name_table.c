#include "app/name_table.h"

#include "app/hosts_file.h"

static bool add_records(struct names *names, const struct record_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct zone_record *record = &list->records[i];
        const struct names_record added = {
            .owner = record->bytes,
            .owner_size = record->owner_size,
            .type = record->type,
            .data_size = record->data_size,
            .ttl_s = record->ttl_s,
            .data = zone_record_data(record),
            .overrides = true,
        };
        if (!names_add_record(names, &added)) return false;
    }
    return true;
}

struct names *name_table_new(const struct config *config, const struct log *log)
{
    struct names *names = names_new(config->names.special_use == SPECIAL_USE_LOCAL);
    if (!names) return NULL;
    bool good = add_records(names, &config->names.records);
    if (good && config->names.hosts_file[0]) good = hosts_file_add(config->names.hosts_file, names, log);
    if (good) return names;
    names_free(names);
    return NULL;
}
