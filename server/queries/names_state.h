/* names_state: what names.c makes and names_lookup.c reads; private to these two. */
#ifndef QUERIES_NAMES_STATE_H
#define QUERIES_NAMES_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "queries/name_tree.h"

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
    uint32_t items;      /* the first, or NONE */
    uint32_t last;       /* the last, where there is one */
    uint32_t wildcard;   /* its child "*", where that has records; or NONE */
    uint16_t route;      /* 0: it is no zone of a route */
    uint16_t from_hosts; /* of its records */
    bool exists;         /* it or a name below it has records (RFC 4592, 2.2.2: empty non-terminals exist) */
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
    uint32_t left_out; /* records of the hosts file beyond NAMES_HOSTS_MAX */
    uint32_t *routes;  /* identities, from index 1 */
    uint32_t route_count;
    uint32_t route_capacity;
};

#endif
