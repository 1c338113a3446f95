#include "config/walker.h"

#include <stdio.h>
#include <string.h>

#include "config/document.h"
#include "config/hints.h"
#include "config/misplaced.h"
#include "config/suggest.h"

enum { KEY_BYTES = 3 * SETTING_NAME_BYTES + 3 };

struct walker {
    yaml_document_t *document;
    struct faults *faults;
};

/* What a mapping may hold: the names of `section` ("" = the top) in `settings`. */
struct scope {
    struct settings settings;
    const char *section;
    void *fields;
    struct source_location *locations; /* one for each of `settings` */
};

static yaml_node_t *node_of(const struct walker *walker, int index)
{
    return yaml_document_get_node(walker->document, index);
}

/* `hint` is said behind the fault. */
static bool is_kind(const struct walker *walker, const yaml_node_t *node, const char *key, yaml_node_type_t type,
                    const char *wanted, const char *hint)
{
    if (node->type == type) return true;
    struct source_location location = document_location(node);
    faults_add(walker->faults, &location, "'%s': must be %s, not %s%s", key, wanted, document_kind(node), hint);
    return false;
}

/* The text of a single value, or of the only entry of a list; NULL: it is something else. */
static const char *only_text(const struct walker *walker, const yaml_node_t *node)
{
    if (node->type == YAML_SCALAR_NODE) return document_text(node);
    if (node->type != YAML_SEQUENCE_NODE) return NULL;
    const yaml_node_item_t *first = node->data.sequence.items.start;
    if (node->data.sequence.items.top - first != 1) return NULL;
    const yaml_node_t *entry = node_of(walker, *first);
    return entry->type == YAML_SCALAR_NODE ? document_text(entry) : NULL;
}

static void read_scalar(const struct walker *walker, const struct setting *setting, void *fields,
                        const yaml_node_t *node)
{
    struct source_location location = document_location(node);
    char why[SETTING_WHY_BYTES], allowed[SETTING_ALLOWED_BYTES], wanted[SETTING_WHY_BYTES], hint[HINT_BYTES] = "";
    const char *only = node->type == YAML_SCALAR_NODE ? NULL : only_text(walker, node);
    if (only) misplaced_in_list(setting, only, hint);
    snprintf(wanted, sizeof wanted, "a single value (%s)", setting_allowed(setting, allowed));
    if (!is_kind(walker, node, setting->key, YAML_SCALAR_NODE, wanted, hint)) return;
    if (document_is_null(node))
        faults_add(walker->faults, &location, "'%s': has no value; leave it out for the default", setting->key);
    else if (!setting_set(setting, fields, document_text(node), why))
        faults_add(walker->faults, &location, "'%s': %s%s", setting->key, why,
                   suggest_hint(setting, document_text(node), hint));
}

static void read_mapping(const struct walker *walker, const struct scope *scope, const yaml_node_t *node);

/* True if all that must be given is. */
static bool is_complete(const struct walker *walker, const struct scope *scope, const yaml_node_t *node)
{
    bool is_complete = true;
    for (size_t i = 0; i < scope->settings.count; i++) {
        const struct setting *setting = &scope->settings.rows[i];
        if (setting->usual || scope->locations[i].line > 0) continue;
        struct source_location location = document_location(node);
        faults_add(walker->faults, &location, "'%s': is missing", setting->key);
        is_complete = false;
    }
    return is_complete;
}

/* An entry in the form that a flag takes (IP#NAME): the fault shows the form that a file takes. False: it is another
 * text. */
static bool refuse_flag_form(const struct walker *walker, const struct setting *setting, const yaml_node_t *node)
{
    char hint[HINT_BYTES], address[KEY_BYTES];
    struct source_location location = document_location(node);
    snprintf(address, sizeof address, "%s.address", setting->key);
    if (!settings_find(setting->list->entry, address)) return false; /* no upstream */
    if (hint_for_ip(document_text(node), setting->list->is_of_names, hint)[0] == '\0') return false;
    faults_add(walker->faults, &location, "'%s': must be a mapping, not a single value%s", setting->key, hint);
    return true;
}

