/* process: what the kernel says of this process, by the names every Prometheus client library uses. Any thread. */
#ifndef METRICS_PROCESS_H
#define METRICS_PROCESS_H

#include "metrics/figures.h"

/* Fills the process_ members except process_started_s; what cannot be read (no /proc, no memory) stays 0. */
void process_read(struct figures *figures);

/* When the process started, seconds since 1970. Asked once and kept: it is reckoned from two clocks, so a second call
 * may differ by milliseconds, which would look like a restart. 0 if /proc cannot be read. */
double process_started_s(void);

#endif
