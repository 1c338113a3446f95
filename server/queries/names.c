#include "queries/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "queries/names_state.h"

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
    names_unfinish(names);
    name_tree_done(&names->tree);
    free(names->nodes);
    free(names->items);
    free(names->data);
    free(names->routes);
    free(names);
}

/* Room for `more` elements behind the `used` ones; false if memory is short. */
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

/* The node of a name, made if there is none; NONE if memory is short. */
static uint32_t node_of(struct names *names, const uint8_t *name, size_t size)
{
    names_unfinish(names);
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
    struct node *owner = &names->nodes[node];
    *(owner->items == NONE ? &owner->items : &names->items[owner->last].next) = names->item_count;
    owner->last = names->item_count;
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

/* The wildcard of the root does not hold for localhost, which is not to be overridden (RFC 6761, 6.3): it exists, and
 * so does not take what a wildcard above it says. */
static bool keep_localhost(struct names *names)
{
    static const uint8_t localhost[] = "\11localhost";
    uint32_t node = names->special_use ? node_of(names, localhost, sizeof localhost) : 0;
    if (node == NONE) return false;
    mark_existing(names, node);
    return true;
}

/* Whether a record of a hosts file is to be added to the node. */
static bool takes_host(struct names *names, uint32_t node, const struct names_record *record)
{
    if (names->nodes[node].overrides) return false;
    bool is_full = names->nodes[node].from_hosts == NAMES_HOSTS_MAX;
    names->left_out += is_full;
    return !is_full && !has_item(names, node, record); /* hosts files repeat themselves */
}

bool names_add_record(struct names *names, const struct names_record *record)
{
    bool is_wildcard = record->owner[0] == 1 && record->owner[1] == '*';
    uint32_t node = node_of(names, record->owner, record->owner_size);
    if (node == NONE) return false;
    if (!record->overrides && !takes_host(names, node, record)) return true;
    if (!append_item(names, node, record)) return false;
    names->nodes[node].overrides |= record->overrides;
    names->nodes[node].from_hosts += !record->overrides;
    mark_existing(names, node);
    if (!is_wildcard) return true;
    uint32_t parent = names->tree.nodes[node].parent;
    names->nodes[parent].wildcard = node;
    return parent != 0 || keep_localhost(names);
}

bool names_add_hosts_of(struct names *names, const struct names *former)
{
    uint8_t owner[DNS_NAME_MAX];
    for (uint32_t node = 0; former->nodes && node < former->tree.count; node++) {
        if (former->nodes[node].overrides || former->nodes[node].items == NONE) continue;
        size_t size = name_tree_write(&former->tree, node, owner);
        for (uint32_t i = former->nodes[node].items; i != NONE; i = former->items[i].next) {
            const struct item *item = &former->items[i];
            const struct names_record record = {
                owner, (uint8_t)size, item->type, item->data_size, item->ttl_s, former->data + item->data, false};
            if (!names_add_record(names, &record)) return false;
        }
    }
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
    return (struct names_figures){names->item_count, names->zones, names->left_out};
}
