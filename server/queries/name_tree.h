/* name_tree: a set of names as a tree of labels, to collect what a configuration says of names and of their ancestors.
 * Queries are not looked up here, but in what is made of it (name_index.h).
 *
 * A child is found by a hash of its parent and its label, so a look-up costs one probe for each label it has in common
 * with the tree, whatever the number of names. What is in the tree comes from the configuration, never from clients:
 * the hash needs no key. Nodes are numbered from 0, the root, in the order of their making, so
 * a parent before its children. Built by one thread, then
 * read by any. */
#ifndef QUERIES_NAME_TREE_H
#define QUERIES_NAME_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

#define NAME_TREE_NONE UINT32_MAX

struct name_tree_node {
    uint32_t parent;
    uint32_t label; /* its offset in `labels`: an octet of length, then as many */
    uint32_t depth; /* labels of its name, without the root */
};

struct name_tree {
    struct name_tree_node *nodes;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots;     /* of nodes but the root, by hash; NAME_TREE_NONE: free */
    uint32_t slot_count; /* a power of two, at least twice `count` */
    uint8_t *labels;
    uint32_t labels_size;
    uint32_t labels_capacity;
};

/* False if memory is short. */
bool name_tree_init(struct name_tree *tree);
void name_tree_done(struct name_tree *tree);

/* The node of a name (on the wire, in lower case), which is made with its ancestors if there is none. NAME_TREE_NONE
 * if memory is short. */
uint32_t name_tree_add(struct name_tree *tree, const uint8_t *name, size_t size);

/* The child of a node by its label; NAME_TREE_NONE if there is none. */
uint32_t name_tree_child(const struct name_tree *tree, uint32_t parent, const uint8_t *label);

/* Writes the name of a node; returns its size. */
size_t name_tree_write(const struct name_tree *tree, uint32_t node, uint8_t name[static DNS_NAME_MAX]);

/* Where the labels of a name begin, without the root; returns their number. */
enum { NAME_LABELS_MAX = 127 };
size_t name_labels(const uint8_t *name, size_t size, uint8_t ret_labels[static NAME_LABELS_MAX]);

#endif
