#include "queries/names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "dns/local_answer.h"
#include "queries/name_tree.h"

enum {
    CHAIN_MAX = 16, /* CNAME records followed; resolvers give up at 8 to 16 */

    /* Of NODATA for a name whose records say nothing of it: short, because a reload may change that. */
    NEGATIVE_TTL_S = 300,
};

#define NONE UINT32_MAX

/* A record; those of a node are chained. */
struct item {
    uint32_t next;
    uint32_t data; /* its place in `data` */
    uint32_t ttl_s;
    uint16_t type;
    uint16_t data_size;
};

/* What a node of the tree has. */
struct node {
    uint32_t items;    /* the first, or NONE */
    uint32_t wildcard; /* its child "*", where that has records; or NONE */
    uint16_t route;    /* 0: it is no zone of a route */
    bool exists;       /* it or a name below it has records (RFC 4592, 2.2.2: empty non-terminals exist) */
    bool overrides;
};

struct names {
    atomic_uint owners;
    bool special_use;
    struct name_tree tree;
    struct node *nodes; /* by number */
    uint32_t node_capacity;
    struct item *items;
    uint32_t item_count;
    uint32_t item_capacity;
    uint8_t *data;
    uint32_t data_size;
    uint32_t data_capacity;
    uint32_t zones;
    uint32_t *routes; /* identities, from index 1 */
    uint32_t route_count;
    uint32_t route_capacity;
};

/* ---- making ---- */

struct names *names_new(bool special_use)
{
    struct names *names = calloc(1, sizeof *names);
    if (!names) return NULL;
    atomic_init(&names->owners, 1);
    names->special_use = special_use;
    if (name_tree_init(&names->tree)) return names;
    names_free(names);
    return NULL;
}

struct names *names_share(struct names *names)
{
    if (names) atomic_fetch_add_explicit(&names->owners, 1, memory_order_relaxed);
    return names;
}

void names_free(struct names *names)
{
    if (!names) return;
    unsigned owners = atomic_fetch_sub_explicit(&names->owners, 1, memory_order_acq_rel);
    CHECK(owners > 0);
    if (owners > 1) return;
    name_tree_done(&names->tree);
    free(names->nodes);
    free(names->items);
    free(names->data);
    free(names->routes);
    free(names);
}

/* Room for `more` elements behind the `used` ones; false where memory is short. */
static bool reserve(void **array, uint32_t used, size_t more, uint32_t *capacity, size_t bytes)
{
    size_t wanted = used + more;
    if (wanted <= *capacity) return true;
    size_t larger = *capacity > 0 ? *capacity : 64;
    while (larger < wanted) larger *= 2;
    if (larger > INT32_MAX) return false;
    void *grown = reallocarray(*array, larger, bytes);
    if (!grown) return false;
    *array = grown;
    *capacity = (uint32_t)larger;
    return true;
}

/* The node of a name, made where there is none; NONE where memory is short. */
static uint32_t node_of(struct names *names, const uint8_t *name, size_t size)
{
    uint32_t before = names->nodes ? names->tree.count : 0;
    uint32_t node = name_tree_add(&names->tree, name, size);
    if (node == NAME_TREE_NONE) return NONE;
    void *nodes = names->nodes;
    if (!reserve(&nodes, 0, names->tree.count, &names->node_capacity, sizeof *names->nodes)) return NONE;
    names->nodes = nodes;
    for (uint32_t i = before; i < names->tree.count; i++)
        names->nodes[i] = (struct node){.items = NONE, .wildcard = NONE};
    return node;
}

static bool append_item(struct names *names, uint32_t node, const struct names_record *record)
{
    void *items = names->items;
    void *data = names->data;
    bool has_room =
        reserve(&items, names->item_count, 1, &names->item_capacity, sizeof *names->items) &&
        reserve(&data, names->data_size, record->data_size + 1u, &names->data_capacity, 1); /* one: never NULL */
    names->items = items;
    names->data = data;
    if (!has_room) return false;
    uint32_t *last = &names->nodes[node].items;
    while (*last != NONE) last = &names->items[*last].next;
    *last = names->item_count;
    names->items[names->item_count++] =
        (struct item){NONE, names->data_size, record->ttl_s, record->type, record->data_size};
    if (record->data_size > 0) memcpy(names->data + names->data_size, record->data, record->data_size);
    names->data_size += record->data_size;
    return true;
}

/* The name and its ancestors exist from now on. */
static void mark_existing(struct names *names, uint32_t node)
{
    while (!names->nodes[node].exists) {
        names->nodes[node].exists = true;
        if (node == 0) break;
        node = names->tree.nodes[node].parent;
    }
}

static bool has_item(const struct names *names, uint32_t node, const struct names_record *record)
{
    for (uint32_t i = names->nodes[node].items; i != NONE; i = names->items[i].next) {
        const struct item *item = &names->items[i];
        if (item->type == record->type && item->data_size == record->data_size &&
            memcmp(names->data + item->data, record->data, record->data_size) == 0)
            return true;
    }
    return false;
}

