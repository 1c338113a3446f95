/* routes_story: tables of routes made from a configuration text, as a start and a reload make them. */
#ifndef ROUTES_STORY_H
#define ROUTES_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/name_table.h"
#include "app/route_table.h"
#include "config/config.h"

/* A route with one upstream in plain TCP: ROUTE("corp.example", "10.0.0.53"). */
#define ROUTE(zone, address) "{zones: [" zone "], upstreams: [{address: " address ", transport: tcp}]}"

/* The table of `routes`, a YAML list; `former` is the table before the reload, or NULL. The caller frees it. */
static inline struct route_table *table_of(const char *routes, const struct route_table *former)
{
    char yaml[8192];
    struct config config;
    const struct log_options quiet = {.level = LOG_LEVEL_ERROR};
    struct log log;
    log_init(&log, &quiet, -1);
    int size = snprintf(yaml, sizeof yaml, "workers: 1\nroutes: %s\n", routes);
    assert_in_range(size, 1, sizeof yaml - 1);
    assert_true(config_parse(yaml, (size_t)size, "test.yaml", &config, stderr));
    struct names *names = name_table_new(&config, NULL, &log);
    assert_non_null(names);
    struct route_table *table = route_table_new(&config.routes, names, former);
    assert_non_null(table);
    names_free(names);
    config_free(&config);
    return table;
}

#endif