/* An entry of a list of mappings, which is read into a struct of its own and then added to the list. */
static void read_entry(const struct walker *walker, const struct setting *setting, void *fields,
                       const yaml_node_t *node)
{
    _Alignas(max_align_t) char entry[SETTING_ENTRY_STRUCT_BYTES] = {0};
    struct source_location locations[SETTINGS_MAX] = {{.line = 0}};
    const struct scope scope = {setting->list->entry, setting->key, entry, locations};
    unsigned faults_before = walker->faults->count;
    char wanted[SETTING_WHY_BYTES], why[SETTING_WHY_BYTES];
    snprintf(wanted, sizeof wanted, "a mapping, as %s", setting->list->example);
    if (node->type == YAML_SCALAR_NODE && refuse_flag_form(walker, setting, node)) return;
    if (!is_kind(walker, node, setting->key, YAML_MAPPING_NODE, wanted, "")) return;
    for (size_t i = 0; i < scope.settings.count; i++) setting_set_default(&scope.settings.rows[i], entry);
    read_mapping(walker, &scope, node);
    if (is_complete(walker, &scope, node) && walker->faults->count == faults_before) {
        struct source_location location = document_location(node);
        if (setting_add_mapping(setting, fields, entry, why)) return;
        faults_add(walker->faults, &location, "'%s': %s", setting->key, why);
    }
    for (size_t i = 0; i < scope.settings.count; i++) setting_clear(&scope.settings.rows[i], entry);
}

static void read_list(const struct walker *walker, const struct setting *setting, void *fields, const yaml_node_t *node)
{
    char hint[HINT_BYTES] = "";
    if (node->type == YAML_SCALAR_NODE)
        misplaced_for_list(setting, document_text(node), hint);
    else if (setting_is_list_of_mappings(setting))
        snprintf(hint, sizeof hint, "; begin each entry with \"- \", or put it into [ ]");
    if (!is_kind(walker, node, setting->key, YAML_SEQUENCE_NODE, "a list", hint)) return;
    setting_clear(setting, fields);
    const yaml_node_item_t *item = node->data.sequence.items.start;
    if (item == node->data.sequence.items.top && setting->min > 0) {
        struct source_location location = document_location(node);
        faults_add(walker->faults, &location, "'%s': is empty; at least one entry is wanted", setting->key);
    }
    for (; item < node->data.sequence.items.top && !faults_are_full(walker->faults); item++) {
        if (setting_is_list_of_mappings(setting))
            read_entry(walker, setting, fields, node_of(walker, *item));
        else
            read_scalar(walker, setting, fields, node_of(walker, *item));
    }
}

/* All names of the scope, ", " between them. */
static const char *list_names(const struct scope *scope, char *text, size_t size)
{
    char last[SETTING_NAME_BYTES] = "", name[SETTING_NAME_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < scope->settings.count && used < size; i++) {
        if (!setting_name_in(&scope->settings.rows[i], scope->section, name) || strcmp(name, last) == 0) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
        memcpy(last, name, sizeof last);
    }
    return text;
}

static void refuse_key(const struct walker *walker, const struct scope *scope, const yaml_node_t *node)
{
    char quoted[FAULT_QUOTE_BYTES], near[SETTING_NAME_BYTES], all[512], full[KEY_BYTES], place[HINT_BYTES];
    const char *dot = scope->section[0] ? "." : "";
    struct source_location location = document_location(node);
    fault_quote(document_text(node), quoted);
    snprintf(full, sizeof full, "%s%s%s", scope->section, dot, document_text(node));
    if (settings_why_not(full))
        faults_add(walker->faults, &location, "'%s': unknown key: %s", full, settings_why_not(full));
    else if (settings_nearest(scope->settings, scope->section, document_text(node), near))
        faults_add(walker->faults, &location, "'%s%s%s': unknown key; did you mean '%s'?", scope->section, dot, quoted,
                   near);
    else if (misplaced_key(settings_of_config(), scope->section, document_text(node), place)[0])
        faults_add(walker->faults, &location, "'%s%s%s': unknown key; %s", scope->section, dot, quoted, place);
    else
        faults_add(walker->faults, &location, "'%s%s%s': unknown key; allowed: %s", scope->section, dot, quoted,
                   list_names(scope, all, sizeof all));
}

static bool is_section(const struct scope *scope, const char *name)
{
    char first[SETTING_NAME_BYTES];
    if (scope->section[0] || name[0] == '\0') return false;
    for (size_t i = 0; i < scope->settings.count; i++)
        if (setting_name_in(&scope->settings.rows[i], name, first)) return true;
    return false;
}

