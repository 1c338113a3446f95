/* lock_sim: many workers that answer from the cache, simulated: what the locks of the shared tables do to them.
 *
 *   lock_sim -w WORKERS -o OWN_NS -h RATE,CACHE,NAMES -H CACHE,NAMES -c LINE,WAIT,WAKE,WOKEN [-b BATCH]
 *            [-a ADDRESSES] [-n NAMES] [-z EXPONENT] [-t] [-u] [-q QUERIES]
 *
 * A query is OWN_NS of the worker's own work in three parts, and behind each part a lock: the client's stripe of the
 * rate limit, the name's stripe of the cache, the name's stripe of the top names, held for the times of -h, and for
 * those of -H where the name is one of the 16 most asked, which the processor's caches have. A worker
 * answers a batch of BATCH queries of one client, then of another. Clients have one of ADDRESSES, names are one of
 * NAMES with Zipf's distribution and that exponent (1; 0: all alike).
 *
 * A lock is glibc's mutex: a word in a cache line. Whoever writes the word needs the line; from another processor it
 * comes in LINE, to one after the other. Who finds the lock held writes that it waits and goes into the kernel, which
 * takes WAIT, and sleeps there if the word still says so, else tries again. Who lets go of a lock for which others wait
 * calls the kernel, which takes WAKE where one sleeps; that one runs WOKEN later, and may find that others were
 * faster. While a lock is held, the line of the client's bucket or of the name's count has to come, too, and a further
 * one for the ring of clients where another client was the last of the stripe. -c's figures are core_costs'.
 *
 * -t: tokens are taken once for a batch. -u: each worker has a table of its own of the 16 most asked names, for which
 * it takes no lock of the cache, and that of the top names once in COUNT_NS for each of them.
 *
 * It prints one line of JSON; `waiting` is the share of all workers' time between wanting a lock and having it, and in
 * the kernel when it is let go. Processors and memory have no bound here, and nothing but these lines is shared. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "tool.h"

enum { WORKERS_MAX = 256, STRIPES = 64, TABLES = 3, NAMES_MAX = 1 << 20, HOT = 16, COUNT_NS = 1000000, NOBODY = -1 };

enum table { RATE, CACHE, NAMES };

enum word { FREE, HELD, CONTENDED };

struct lock {
    unsigned word;  /* FREE, HELD, CONTENDED */
    int line_owner; /* worker whose processor has the line; NOBODY */
    double line_at; /* when it came, or will come, to that one */
    int client;     /* RATE: the address that had it last */
    int first, end; /* of the ring of those that sleep */
    int sleeping[WORKERS_MAX + 1];
};

/* What a worker is about to do at its time. */
enum state {
    ARRIVES, /* wants the lock of its table */
    TRIES,   /* the line is here: takes the lock if it is free */
    MARKS,   /* the line is here: says that it waits, and has the lock if it was free */
    IN_KERNEL,
    SLEEPS,
    WAKES,
    RELEASES, /* has done what the lock is for */
    LETS_GO,  /* the line is here */
    PASSES    /* needs no lock of its table */
};

struct worker {
    double time;
    double since; /* when it wanted the lock, or let go of it */
    double waited, slept;
    enum state state;
    enum table table;
    int left; /* queries of the turn */
    int address, name;
    double counted[HOT]; /* when the hot names were last counted in the table of all */
};

struct sim {
    int workers, batch, addresses, names;
    bool tokens_by_batch, own_table;
    double own, hold[TABLES], hot_hold[TABLES], line, wait, wake, woken;
    double *zipf; /* sums of the names' shares */
    double exponent;
    uint64_t random, answered, wanted, found_held, kernel;
    struct worker worker[WORKERS_MAX];
    struct lock locks[TABLES][STRIPES];
    int *last_of_address, *last_of_name; /* worker that wrote it */
};

static double draw(struct sim *sim)
{
    sim->random = sim->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(sim->random >> 11) / 9007199254740992.0;
}

