/* call_log: in `sandbox: log`, the thread that reads which system calls are made outside the table, writes them to the
 * log, and lets them go on. So the log tells what the mode `on` would refuse, without the kernel's audit log.
 *
 * A call outside the table waits until this thread has seen it: it makes none itself. It must be running before the
 * filter is in force, since starting a thread may need such calls. A call is logged when it is made for the first, 2nd,
 * 4th, 8th, ... time. */
#ifndef SANDBOX_CALL_LOG_H
#define SANDBOX_CALL_LOG_H

#include <stdint.h>

#include "common/log.h"

struct call_log;

/* NULL: no memory, thread or descriptor. */
struct call_log *call_log_start(const struct log *log);

/* Hands over the descriptor of call_filter_enforce, once. */
void call_log_listen(struct call_log *call_log, int listener);

/* How many calls were made outside the table. Any thread. */
uint64_t call_log_count(const struct call_log *call_log);

/* Ends its thread; from then on calls outside the table fail with ENOSYS. As late as possible. NULL is fine. */
void call_log_stop(struct call_log *call_log);

#endif
