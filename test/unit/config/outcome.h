/* outcome: what a configuration text or a command line comes to in a test: its options, or the faults as the operator
 * sees them. */
#ifndef UNIT_CONFIG_OUTCOME_H
#define UNIT_CONFIG_OUTCOME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

struct outcome {
    bool is_good;
    struct config config;
    char *faults; /* "" where there are none */
    size_t faults_size;
};

static inline struct outcome outcome_of_bytes(const char *text, size_t size)
{
    struct outcome outcome = {.faults = NULL};
    FILE *errors = open_memstream(&outcome.faults, &outcome.faults_size);
    assert_non_null(errors);
    outcome.is_good = config_parse(text, size, "dns.yaml", &outcome.config, errors);
    fclose(errors);
    return outcome;
}

static inline struct outcome outcome_of(const char *text)
{
    return outcome_of_bytes(text, strlen(text));
}

static inline struct outcome outcome_of_flags(const struct command_line *command)
{
    struct outcome outcome = {.faults = NULL};
    FILE *errors = open_memstream(&outcome.faults, &outcome.faults_size);
    assert_non_null(errors);
    outcome.is_good = config_load(command, &outcome.config, errors);
    fclose(errors);
    return outcome;
}

static inline void outcome_done(struct outcome *outcome)
{
    if (outcome->is_good) config_free(&outcome->config);
    free(outcome->faults);
}

/* The text is refused with exactly these lines. */
static inline void assert_refused(const char *text, const char *faults)
{
    struct outcome outcome = outcome_of(text);
    assert_false(outcome.is_good);
    assert_string_equal(outcome.faults, faults);
    outcome_done(&outcome);
}

/* The text is good and silent; end what is returned with outcome_done. */
static inline struct outcome assert_accepted(const char *text)
{
    struct outcome outcome = outcome_of(text);
    assert_string_equal(outcome.faults, "");
    assert_true(outcome.is_good);
    return outcome;
}

#endif
