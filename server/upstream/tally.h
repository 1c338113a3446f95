/* tally: counts what happens upstream in the worker's counters. The only file of the folder that knows the metrics'
 * labels; nothing is decided by them. The counters' thread only. */
#ifndef UPSTREAM_TALLY_H
#define UPSTREAM_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "metrics/counters.h"
#include "upstream/cause.h"

struct session;
struct upstream;

void tally_connect(struct counters *counters, const struct upstream *upstream);
void tally_ready(struct counters *counters, const struct upstream *upstream, bool resumed, uint64_t took_ns);
void tally_validated(struct counters *counters, const struct upstream *upstream, int64_t certificate_expiry_s);
void tally_query(struct counters *counters, const struct upstream *upstream);
void tally_response(struct counters *counters, const struct upstream *upstream, uint16_t rcode, uint64_t took_ns,
                    uint64_t now_ns);
void tally_late_response(struct counters *counters, const struct upstream *upstream);

/* A failure of the upstream, or a session that ended with nothing wrong. */
void tally_cause(struct counters *counters, const struct upstream *upstream, enum cause cause);
void tally_retry(struct counters *counters, const struct upstream *upstream, enum retry retry);

/* Why the upstream does not answer, for the status page and for clients: a constant text; NULL: nothing is wrong. */
void tally_error(struct counters *counters, const struct upstream *upstream, const char *why);

/* A row of /status.json for the session, or NULL if all are taken; what it shows; and its end (NULL is fine). */
struct session_row *tally_session_row(struct counters *counters);
void tally_session(struct session_row *row, const struct session *session, unsigned worker, uint64_t now_ns);
void tally_session_end(struct session_row *row);

/* How many sessions take questions, how many questions are in flight, and the upstream's state. */
void tally_upstream(struct counters *counters, const struct upstream *upstream, uint64_t sessions, uint64_t in_flight);

#endif