bool names_add_record(struct names *names, const struct names_record *record)
{
    bool is_wildcard = record->owner[0] == 1 && record->owner[1] == '*';
    uint32_t node = node_of(names, record->owner, record->owner_size);
    if (node == NONE) return false;
    if (names->nodes[node].overrides && !record->overrides) return true;
    if (!record->overrides && has_item(names, node, record)) return true; /* hosts files repeat themselves */
    if (!append_item(names, node, record)) return false;
    if (record->overrides) names->nodes[node].overrides = true;
    mark_existing(names, node);
    if (is_wildcard) names->nodes[names->tree.nodes[node].parent].wildcard = node;
    return true;
}

bool names_add_zone(struct names *names, const uint8_t *zone, size_t size, uint16_t route)
{
    uint32_t node = node_of(names, zone, size);
    if (node == NONE) return false;
    names->zones += names->nodes[node].route == NAMES_ROUTE_DEFAULT;
    names->nodes[node].route = route;
    return true;
}

bool names_add_route(struct names *names, uint32_t identity)
{
    void *routes = names->routes;
    CHECK(identity != 0);
    if (!reserve(&routes, names->route_count, 1, &names->route_capacity, sizeof *names->routes)) return false;
    names->routes = routes;
    names->routes[names->route_count++] = identity;
    return true;
}

uint32_t names_route_identity(const struct names *names, uint16_t route)
{
    if (route == NAMES_ROUTE_DEFAULT) return 0;
    CHECK(route <= names->route_count);
    return names->routes[route - 1];
}

bool names_route_of(const struct names *names, uint32_t identity, uint16_t *ret_route)
{
    uint32_t i = 0;
    while (identity != 0 && i < names->route_count && names->routes[i] != identity) i++;
    if (identity != 0 && i == names->route_count) return false;
    *ret_route = identity == 0 ? NAMES_ROUTE_DEFAULT : (uint16_t)(i + 1);
    return true;
}

struct names_figures names_figures(const struct names *names)
{
    return (struct names_figures){names->item_count, names->zones};
}

/* ---- looking up ---- */

/* What a walk from the root along a name finds. */
struct walk {
    uint32_t node;     /* the last one of the tree */
    size_t label_left; /* labels of the name that it lacks; 0: it is the name */
    uint32_t encloser; /* the last one that exists (RFC 4592, 3.3.1) */
    uint32_t zone;     /* the last one that is a zone of a route, or NONE */
    size_t zone_at;    /* where its name begins */
};

static void walk_name(const struct names *names, const uint8_t *name, size_t size, struct walk *ret_walk)
{
    uint8_t labels[NAME_LABELS_MAX];
    size_t left = name_labels(name, size, labels);
    *ret_walk = (struct walk){.label_left = left, .zone = NONE};
    while (left > 0) {
        uint32_t child = name_tree_child(&names->tree, ret_walk->node, name + labels[left - 1]);
        if (child == NAME_TREE_NONE) break;
        ret_walk->node = child;
        ret_walk->label_left = --left;
        if (names->nodes[child].exists) ret_walk->encloser = child;
        if (names->nodes[child].route == NAMES_ROUTE_DEFAULT) continue;
        ret_walk->zone = child;
        ret_walk->zone_at = labels[left];
    }
}

/* The node whose records answer the name, or NONE. */
static uint32_t answering_node(const struct names *names, const struct walk *walk)
{
    const struct node *nodes = names->nodes;
    if (walk->label_left == 0 && nodes[walk->node].items != NONE) return walk->node;
    if (walk->label_left == 0 && nodes[walk->node].exists) return NONE; /* an empty non-terminal */
    uint32_t wildcard = nodes[walk->encloser].wildcard;
    if (wildcard == NONE) return NONE;
    const struct name_tree_node *tree = names->tree.nodes;
    bool zone_is_longer = walk->zone != NONE && tree[walk->zone].depth > tree[walk->encloser].depth;
    return zone_is_longer ? NONE : wildcard;
}

static void find_special(const struct names *names, const uint8_t *name, size_t size, uint16_t type,
                         struct names_found *found)
{
    if (!names->special_use) return;
    found->special = special_names_find(name, size, type, &found->match);
    if (found->special != SPECIAL_NONE && found->special != SPECIAL_FORWARD) found->verdict = NAMES_SPECIAL;
}

