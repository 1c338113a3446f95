/* core_costs: what two processors of this machine cost each other, in ns, as one line of JSON:
 *
 *   line     a cache line that one has written comes to the other, which writes it
 *   wait     a thread goes into the kernel to wait for a mutex and finds it free
 *   wake     a thread wakes another one: what that takes of its own time
 *   woken    from there until the other one runs
 *
 * `woken` is that of a processor without other work. Threads are bound to two processors. The medians of many. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "latencies.h"
#include "tool.h"

enum { ROUNDS = 20000, WAKES = 3000, LINES = 16 };

struct shared {
    alignas(64) atomic_uint turn;
    alignas(64) atomic_uint word; /* a futex */
    alignas(64) atomic_ulong woken_ns;
    struct {
        alignas(64) atomic_uint value;
    } lines[LINES]; /* each written by the two in turns */
    alignas(64) atomic_bool is_over;
    cpu_set_t allowed; /* processors, when the program began */
};

static long futex(atomic_uint *word, int operation, unsigned value)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* The calling thread, to the first or the second of them. */
static void bind_to(const struct shared *shared, int index)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &shared->allowed) && index-- == 0) CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) die("sched_setaffinity");
}

/* ---- lines to and fro ---- */

/* When it is this one's turn, which comes with `turn`. Atomic additions wait for each other, and so for each line. */
static uint64_t write_lines(struct shared *shared, unsigned turn)
{
    while (atomic_load_explicit(&shared->turn, memory_order_acquire) != turn) continue;
    uint64_t begin = now_ns();
    for (int i = 0; i < LINES; i++) atomic_fetch_add(&shared->lines[i].value, 1);
    uint64_t took = now_ns() - begin;
    atomic_store_explicit(&shared->turn, turn + 1, memory_order_release);
    return took;
}

static void *write_others(void *context)
{
    struct shared *shared = context;
    bind_to(shared, 1);
    for (unsigned i = 1; i < 2 * ROUNDS; i += 2) write_lines(shared, i);
    return NULL;
}

static double measure_line(struct shared *shared)
{
    static struct latencies times;
    pthread_t other;
    pthread_create(&other, NULL, write_others, shared);
    for (unsigned i = 0; i < 2 * ROUNDS; i += 2) latencies_add(&times, write_lines(shared, i));
    pthread_join(other, NULL);
    return latencies_us(&times, 0.5) * 1000 / LINES;
}

/* ---- the kernel behind a mutex ---- */

static double measure_wait(struct shared *shared)
{
    uint64_t begin = now_ns();
    for (int i = 0; i < ROUNDS; i++) futex(&shared->word, FUTEX_WAIT, 1); /* it is 0, so nobody waits */
    return (double)(now_ns() - begin) / ROUNDS;
}

static void *sleep_and_wake(void *context)
{
    struct shared *shared = context;
    bind_to(shared, 1);
    while (!atomic_load(&shared->is_over)) {
        futex(&shared->word, FUTEX_WAIT, 0);
        atomic_store(&shared->woken_ns, now_ns());
        while (atomic_load(&shared->word) != 0 && !atomic_load(&shared->is_over)) continue;
    }
    return NULL;
}

static void measure_wake(struct shared *shared, double *ret_wake, double *ret_woken)
{
    static struct latencies own, other;
    pthread_t thread;
    pthread_create(&thread, NULL, sleep_and_wake, shared);
    for (int i = 0; i < WAKES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL); /* it sleeps by then; else the round does not count */
        uint64_t begin = now_ns();
        atomic_store(&shared->word, 1);
        bool is_woken = futex(&shared->word, FUTEX_WAKE, 1) == 1;
        uint64_t end = now_ns();
        while (atomic_load(&shared->woken_ns) < begin && now_ns() - begin < NS_PER_S / 100) continue;
        uint64_t woken = atomic_load(&shared->woken_ns);
        if (is_woken && woken > begin) {
            latencies_add(&own, end - begin);
            latencies_add(&other, woken - begin);
        }
        atomic_store(&shared->word, 0);
    }
    atomic_store(&shared->is_over, true);
    atomic_store(&shared->word, 1);
    futex(&shared->word, FUTEX_WAKE, 1);
    pthread_join(thread, NULL);
    *ret_wake = latencies_us(&own, 0.5) * 1000;
    *ret_woken = latencies_us(&other, 0.5) * 1000;
}

int main(void)
{
    static struct shared shared;
    double wake, woken;
    if (sched_getaffinity(0, sizeof shared.allowed, &shared.allowed) != 0) die("sched_getaffinity");
    if (CPU_COUNT(&shared.allowed) < 2) {
        fputs("core_costs: needs two processors\n", stderr);
        return 1;
    }
    bind_to(&shared, 0);
    double line = measure_line(&shared);
    double wait = measure_wait(&shared);
    measure_wake(&shared, &wake, &woken);
    printf("{\"line\":%.0f,\"wait\":%.0f,\"wake\":%.0f,\"woken\":%.0f}\n", line, wait, wake, woken);
    return 0;
}
