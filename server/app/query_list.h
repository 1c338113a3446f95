/* query_list: the notable queries of all workers as JSON, the latest first, for /queries.json. HTTP threads; it reads
 * the workers' rings and waits for nobody. Memory: twice the wanted number of entries while it writes. */
#ifndef APP_QUERY_LIST_H
#define APP_QUERY_LIST_H

#include <stdbool.h>
#include <stdio.h>

#include "metrics/query_filter.h"

/* `context`: the server. `with_names` false: without names, clients and the texts of upstreams, which may have names.
 * False: memory is short. */
bool query_list_write(void *context, const struct query_filter *filter, bool with_names, FILE *out);

#endif