void names_find(const struct names *names, const uint8_t *name, size_t size, uint16_t type,
                struct names_found *ret_found)
{
    struct walk walk;
    ret_found->verdict = NAMES_RESOLVE;
    ret_found->route = NAMES_ROUTE_DEFAULT;
    ret_found->special = SPECIAL_NONE;
    if (!names->nodes) {
        find_special(names, name, size, type, ret_found);
        return;
    }
    walk_name(names, name, size, &walk);
    uint32_t node = answering_node(names, &walk);
    if (node != NONE) {
        ret_found->verdict = NAMES_RECORD;
        ret_found->node = node;
        ret_found->is_wildcard = walk.label_left > 0 || node != walk.node;
        ret_found->overrides = names->nodes[node].overrides;
        return;
    }
    if (walk.zone != NONE) {
        ret_found->route = names->nodes[walk.zone].route;
        ret_found->zone_at = walk.zone_at;
        return;
    }
    find_special(names, name, size, type, ret_found);
    /* A name above a record of ours exists (RFC 8020), whatever the table says of its zone. */
    bool is_empty = walk.label_left == 0 && names->nodes[walk.node].exists;
    if (is_empty && ret_found->special == SPECIAL_NXDOMAIN) ret_found->special = SPECIAL_NODATA;
}

/* ---- answering ---- */

static const struct item *find_item(const struct names *names, uint32_t first, uint16_t type)
{
    for (uint32_t i = first; i != NONE; i = names->items[i].next)
        if (names->items[i].type == type) return &names->items[i];
    return NULL;
}

static void add_item(const struct names *names, struct local_answer *answer, enum dns_section section,
                     const struct item *item, const uint8_t *owner, size_t owner_size)
{
    const struct local_record record = {
        .owner = owner,
        .owner_size = owner_size,
        .type = item->type,
        .ttl_s = item->ttl_s,
        .data = names->data + item->data,
        .data_size = item->data_size,
    };
    local_answer_add(answer, section, &record);
}

static bool add_items(const struct names *names, struct local_answer *answer, uint32_t first, uint16_t type,
                      const uint8_t *owner, size_t owner_size)
{
    bool found = false;
    for (uint32_t i = first; i != NONE; i = names->items[i].next) {
        if (names->items[i].type != type) continue;
        add_item(names, answer, DNS_ANSWER, &names->items[i], owner, owner_size);
        found = true;
    }
    return found;
}

/* The SOA record of NODATA: the nearest one of ours at or above the name, else one made for the name itself. `node` is
 * the one that answered, `name` the one that was asked. */
static void add_nodata(const struct names *names, struct local_answer *answer, uint32_t node, const uint8_t *name,
                       size_t size)
{
    uint8_t labels[NAME_LABELS_MAX];
    size_t label_count = name_labels(name, size, labels);
    for (uint32_t at = node; at != 0; at = names->tree.nodes[at].parent) {
        const struct item *soa = find_item(names, names->nodes[at].items, DNS_TYPE_SOA);
        size_t depth = names->tree.nodes[at].depth;
        if (!soa || depth > label_count) continue;
        size_t owner_at = labels[label_count - depth];
        add_item(names, answer, DNS_AUTHORITY, soa, name + owner_at, size - owner_at);
        return;
    }
    local_answer_add_soa(answer, DNS_AUTHORITY, name, size, NEGATIVE_TTL_S);
}

/* A name on its path through our records. */
struct step {
    uint8_t name[DNS_NAME_MAX];
    size_t size;
    struct names_found found;
};

/* Adds what the step's records have. True where they lead to another name, which becomes the next step. */
static bool follow(const struct names *names, struct local_answer *answer, struct step *step, uint16_t type)
{
    uint32_t first = names->nodes[step->found.node].items;
    if (add_items(names, answer, first, type, step->name, step->size)) return false;
    const struct item *cname = find_item(names, first, DNS_TYPE_CNAME);
    if (!cname) {
        add_nodata(names, answer, step->found.node, step->name, step->size);
        return false;
    }
    add_item(names, answer, DNS_ANSWER, cname, step->name, step->size);
    name_to_lower(names->data + cname->data, cname->data_size, step->name);
    step->size = cname->data_size;
    names_find(names, step->name, step->size, type, &step->found);
    return true;
}

size_t names_write(const struct names *names, const struct names_found *found, const struct question *question,
                   uint8_t *out, size_t capacity, struct names_alias *ret_alias)
{
    struct local_answer answer;
    struct step step = {.size = question->name_size, .found = *found};
    uint16_t rcode = DNS_RCODE_NOERROR;
    ret_alias->name_size = 0;
    name_to_lower(question->name, question->name_size, step.name);
    local_answer_begin(&answer, out, capacity, question);
    for (unsigned followed = 0; step.found.verdict == NAMES_RECORD; followed++) {
        if (followed == CHAIN_MAX) return 0;
        if (!follow(names, &answer, &step, question->type)) return local_answer_finish(&answer, rcode);
    }
    if (step.found.verdict == NAMES_SPECIAL) {
        rcode = special_names_add(&answer, step.found.special, &step.found.match, step.name, step.size, question->type);
    } else {
        ret_alias->name_size = (uint8_t)step.size;
        memcpy(ret_alias->name, step.name, step.size);
        ret_alias->route = step.found.route;
    }
    return local_answer_finish(&answer, rcode);
}
