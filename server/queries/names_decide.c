#include "queries/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "queries/names_state.h"

/* What holds at a node of the tree. */
struct scope {
    uint32_t encloser; /* the nearest node at or above it that exists (RFC 4592, 3.3.1), or the root */
    uint32_t zone;     /* the nearest one at or above it that is a zone of a route, or NONE */
    uint32_t itself;   /* numbers of decisions: for its name, */
    uint32_t below;    /* and for the names below it that the tree does not have */
    uint8_t size;      /* of its name */
};

static bool is_same(const struct decision *one, const struct decision *other)
{
    return one->node == other->node && one->route == other->route && one->zone_size == other->zone_size &&
           one->is_wildcard == other->is_wildcard && one->is_empty == other->is_empty;
}

/* What is done with a name that has no records: it takes the zone's route, if it is in one. */
static struct decision by_zone(const struct names *names, const struct scope *scopes, uint32_t zone)
{
    struct decision decision = {.node = NONE};
    if (zone == NONE) return decision;
    decision.route = names->nodes[zone].route;
    decision.zone_size = scopes[zone].size;
    return decision;
}

/* For a name that does not exist: the wildcard of its closest encloser answers, unless a zone is longer than that. */
static struct decision decide_below(const struct names *names, const struct scope *scopes, const struct scope *scope)
{
    const struct name_tree_node *tree = names->tree.nodes;
    uint32_t wildcard = names->nodes[scope->encloser].wildcard;
    bool zone_is_longer = scope->zone != NONE && tree[scope->zone].depth > tree[scope->encloser].depth;
    if (wildcard == NONE || zone_is_longer) return by_zone(names, scopes, scope->zone);
    return (struct decision){.node = wildcard, .is_wildcard = true};
}

/* For the name of a node itself. An empty non-terminal exists, so that no wildcard holds for it. */
static struct decision decide_itself(const struct names *names, const struct scope *scopes, uint32_t node)
{
    if (names->nodes[node].items != NONE) return (struct decision){.node = node};
    if (!names->nodes[node].exists) return decide_below(names, scopes, &scopes[node]);
    struct decision decision = by_zone(names, scopes, scopes[node].zone);
    decision.is_empty = decision.route == NAMES_ROUTE_DEFAULT;
    return decision;
}

/* The number of a decision, which is kept unless it is that of `known`. */
static uint32_t keep(struct names *names, uint32_t *count, struct decision decision, uint32_t known)
{
    if (*count > 0 && is_same(&decision, &names->decisions[known])) return known;
    names->decisions[*count] = decision;
    return (*count)++;
}

/* Decides for all nodes, parents first; room for twice their number is at `names->decisions`. */
static void decide(struct names *names, struct scope *scopes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < names->tree.count; i++) {
        uint32_t parent = i == 0 ? 0 : names->tree.nodes[i].parent;
        struct scope *scope = &scopes[i];
        *scope = i == 0 ? (struct scope){.zone = NONE, .size = 1} : scopes[parent];
        if (i > 0) scope->size += (uint8_t)(1 + names->tree.labels[names->tree.nodes[i].label]);
        if (i > 0 && names->nodes[i].exists) scope->encloser = i;
        if (i > 0 && names->nodes[i].route != NAMES_ROUTE_DEFAULT) scope->zone = i;
        scope->below = keep(names, &count, decide_below(names, scopes, scope), scopes[parent].below);
        scope->itself = keep(names, &count, decide_itself(names, scopes, i), scopes[parent].below);
    }
}

/* What a node is to be entered for in the index: where a decision is not the one that holds above it. */
static unsigned entered_for(const struct names *names, const struct scope *scopes, uint32_t node)
{
    uint32_t above = node == 0 ? scopes[0].below : scopes[names->tree.nodes[node].parent].below;
    return (scopes[node].itself != above ? NAME_INDEX_ITSELF : 0u) |
           (scopes[node].below != above ? NAME_INDEX_BELOW : 0u);
}

static bool fill_index(struct names *names, const struct scope *scopes)
{
    uint8_t name[DNS_NAME_MAX];
    uint32_t count = 0;
    uint32_t size = 0;
    for (uint32_t i = 0; i < names->tree.count; i++) {
        if (entered_for(names, scopes, i) == 0) continue;
        count++;
        size += scopes[i].size;
    }
    if (!name_index_init(&names->index, count, size)) return false;
    for (uint32_t i = 0; i < names->tree.count; i++) {
        unsigned parts = entered_for(names, scopes, i);
        if (parts == 0) continue;
        size_t name_size = name_tree_write(&names->tree, i, name);
        CHECK(name_size == scopes[i].size);
        name_index_add(&names->index, name, name_size, parts, scopes[i].itself, scopes[i].below);
    }
    return true;
}

void names_unfinish(struct names *names)
{
    name_index_done(&names->index);
    free(names->decisions);
    names->decisions = NULL;
}

bool names_finish(struct names *names)
{
    if (names->decisions || !names->nodes) return true; /* nothing was added since, or ever */
    struct scope *scopes = calloc(names->tree.count, sizeof *scopes);
    names->decisions = calloc(names->tree.count, 2 * sizeof *names->decisions);
    bool good = scopes && names->decisions;
    if (good) {
        decide(names, scopes);
        good = fill_index(names, scopes);
    }
    free(scopes);
    if (!good) names_unfinish(names);
    return good;
}
