#include "queries/name_tree.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

enum { NODES_FIRST = 64, LABELS_FIRST = 1024 };

size_t name_labels(const uint8_t *name, size_t size, uint8_t ret_labels[static NAME_LABELS_MAX])
{
    size_t count = 0;
    for (size_t at = 0; at + 1 < size && count < NAME_LABELS_MAX; at += 1u + name[at])
        ret_labels[count++] = (uint8_t)at;
    return count;
}

/* One to eight octets as a number; octets in the middle may be read twice. */
static uint64_t octets_of(const uint8_t *at, size_t size)
{
    uint32_t low;
    uint32_t high;
    if (size < sizeof low) return at[0] | (uint64_t)at[size / 2] << 8 | (uint64_t)at[size - 1] << 16;
    memcpy(&low, at, sizeof low);
    memcpy(&high, at + size - sizeof high, sizeof high);
    return low | (uint64_t)high << 32;
}

/* Of the label, its length included, from a start that the parent gives. Not keyed: the names of the tree are those of
 * the configuration, which no client chooses. Eight octets at once: labels are looked up for each query. */
static uint32_t hash_of(uint32_t parent, const uint8_t *label)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 by the golden ratio: its bits are well mixed */
    uint64_t hash = (parent + 1) * odd;
    size_t left = 1u + label[0];
    for (; left > 8; label += 8, left -= 8) {
        hash = (hash ^ octets_of(label, 8)) * odd;
        hash ^= hash >> 32;
    }
    hash = (hash ^ octets_of(label, left)) * odd;
    return (uint32_t)(hash >> 32);
}

/* The slot of the child, or the free one where it would be. */
static uint32_t *slot_of(const struct name_tree *tree, uint32_t parent, const uint8_t *label)
{
    for (uint32_t i = hash_of(parent, label);; i++) {
        uint32_t *slot = &tree->slots[i & (tree->slot_count - 1)];
        if (*slot == NAME_TREE_NONE) return slot;
        const struct name_tree_node *node = &tree->nodes[*slot];
        if (node->parent == parent && memcmp(tree->labels + node->label, label, 1u + label[0]) == 0) return slot;
    }
}

uint32_t name_tree_child(const struct name_tree *tree, uint32_t parent, const uint8_t *label)
{
    return *slot_of(tree, parent, label);
}

static bool resize_slots(struct name_tree *tree, uint32_t slot_count)
{
    uint32_t *slots = malloc(slot_count * sizeof *slots);
    if (!slots) return false;
    memset(slots, 0xff, slot_count * sizeof *slots);
    free(tree->slots);
    tree->slots = slots;
    tree->slot_count = slot_count;
    for (uint32_t i = 1; i < tree->count; i++)
        *slot_of(tree, tree->nodes[i].parent, tree->labels + tree->nodes[i].label) = i;
    return true;
}

/* Makes room for one more node and its label. */
static bool reserve(struct name_tree *tree, size_t label_bytes)
{
    if (tree->count == tree->capacity) {
        uint32_t capacity = tree->capacity * 2;
        struct name_tree_node *nodes = reallocarray(tree->nodes, capacity, sizeof *nodes);
        if (!nodes) return false;
        tree->nodes = nodes;
        tree->capacity = capacity;
    }
    if (tree->labels_size + label_bytes > tree->labels_capacity) {
        uint8_t *labels = realloc(tree->labels, tree->labels_capacity * 2u);
        if (!labels) return false;
        tree->labels = labels;
        tree->labels_capacity *= 2;
    }
    return tree->count * 2 < tree->slot_count || resize_slots(tree, tree->slot_count * 2);
}

bool name_tree_init(struct name_tree *tree)
{
    *tree = (struct name_tree){.count = 1, .capacity = NODES_FIRST, .labels_capacity = LABELS_FIRST};
    tree->nodes = calloc(NODES_FIRST, sizeof *tree->nodes);
    tree->labels = malloc(LABELS_FIRST);
    return tree->nodes && tree->labels && resize_slots(tree, 2 * NODES_FIRST);
}

void name_tree_done(struct name_tree *tree)
{
    free(tree->nodes);
    free(tree->slots);
    free(tree->labels);
    *tree = (struct name_tree){.nodes = NULL};
}

static uint32_t add_child(struct name_tree *tree, uint32_t parent, const uint8_t *label)
{
    size_t bytes = 1u + label[0];
    if (!reserve(tree, bytes)) return NAME_TREE_NONE;
    uint32_t node = tree->count++;
    tree->nodes[node] = (struct name_tree_node){parent, tree->labels_size, tree->nodes[parent].depth + 1};
    memcpy(tree->labels + tree->labels_size, label, bytes);
    tree->labels_size += (uint32_t)bytes;
    uint32_t *slot = slot_of(tree, parent, label);
    CHECK(*slot == NAME_TREE_NONE);
    *slot = node;
    return node;
}

uint32_t name_tree_add(struct name_tree *tree, const uint8_t *name, size_t size)
{
    uint8_t labels[NAME_LABELS_MAX];
    uint32_t node = 0;
    for (size_t left = name_labels(name, size, labels); left > 0; left--) {
        const uint8_t *label = name + labels[left - 1];
        uint32_t child = name_tree_child(tree, node, label);
        node = child != NAME_TREE_NONE ? child : add_child(tree, node, label);
        if (node == NAME_TREE_NONE) break;
    }
    return node;
}

size_t name_tree_write(const struct name_tree *tree, uint32_t node, uint8_t name[static DNS_NAME_MAX])
{
    size_t size = 0;
    for (; node != 0; node = tree->nodes[node].parent) {
        const uint8_t *label = tree->labels + tree->nodes[node].label;
        CHECK(size + label[0] + 1u < DNS_NAME_MAX);
        memcpy(name + size, label, label[0] + 1u);
        size += label[0] + 1u;
    }
    name[size] = 0;
    return size + 1;
}