static int draw_name(struct sim *sim)
{
    double wanted = draw(sim) * sim->zipf[sim->names - 1];
    int low = 0, high = sim->names - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (sim->zipf[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Names and addresses fall on stripes as by a hash. */
static struct lock *lock_of(struct sim *sim, const struct worker *worker)
{
    uint32_t key = (uint32_t)(worker->table == RATE ? worker->address : worker->name) * 2654435761u;
    return &sim->locks[worker->table][key >> 26];
}

static bool is_in_own_table(const struct sim *sim, const struct worker *worker)
{
    return sim->own_table && worker->name < HOT;
}

static double hold_ns(const struct sim *sim, const struct worker *worker)
{
    return worker->name < HOT ? sim->hot_hold[worker->table] : sim->hold[worker->table];
}

/* Whether the worker takes the lock of its table for this query. */
static bool takes_lock(const struct sim *sim, const struct worker *worker)
{
    switch (worker->table) {
    case RATE: return !sim->tokens_by_batch || worker->left == sim->batch;
    case CACHE: return !is_in_own_table(sim, worker);
    case NAMES: return !is_in_own_table(sim, worker) || worker->time - worker->counted[worker->name] > COUNT_NS;
    }
    return true;
}

static void begin_query(struct sim *sim, struct worker *worker)
{
    if (worker->left == 0) {
        worker->left = sim->batch;
        worker->address = (int)(draw(sim) * sim->addresses);
    }
    worker->name = draw_name(sim);
    worker->table = RATE;
}

/* The part of its own work behind a lock, until it needs the next one. */
static void go_on(struct sim *sim, struct worker *worker)
{
    if (worker->table == NAMES) {
        sim->answered++;
        worker->left--;
        begin_query(sim, worker);
    } else {
        worker->table++;
    }
    worker->time += sim->own / TABLES;
    worker->state = takes_lock(sim, worker) ? ARRIVES : PASSES;
}

/* When the lock's line is with that worker, who wants it now; lines come to one after the other. */
static double line_comes(const struct sim *sim, struct lock *lock, int index, double now)
{
    if (lock->line_owner == index) return now;
    lock->line_owner = index;
    lock->line_at = (now > lock->line_at ? now : lock->line_at) + sim->line;
    return lock->line_at;
}

/* The lines that are written under the lock, as far as they are in other processors. */
static double data_ns(struct sim *sim, const struct worker *worker, struct lock *lock, int index)
{
    double ns = 0;
    if (worker->table == CACHE) return 0;
    int *last = worker->table == RATE ? &sim->last_of_address[worker->address] : &sim->last_of_name[worker->name];
    if (*last != index) ns += sim->line;
    *last = index;
    if (worker->table == RATE && lock->client != worker->address) ns += sim->line;
    lock->client = worker->address;
    return ns;
}

static void take(struct sim *sim, struct worker *worker, struct lock *lock, int index, enum word word)
{
    lock->word = word;
    worker->waited += worker->time - worker->since;
    worker->time += hold_ns(sim, worker) + data_ns(sim, worker, lock, index);
    worker->state = RELEASES;
    if (worker->table == NAMES && is_in_own_table(sim, worker)) worker->counted[worker->name] = worker->time;
}

static void sleep_for(struct worker *worker, struct lock *lock, int index)
{
    worker->state = SLEEPS;
    worker->slept -= worker->time;
    worker->time = INFINITY;
    lock->sleeping[lock->end] = index;
    lock->end = (lock->end + 1) % (WORKERS_MAX + 1);
}

static void wake_first(struct sim *sim, struct lock *lock, double now)
{
    struct worker *other = &sim->worker[lock->sleeping[lock->first]];
    lock->first = (lock->first + 1) % (WORKERS_MAX + 1);
    other->time = now + sim->woken;
    other->slept += other->time;
    other->state = WAKES;
}

/* The lock is free from now on. */
static void let_go(struct sim *sim, struct worker *worker, struct lock *lock)
{
    bool is_marked = lock->word == CONTENDED, is_slept_for = lock->first != lock->end;
    lock->word = FREE;
    if (is_marked) {
        sim->kernel++;
        if (is_slept_for) wake_first(sim, lock, worker->time);
        worker->time += is_slept_for ? sim->wake : sim->wait;
    }
    worker->waited += worker->time - worker->since;
    go_on(sim, worker);
}

static void step(struct sim *sim, struct worker *worker, int index)
{
    struct lock *lock = lock_of(sim, worker);
    switch (worker->state) {
    case ARRIVES:
    case RELEASES:
        worker->since = worker->time;
        worker->time = line_comes(sim, lock, index, worker->time);
        worker->state = worker->state == ARRIVES ? TRIES : LETS_GO;
        break;
    case TRIES:
        if (lock->word == FREE) {
            take(sim, worker, lock, index, HELD);
            break;
        }
        sim->found_held++;
        worker->time = line_comes(sim, lock, index, worker->time);
        worker->state = MARKS;
        break;
    case MARKS:
        if (lock->word == FREE) {
            take(sim, worker, lock, index, CONTENDED);
            break;
        }
        lock->word = CONTENDED;
        sim->kernel++;
        worker->time += sim->wait;
        worker->state = IN_KERNEL;
        break;
    case IN_KERNEL:
        if (lock->word == CONTENDED) {
            sleep_for(worker, lock, index);
            break;
        }
        /* fallthrough */
    case WAKES:
        worker->time = line_comes(sim, lock, index, worker->time);
        worker->state = MARKS;
        break;
    case LETS_GO: let_go(sim, worker, lock); break;
    case PASSES: go_on(sim, worker); break;
    case SLEEPS: break;
    }
}

/* Returns when it ends, in ns. */
static double run(struct sim *sim)
{
    double now = 0;
    while (sim->answered < sim->wanted) {
        int next = 0;
        for (int i = 1; i < sim->workers; i++)
            if (sim->worker[i].time < sim->worker[next].time) next = i;
        now = sim->worker[next].time;
        step(sim, &sim->worker[next], next);
    }
    return now;
}

/* ---- begin ---- */

static void *filled(size_t count)
{
    int *all = malloc(count * sizeof *all);
    if (!all) die("malloc");
    for (size_t i = 0; i < count; i++) all[i] = NOBODY;
    return all;
}

static void init(struct sim *sim)
{
    double sum = 0;
    sim->last_of_address = filled((size_t)sim->addresses);
    sim->last_of_name = filled((size_t)sim->names);
    sim->zipf = malloc((size_t)sim->names * sizeof *sim->zipf);
    if (!sim->zipf) die("malloc");
    for (int i = 0; i < sim->names; i++) sim->zipf[i] = sum += pow(i + 1, -sim->exponent);
    for (int i = 0; i < TABLES; i++)
        for (int j = 0; j < STRIPES; j++) sim->locks[i][j].line_owner = sim->locks[i][j].client = NOBODY;
    for (int i = 0; i < sim->workers; i++) {
        struct worker *worker = &sim->worker[i];
        begin_query(sim, worker);
        worker->time = draw(sim) * sim->own * sim->batch; /* they do not begin in step */
    }
}

static bool read_options(int count, char **arguments, struct sim *sim)
{
    bool good = true;
    *sim = (struct sim){.batch = 50, .addresses = 1000, .names = 100000, .exponent = 1, .wanted = 1000000, .random = 1};
    for (int option; (option = getopt(count, arguments, "w:o:h:H:c:b:a:n:z:q:tu")) != -1;) {
        switch (option) {
        case 'w': sim->workers = (int)strtol(optarg, NULL, 10); break;
        case 'o': sim->own = strtod(optarg, NULL); break;
        case 'h': good &= sscanf(optarg, "%lf,%lf,%lf", &sim->hold[0], &sim->hold[1], &sim->hold[2]) == 3; break;
        case 'H': good &= sscanf(optarg, "%lf,%lf", &sim->hot_hold[CACHE], &sim->hot_hold[NAMES]) == 2; break;
        case 'c':
            good &= sscanf(optarg, "%lf,%lf,%lf,%lf", &sim->line, &sim->wait, &sim->wake, &sim->woken) == 4;
            break;
        case 'b': sim->batch = (int)strtol(optarg, NULL, 10); break;
        case 'a': sim->addresses = (int)strtol(optarg, NULL, 10); break;
        case 'n': sim->names = (int)strtol(optarg, NULL, 10); break;
        case 'z': sim->exponent = strtod(optarg, NULL); break;
        case 'q': sim->wanted = strtoull(optarg, NULL, 10); break;
        case 't': sim->tokens_by_batch = true; break;
        case 'u': sim->own_table = true; break;
        default: return false;
        }
    }
    sim->hot_hold[RATE] = sim->hold[RATE];
    return good && sim->workers > 0 && sim->workers <= WORKERS_MAX && sim->own > 0 && sim->batch > 0 &&
           sim->addresses > 0 && sim->names > 0 && sim->names <= NAMES_MAX;
}

int main(int count, char **arguments)
{
    static struct sim sim;
    if (!read_options(count, arguments, &sim)) {
        fputs("usage: lock_sim -w N -o NS -h NS,NS,NS -H NS,NS -c NS,NS,NS,NS [-b N] [-a N] [-n N] [-z N] [-t] [-u] "
              "[-q N]\n",
              stderr);
        return 2;
    }
    init(&sim);
    double end = run(&sim), waited = 0, slept = 0;
    for (int i = 0; i < sim.workers; i++) {
        const struct worker *worker = &sim.worker[i];
        bool is_waiting = worker->state != ARRIVES && worker->state != RELEASES && worker->state != PASSES;
        waited += worker->waited + (is_waiting ? end - worker->since : 0);
        slept += worker->slept + (worker->state == SLEEPS ? end : 0);
    }
    double all = end * sim.workers, answered = (double)sim.answered;
    printf("{\"workers\":%d,\"per_s\":%.0f,\"cpu_ns\":%.1f,\"waiting\":%.4f,\"asleep\":%.4f,\"held_per_1000\":%.2f,"
           "\"kernel_per_1000\":%.2f}\n",
           sim.workers, answered / end * 1e9, (all - slept) / answered, waited / all, slept / all,
           (double)sim.found_held / answered * 1000, (double)sim.kernel / answered * 1000);
    return 0;
}
