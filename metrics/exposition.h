/* exposition: the figures as Prometheus reads them: text format 0.0.4, or OpenMetrics 1.0. Pure; any thread.
 *
 * The series are the same in both, down to the spelling of `le`, so that a scraper may change its mind without starting
 * new ones. If two names would be one family in OpenMetrics (a gauge x and a counter x_total), the counter goes
 * there as type unknown, its name unchanged. OpenMetrics' optional _created is left out: start_time_seconds says it
 * once for all. */
#ifndef METRICS_EXPOSITION_H
#define METRICS_EXPOSITION_H

#include <stdio.h>

#include "metrics/figures.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* For the Content-Type header. */
const char *exposition_content_type(enum exposition_format format);

/* What an Accept header asks for; NULL is text. */
enum exposition_format exposition_format_of(const char *accept);

/* Writes every metric of the catalogue. `total` is all blocks merged (counters_merge). Upstreams behind
 * figures->upstream_count are not written. ferror(out) shows a failed write. */
void exposition_write(FILE *out, enum exposition_format format, const struct counters *total,
                      const struct figures *figures);

#endif
