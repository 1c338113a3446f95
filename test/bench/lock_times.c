/* lock_times: how long each lock of a program is held. A library to be loaded before the C library:
 *
 *   LD_PRELOAD=liblock_times.so LOCK_TIMES=FILE PROGRAM...
 *
 * It stands in for pthread_mutex_lock and pthread_mutex_unlock, and at the program's end writes a line for each place
 * that locked: its address in the program, how often it locked, how often another thread had the lock, the mean and the
 * 50th and 99th percentile of the time until the unlock, in ns, without what the measurement itself takes, and how
 * often that time was longer than LOST cycles: then the thread had lost its processor, and the mean is without it. A
 * condition that gives the mutex up while it waits counts as holding it: leave such places out. Locks are leaves in
 * this program, so a thread holds one at a time; a second one is not measured. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "latencies.h"
#include "tool.h"

enum { SITES_MAX = 64, THREADS_MAX = 96, CALIBRATIONS = 1000, LOST = 20000 };

/* Of one place in the program, in one thread. */
struct site {
    const void *address; /* behind the call; NULL: free */
    uint64_t sum;
    uint64_t found_held;
    uint64_t lost;
    struct latencies cycles;
};

struct record {
    pthread_mutex_t *held;
    struct site *site;
    uint64_t since;
    struct site sites[SITES_MAX];
};

typedef int mutex_function(pthread_mutex_t *);

static mutex_function *real_lock, *real_trylock, *real_unlock;
static struct record *records[THREADS_MAX];
static atomic_uint record_count;
static _Thread_local struct record *own;
static uint64_t overhead; /* of a measurement, in cycles */

/* When all that stands before it is done, loads included. */
static uint64_t cycles_now(void)
{
    _mm_lfence();
    return __rdtsc();
}

/* The first calls come while the C library starts; then they are not measured. */
static void find_real(void)
{
    *(void **)&real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock"); /* as POSIX has it */
    *(void **)&real_trylock = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
    *(void **)&real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
}

static struct record *record_of_thread(void)
{
    if (own) return own;
    unsigned index = atomic_fetch_add(&record_count, 1);
    if (index >= THREADS_MAX) return NULL;
    own = records[index] = calloc(1, sizeof *own);
    return own;
}

static struct site *site_of(struct record *record, const void *address)
{
    size_t first = ((uintptr_t)address >> 2) % SITES_MAX;
    for (size_t i = 0; i < SITES_MAX; i++) {
        struct site *site = &record->sites[(first + i) % SITES_MAX];
        if (!site->address) site->address = address;
        if (site->address == address) return site;
    }
    return NULL;
}

static int measured_lock(pthread_mutex_t *mutex, const void *address)
{
    struct record *record = record_of_thread();
    struct site *site = record && !record->held ? site_of(record, address) : NULL;
    int result = real_trylock(mutex);
    if (result != 0) {
        if (site) site->found_held++;
        result = real_lock(mutex);
    }
    if (!site) return result;
    record->held = mutex;
    record->site = site;
    record->since = cycles_now();
    return result;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!real_lock) find_real();
    return measured_lock(mutex, __builtin_return_address(0));
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    uint64_t now = cycles_now();
    struct record *record = own;
    if (record && record->held == mutex) {
        uint64_t cycles = now - record->since;
        if (cycles > LOST)
            record->site->lost++;
        else
            record->site->sum += cycles;
        latencies_add(&record->site->cycles, cycles);
        record->held = NULL;
    }
    if (!real_unlock) find_real();
    return real_unlock(mutex);
}

/* ---- begin and end ---- */

static double cycles_per_ns(void)
{
    uint64_t begin_ns = now_ns();
    uint64_t begin = __rdtsc();
    while (now_ns() - begin_ns < NS_PER_S / 50) continue;
    return (double)(__rdtsc() - begin) / (double)(now_ns() - begin_ns);
}

/* The least of many empty measurements; what is left of the mutex itself is not held. */
static void __attribute__((constructor)) calibrate(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    overhead = UINT64_MAX;
    for (int i = 0; i < CALIBRATIONS; i++) {
        pthread_mutex_lock(&mutex);
        uint64_t since = own ? own->since : 0;
        uint64_t cycles = cycles_now() - since;
        pthread_mutex_unlock(&mutex);
        if (cycles < overhead) overhead = cycles;
    }
    for (int i = 0; own && i < SITES_MAX; i++) own->sites[i] = (struct site){0};
}

static void add(struct site *total, const struct site *site)
{
    total->address = site->address;
    total->sum += site->sum;
    total->found_held += site->found_held;
    total->lost += site->lost;
    total->cycles.count += site->cycles.count;
    for (int i = 0; i < LATENCY_CLASSES; i++) total->cycles.classes[i] += site->cycles.classes[i];
}

static double less_overhead(double cycles, double rate)
{
    double left = cycles - (double)overhead;
    return left > 0 ? left / rate : 0;
}

static void write_site(FILE *out, const struct site *site, double rate)
{
    Dl_info found;
    const struct latencies *cycles = &site->cycles;
    uintptr_t base = dladdr(site->address, &found) ? (uintptr_t)found.dli_fbase : 0;
    uint64_t measured = cycles->count > site->lost ? cycles->count - site->lost : 1;
    fprintf(out, "0x%lx %lu %lu %.1f %.1f %.1f %lu %s\n", (uintptr_t)site->address - base, cycles->count,
            site->found_held, less_overhead((double)site->sum / (double)measured, rate),
            less_overhead(latencies_us(cycles, 0.5) * 1000, rate),
            less_overhead(latencies_us(cycles, 0.99) * 1000, rate), site->lost, base ? found.dli_fname : "?");
}

static void __attribute__((destructor)) report(void)
{
    const char *path = getenv("LOCK_TIMES");
    FILE *out = path ? fopen(path, "w") : NULL;
    struct record *all = calloc(1, sizeof *all);
    unsigned count = atomic_load(&record_count);
    if (!out || !all) return;
    for (unsigned i = 0; i < count && i < THREADS_MAX; i++)
        for (int j = 0; j < SITES_MAX && records[i]; j++) {
            const struct site *site = &records[i]->sites[j];
            struct site *total = site->cycles.count > 0 ? site_of(all, site->address) : NULL;
            if (total) add(total, site);
        }
    double rate = cycles_per_ns();
    for (int i = 0; i < SITES_MAX; i++)
        if (all->sites[i].cycles.count > 0) write_site(out, &all->sites[i], rate);
    fclose(out);
}
