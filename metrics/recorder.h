/* recorder: a thread that calls a function once a second, at the beginning of each second of the clock. It sleeps in
 * between and inherits the signal mask. */
#ifndef METRICS_RECORDER_H
#define METRICS_RECORDER_H

struct recorder;

/* Calls `record` with `context` at once and then each second, on its own thread. A second that passes while it runs is
 * left out. NULL if memory is short or no thread can be made. */
struct recorder *recorder_start(void (*record)(void *context), void *context);

/* Waits for a call that runs, and ends the thread. NULL is fine. */
void recorder_stop(struct recorder *recorder);

#endif
