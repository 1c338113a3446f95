/* lists: how the list settings keep their entries (struct setting_list). A new list of texts or mappings is added here
 * and named in its row of settings.c; those of names and routes are in name_lists.c. Main thread only. */
#ifndef CONFIG_LISTS_H
#define CONFIG_LISTS_H

#include "config/setting.h"

extern const struct setting_list list_of_listen;    /* on struct acceptor_options */
extern const struct setting_list list_of_prefixes;  /* on struct access_options */
extern const struct setting_list list_of_upstreams; /* on struct pool_options */
extern const struct setting_list list_of_bootstrap; /* on struct bootstrap_options */
extern const struct setting_list list_of_records;   /* on struct record_list */
extern const struct setting_list list_of_routes;    /* on struct routes_options */

#endif
