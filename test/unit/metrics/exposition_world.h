/* What the tests of the exposition share: counters and figures, and the text that is written of them. */
#ifndef TEST_EXPOSITION_WORLD_H
#define TEST_EXPOSITION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/catalogue.h"
#include "metrics/exposition.h"

struct world {
    struct counters total;
    struct figures figures;
    char *text; /* what was written last */
    char *lines;
};

static inline int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->figures.build = (struct figures_build){"1.2.3", "5.5.4", "1.8.3", "1.15"};
    world->figures.upstream_count = 2;
    strcpy(world->figures.upstreams[0], "1.1.1.1:853#one");
    strcpy(world->figures.upstreams[1], "[2606:4700:4700::1111]:853#two");
    *state = world;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    free(world->text);
    free(world->lines);
    test_free(world);
    return 0;
}

static inline const char *expose(struct world *world, enum exposition_format format)
{
    size_t size;
    free(world->text);
    FILE *out = open_memstream(&world->text, &size);
    assert_non_null(out);
    exposition_write(out, format, &world->total, &world->figures);
    assert_int_equal(ferror(out), 0);
    assert_int_equal(fclose(out), 0);
    return world->text;
}

/* The lines of one metric: its head, and every sample whose name starts with `name` and goes on as no
 * other name does. */
static inline const char *lines_of(struct world *world, enum exposition_format format, const char *name)
{
    size_t size;
    free(world->lines);
    FILE *out = open_memstream(&world->lines, &size);
    assert_non_null(out);
    for (const char *line = expose(world, format); *line; line += strcspn(line, "\n") + 1) {
        const char *at = line;
        if (*at == '#') at = strchr(at + 2, ' ') + 1;
        size_t name_size = strlen(name);
        if (strncmp(at, name, name_size) == 0 && strchr(" {", at[name_size]))
            fprintf(out, "%.*s", (int)strcspn(line, "\n") + 1, line);
    }
    fclose(out);
    return world->lines;
}

#endif
