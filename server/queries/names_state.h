/* names_state: what names.c and names_decide.c make and names_lookup.c reads; private to these three. */
#ifndef QUERIES_NAMES_STATE_H
#define QUERIES_NAMES_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "queries/name_index.h"
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

/* What is done with a name, or with the names below one, as far as no other decision holds for them. */
struct decision {
    uint32_t node;     /* whose records answer, or NONE: */
    uint16_t route;    /* the upstreams of this route do, or special-use names come next */
    uint8_t zone_size; /* of the route's zone; 0 for the default route */
    bool is_wildcard;  /* `node` is a wildcard that holds for the name */
    bool is_empty;     /* it is an empty non-terminal of ours, and takes no route */
};

struct names {
    atomic_uint owners;
    bool special_use;
    struct name_tree tree;
    struct node *nodes; /* by number */
    uint32_t node_capacity;
    struct decision *decisions; /* names_finish made these; the first holds for all names but those of `index` */
    struct name_index index;    /* of the numbers of decisions */
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

/* Frees what names_finish made, before more is added. */
void names_unfinish(struct names *names);

#endif
