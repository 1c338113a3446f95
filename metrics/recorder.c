#include "metrics/recorder.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"

struct recorder {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_stopping; /* guarded by `lock` */
    void (*record)(void *context);
    void *context;
};

/* When the next second of clock_now_ns begins, by the clock that pthread_cond_clockwait knows. */
static struct timespec next_second(void)
{
    uint64_t next_ns = clock_monotonic_us() * NS_PER_US + NS_PER_S - clock_now_ns() % NS_PER_S;
    return (struct timespec){.tv_sec = (time_t)(next_ns / NS_PER_S), .tv_nsec = (long)(next_ns % NS_PER_S)};
}

/* Until the next second begins, or the end. */
static bool wait_for_second(struct recorder *recorder)
{
    const struct timespec next = next_second();
    pthread_mutex_lock(&recorder->lock);
    int result = 0;
    while (!recorder->is_stopping && result == 0)
        result = pthread_cond_clockwait(&recorder->wake, &recorder->lock, CLOCK_MONOTONIC, &next);
    bool is_stopping = recorder->is_stopping;
    pthread_mutex_unlock(&recorder->lock);
    return !is_stopping;
}

static void *run(void *context)
{
    struct recorder *recorder = context;
    pthread_setname_np(pthread_self(), "history");
    do recorder->record(recorder->context);
    while (wait_for_second(recorder));
    return NULL;
}

struct recorder *recorder_start(void (*record)(void *context), void *context)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder) return NULL;
    recorder->record = record;
    recorder->context = context;
    pthread_mutex_init(&recorder->lock, NULL);
    pthread_cond_init(&recorder->wake, NULL);
    if (pthread_create(&recorder->thread, NULL, run, recorder) == 0) return recorder;
    pthread_cond_destroy(&recorder->wake);
    pthread_mutex_destroy(&recorder->lock);
    free(recorder);
    return NULL;
}

void recorder_stop(struct recorder *recorder)
{
    if (!recorder) return;
    pthread_mutex_lock(&recorder->lock);
    recorder->is_stopping = true;
    pthread_cond_signal(&recorder->wake);
    pthread_mutex_unlock(&recorder->lock);
    pthread_join(recorder->thread, NULL);
    pthread_cond_destroy(&recorder->wake);
    pthread_mutex_destroy(&recorder->lock);
    free(recorder);
}