/* Sections with all their lines commented out are no fault. */
static void read_section(const struct walker *walker, const struct scope *top, const char *name,
                         const yaml_node_t *node)
{
    const struct scope scope = {top->settings, name, top->fields, top->locations};
    char wanted[SETTING_WHY_BYTES] = "a mapping of settings", list[SETTING_NAME_BYTES + 1], hint[HINT_BYTES] = "";
    const char *only = only_text(walker, node);
    if (document_is_null(node)) return;
    /* `upstream` holds settings, `upstreams` is a list. */
    snprintf(list, sizeof list, "%ss", name);
    if (settings_find(top->settings, list))
        snprintf(wanted, sizeof wanted, "a mapping of settings (did you mean '%s'?)", list);
    else if (only)
        misplaced_for_section(top->settings, name, only, hint);
    if (is_kind(walker, node, name, YAML_MAPPING_NODE, wanted, hint)) read_mapping(walker, &scope, node);
}

static void read_value(const struct walker *walker, const struct scope *scope, const yaml_node_t *key,
                       const yaml_node_t *value)
{
    const char *name = document_text(key);
    char full[KEY_BYTES];
    snprintf(full, sizeof full, "%s%s%s", scope->section, scope->section[0] ? "." : "", name);
    const struct setting *setting = strchr(name, '.') ? NULL : settings_find(scope->settings, full);
    if (setting) scope->locations[setting - scope->settings.rows] = document_location(value);
    if (setting && setting_is_list(setting))
        read_list(walker, setting, scope->fields, value);
    else if (setting)
        read_scalar(walker, setting, scope->fields, value);
    else if (is_section(scope, name))
        read_section(walker, scope, name, value);
    else
        refuse_key(walker, scope, key);
}

/* The line of an earlier key of the same name, or 0. */
static size_t find_earlier(const struct walker *walker, const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
    const char *name = document_text(node_of(walker, pair->key));
    for (const yaml_node_pair_t *earlier = mapping->data.mapping.pairs.start; earlier < pair; earlier++) {
        const yaml_node_t *key = node_of(walker, earlier->key);
        if (key->type == YAML_SCALAR_NODE && strcmp(document_text(key), name) == 0) return document_location(key).line;
    }
    return 0;
}

static void read_pair(const struct walker *walker, const struct scope *scope, const yaml_node_t *mapping,
                      const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = node_of(walker, pair->key);
    struct source_location location = document_location(key);
    if (key->type != YAML_SCALAR_NODE) {
        faults_add(walker->faults, &location, "a key must be a plain word, not %s", document_kind(key));
        return;
    }
    size_t line = find_earlier(walker, mapping, pair);
    char quoted[FAULT_QUOTE_BYTES];
    if (line > 0)
        faults_add(walker->faults, &location, "'%s': given twice, first on line %zu",
                   fault_quote(document_text(key), quoted), line);
    else
        read_value(walker, scope, key, node_of(walker, pair->value));
}

static void read_mapping(const struct walker *walker, const struct scope *scope, const yaml_node_t *node)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top && !faults_are_full(walker->faults); pair++)
        read_pair(walker, scope, node, pair);
}

static void refuse_root(const struct walker *walker, const yaml_node_t *root)
{
    struct source_location location = document_location(root);
    char hint[HINT_BYTES] = "";
    if (root->type == YAML_SCALAR_NODE) misplaced_for_file(document_text(root), hint);
    faults_add(walker->faults, &location, "must be a mapping of settings, not %s%s", document_kind(root), hint);
}

void walker_read(const char *text, size_t size, struct config *config,
                 struct source_location locations[static SETTINGS_MAX], struct faults *faults)
{
    yaml_document_t document;
    if (!document_load(text, size, faults, &document)) return;
    const struct walker walker = {.document = &document, .faults = faults};
    const struct scope top = {settings_of_config(), "", config, locations};
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    bool is_mapping = root && root->type == YAML_MAPPING_NODE;
    /* A file that was cut off must not move the service to the defaults. */
    if (!root || document_is_null(root) ||
        (is_mapping && root->data.mapping.pairs.top == root->data.mapping.pairs.start))
        faults_add(faults, &(struct source_location){.line = 1, .column = 1},
                   "nothing is set: the file is empty or has only comments");
    else if (is_mapping)
        read_mapping(&walker, &top, root);
    else
        refuse_root(&walker, root);
    yaml_document_delete(&document);
}
