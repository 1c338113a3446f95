/* document: the text of a YAML file as a tree whose nodes know their line and column (libyaml's).
 *
 * What YAML has beside mappings, lists and scalars is refused: aliases, anchors and tags, because a configuration of a
 * page needs none of them and each is a way for a value to be something else than it looks; so are a second document, a
 * NUL in a value and nesting deeper than any setting. Main thread only. */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "config/faults.h"

/* True: `ret_document` is a tree to read, without a root if the text is empty; end it with yaml_document_delete.
 * Faults may have been added nevertheless. False: there is nothing to read, a fault says why. UTF-8 only. */
bool document_load(const char *text, size_t size, struct faults *faults, yaml_document_t *ret_document);

struct source_location document_location(const yaml_node_t *node);

/* A plain scalar that stands for no value: nothing at all, "~" or "null". */
bool document_is_null(const yaml_node_t *node);

/* The text of a scalar node. */
const char *document_text(const yaml_node_t *node);

/* "a mapping", "a list", "a single value" */
const char *document_kind(const yaml_node_t *node);

#endif
