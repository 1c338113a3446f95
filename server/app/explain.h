/* explain: what a configuration does with a name, for --query. Sends nothing. Main thread only. */
#ifndef APP_EXPLAIN_H
#define APP_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "config/options.h"

/* Writes one line for each step: a record or the hosts file with the records it gives, what a CNAME record leads to, a
 * special-use name with its RFC, or the route and its upstreams; or that questions of the type are refused. `type`
 * NULL: A. False: name or type is none, or memory is short; `errors` says which. */
bool explain_name(const struct config *config, const char *name, const char *type, FILE *out, FILE *errors);

#endif
