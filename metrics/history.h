/* history: the figures of the last hour, second by second, and of the last day, minute by minute, for the charts of the
 * status page; and what happened meanwhile (start, reloads, outages, certificates).
 *
 * Memory is fixed: two bytes for each value, which is exact to a thousandth; 10 KiB for each figure and 20 KiB for each
 * upstream, some 330 KiB with four upstreams. Nothing is kept over a restart. One thread takes the figures; any thread
 * may write them out. One mutex, a leaf. */
#ifndef METRICS_HISTORY_H
#define METRICS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/counters.h"
#include "metrics/figures.h"

enum { HISTORY_SECONDS = 3600, HISTORY_MINUTES = 1440, HISTORY_EVENTS_MAX = 64 };

/* "5m": each of the last 300 seconds; "1h": means of four seconds; "24h": minutes. */
enum history_range { HISTORY_5_MINUTES, HISTORY_HOUR, HISTORY_DAY, HISTORY_RANGES };

struct history;

/* NULL if memory is short. */
struct history *history_new(void);
void history_free(struct history *history);

/* Once a second, at `now_ns`. If it is not called for a while, that time has no values. The first call notes the
 * start; rates are those since the call before. */
void history_take(struct history *history, const struct counters *total, const struct figures *figures,
                  uint64_t now_ns);

/* Reads "5m", "1h" or "24h". False: it is none of them. */
bool history_parse_range(const char *text, enum history_range *ret_range);

/* A JSON object: {"range", "step_ms", "end_ms", "figures": {NAME: [...]}, "upstreams": [{"name", "queries", "p90_ms"}],
 * "events": [{"at_ms", "kind", "upstream"}]}; oldest value first, null if there is none; the last value is of the
 * time that ended at `end_ms`. Times are those of `now_ms` in /status.json: milliseconds of a clock that starts
 * anywhere. */
void history_write(struct history *history, enum history_range range, FILE *out);

#endif
