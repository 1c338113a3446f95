#include "state/keeper.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "state/directory.h"
#include "state/load.h"

/* How long after a purge, which has removed it, the snapshot is made anew. */
#define AFTER_PURGE_NS (10 * NS_PER_S)

struct keeper {
    struct keeper_deps deps;
    char path[STATE_PATH_MAX];
    FILE *snapshot;                         /* to be loaded; NULL: there is none, or it was */
    char snapshot_why[DIRECTORY_WHY_BYTES]; /* it cannot be opened; empty: it can, or there is none */
    struct counters *counters;
    struct pace pace;
    struct purged purged;
    pthread_t thread;
    bool is_started;

    pthread_mutex_t lock; /* guards the settings; a leaf */
    struct keeper_settings settings;

    atomic_bool is_last_wanted; /* the last snapshot */
    atomic_bool is_purged;      /* the snapshot was removed */

    /* Of the thread, read by others. */
    _Atomic uint64_t snapshot_ns;
    _Atomic uint64_t bytes;
    _Atomic uint64_t save_ns;
    _Atomic uint64_t load_ns;

    /* Of the thread. */
    bool has_failed;  /* the last time a snapshot was to be made; was logged */
    bool is_unloaded; /* the snapshot was not loaded to its end, and so is not to be replaced */
};

/* ---- the thread: save ---- */

static void note_failure(struct keeper *keeper, const char *why)
{
    count_event_by(keeper->counters, state_saves, LABEL_STATE_SAVE_FAILED);
    if (!keeper->has_failed)
        log_error(keeper->deps.log, "state not saved", log_text("directory", keeper->path), log_text("why", why),
                  log_text("do", "see to the directory; a restart begins with the former snapshot, if there is one"));
    keeper->has_failed = true;
}

static void note_success(struct keeper *keeper, uint64_t entries, uint64_t begun_ns)
{
    uint64_t took_ns = clock_now_ns() - begun_ns;
    count_event_by(keeper->counters, state_saves, LABEL_STATE_SAVE_GOOD);
    counter_add(cell_state_saved(keeper->counters), entries);
    atomic_store(&keeper->snapshot_ns, clock_wall_ns() - took_ns);
    atomic_store(&keeper->save_ns, took_ns);
    log_event(keeper->deps.log, keeper->has_failed ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
              keeper->has_failed ? "state saved again" : "state saved", log_number("entries", entries),
              log_number("bytes", atomic_load(&keeper->bytes)), log_number("took_ms", took_ns / NS_PER_MS));
    keeper->has_failed = false;
}

static struct save_source source_of(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    const struct keeper_settings *settings = &keeper->settings;
    struct save_source source = {.shared = keeper->deps.shared,
                                 .origin = settings->origin,
                                 .top = settings->top,
                                 .has_cookie_key = settings->has_cookie_key};
    memcpy(source.cookie_key, settings->cookie_key, sizeof source.cookie_key);
    pthread_mutex_unlock(&keeper->lock);
    return source;
}

static void save(struct keeper *keeper)
{
    char why[DIRECTORY_WHY_BYTES];
    uint64_t entries = 0;
    int error = 0;
    uint64_t begun_ns = clock_now_ns();
    const struct save_source source = source_of(keeper);
    FILE *file = directory_create(keeper->path, why);
    if (!file) {
        note_failure(keeper, why);
        return;
    }
    enum save_result result = save_write(&source, &keeper->pace, file, &entries, &error);
    if (result == SAVE_WRITTEN) {
        atomic_store(&keeper->bytes, (uint64_t)ftello(file));
        bool is_last = atomic_load(&keeper->is_last_wanted); /* the next process is about to read it */
        if (directory_publish(keeper->path, file, is_last ? NULL : &keeper->pace, why))
            note_success(keeper, entries, begun_ns);
        else if (*why)
            note_failure(keeper, why);
        return;
    }
    directory_discard(keeper->path, file);
    if (result == SAVE_FAILED) note_failure(keeper, strerror(error));
}

/* ---- the thread: load ---- */

static struct load_target target_of(struct keeper *keeper, struct forwarder_options *options)
{
    pthread_mutex_lock(&keeper->lock);
    const struct keeper_settings *settings = &keeper->settings;
    *options = settings->forwarder;
    const struct load_target target = {
        .shared = keeper->deps.shared,
        .names = settings->names ? names_share(settings->names) : NULL,
        .options = options,
        .stale_ns = settings->stale_ns,
        .half_life_ns = settings->half_life_ns,
        .origin = settings->origin,
        .purged = &keeper->purged,
        .counters = keeper->counters,
    };
    pthread_mutex_unlock(&keeper->lock);
    return target;
}

static void note_loaded(struct keeper *keeper, const struct load_result *result, uint64_t took_ns)
{
    uint64_t wall_ns = clock_wall_ns();
    atomic_store(&keeper->load_ns, took_ns);
    atomic_store(&keeper->snapshot_ns, result->saved_ns);
    log_event(keeper->deps.log, result->damaged > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "state loaded",
              log_number("answers", result->answers), log_number("names", result->names),
              log_number("rejected", result->rejected), log_number("damaged", result->damaged),
              log_text("complete", result->is_complete ? "yes" : "no"),
              log_number("age_s", wall_ns > result->saved_ns ? (wall_ns - result->saved_ns) / NS_PER_S : 0),
              log_number("took_ms", took_ns / NS_PER_MS));
}

static void ignore(const struct keeper *keeper, const char *why)
{
    log_warning(keeper->deps.log, "state ignored", log_text("directory", keeper->path), log_text("why", why),
                log_text("do", "nothing: the next snapshot takes its place"));
}

static void load(struct keeper *keeper)
{
    char why[DIRECTORY_WHY_BYTES];
    struct load_result result;
    struct forwarder_options options;
    uint64_t begun_ns = clock_now_ns();
    if (*keeper->snapshot_why) ignore(keeper, keeper->snapshot_why);
    if (!keeper->snapshot) return;
    const struct load_target target = target_of(keeper, &options);
    enum load_verdict verdict = load_read(&target, &keeper->pace, keeper->snapshot, &result, why);
    fclose(keeper->snapshot);
    keeper->snapshot = NULL;
    names_free(target.names);
    if (verdict == LOAD_IGNORED)
        ignore(keeper, why);
    else
        note_loaded(keeper, &result, clock_now_ns() - begun_ns);
    keeper->is_unloaded = verdict == LOAD_STOPPED;
}

/* ---- the thread ---- */

/* Says at once what is wrong with the directory, and not when the first snapshot is due; removes what a run that was
 * killed has left. */
static void try_directory(struct keeper *keeper)
{
    char why[DIRECTORY_WHY_BYTES];
    FILE *file = directory_create(keeper->path, why);
    if (file)
        directory_discard(keeper->path, file);
    else
        note_failure(keeper, why);
}

static uint64_t interval_of(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    uint64_t interval_ns = keeper->settings.options.save_interval_ns;
    pthread_mutex_unlock(&keeper->lock);
    return interval_ns;
}

static void tell_main(const struct keeper *keeper)
{
    struct mail *mail = calloc(1, sizeof *mail);
    if (!mail) return; /* main waits until its deadline */
    mail->kind = keeper->deps.saved_kind;
    mailbox_post(keeper->deps.main_mailbox, mail);
}

/* When the next snapshot is due. */
static uint64_t due_ns(struct keeper *keeper, uint64_t saved_ns, uint64_t purged_ns)
{
    uint64_t interval_ns = interval_of(keeper);
    uint64_t after_purge_ns = purged_ns > saved_ns ? purged_ns + AFTER_PURGE_NS : CLOCK_NEVER;
    uint64_t next_ns = interval_ns > 0 ? saved_ns + interval_ns : CLOCK_NEVER;
    return clock_earlier(next_ns, after_purge_ns);
}

static void *run(void *context)
{
    struct keeper *keeper = context;
    pthread_setname_np(pthread_self(), "state");
    /* It takes no processor from a worker when a pause ends. The system may forbid it, which does no harm. */
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    try_directory(keeper);
    load(keeper);
    warmup_close(keeper->deps.shared->warmup);
    uint64_t saved_ns = clock_now_ns();
    uint64_t purged_ns = 0;
    while (!pace_is_stopped(&keeper->pace)) {
        uint64_t now_ns = clock_now_ns();
        if (atomic_exchange(&keeper->is_purged, false)) purged_ns = now_ns;
        bool is_last = atomic_load(&keeper->is_last_wanted);
        uint64_t next_ns = due_ns(keeper, saved_ns, purged_ns);
        if (is_last || now_ns >= next_ns) {
            if (!keeper->is_unloaded) save(keeper);
            saved_ns = now_ns;
        } else {
            pace_wait(&keeper->pace, next_ns == CLOCK_NEVER ? CLOCK_NEVER : next_ns - now_ns);
        }
        if (is_last) break;
    }
    if (atomic_load(&keeper->is_last_wanted)) tell_main(keeper);
    return NULL;
}

/* ---- main ---- */

struct keeper *keeper_new(const struct keeper_deps *deps, const struct keeper_settings *settings, bool *ret_is_off)
{
    char path[STATE_PATH_MAX];
    *ret_is_off = !directory_find(&settings->options, path);
    if (*ret_is_off) return NULL;
    struct keeper *keeper = calloc(1, sizeof *keeper);
    struct counters *counters = counters_new();
    if (!keeper || !counters) {
        free(keeper);
        counters_free(counters);
        return NULL;
    }
    keeper->deps = *deps;
    keeper->counters = counters;
    memcpy(keeper->path, path, sizeof path);
    keeper->snapshot = directory_open(path, keeper->snapshot_why);
    pace_init(&keeper->pace);
    purged_init(&keeper->purged);
    pthread_mutex_init(&keeper->lock, NULL);
    keeper_set_settings(keeper, settings);
    atomic_store(&keeper->snapshot_ns, clock_wall_ns());
    return keeper;
}

void keeper_free(struct keeper *keeper)
{
    if (!keeper) return;
    pace_stop(&keeper->pace);
    if (keeper->is_started) pthread_join(keeper->thread, NULL);
    if (keeper->snapshot) fclose(keeper->snapshot);
    names_free(keeper->settings.names);
    pthread_mutex_destroy(&keeper->lock);
    purged_done(&keeper->purged);
    pace_done(&keeper->pace);
    counters_free(keeper->counters);
    explicit_bzero(keeper->settings.cookie_key, sizeof keeper->settings.cookie_key);
    free(keeper);
}

bool keeper_read_cookie_key(struct keeper *keeper, uint8_t ret_key[static STATE_COOKIE_KEY_BYTES])
{
    char why[DIRECTORY_WHY_BYTES]; /* is said when the snapshot is loaded */
    FILE *file = directory_open(keeper->path, why);
    if (!file) return false;
    bool is_there = load_cookie_key(file, ret_key);
    fclose(file);
    return is_there;
}

bool keeper_start(struct keeper *keeper, const struct keeper_settings *settings)
{
    keeper_set_settings(keeper, settings);
    keeper->is_started = pthread_create(&keeper->thread, NULL, run, keeper) == 0;
    if (!keeper->is_started) warmup_close(keeper->deps.shared->warmup);
    return keeper->is_started;
}

void keeper_set_settings(struct keeper *keeper, const struct keeper_settings *settings)
{
    pthread_mutex_lock(&keeper->lock);
    struct names *names = keeper->settings.names;
    keeper->settings = *settings;
    if (settings->names) names_share(settings->names);
    pthread_mutex_unlock(&keeper->lock);
    names_free(names);
    pace_wake(&keeper->pace);
}

bool keeper_save_last(struct keeper *keeper, uint64_t deadline_ns)
{
    if (!keeper || !keeper->is_started) return false;
    atomic_store(&keeper->is_last_wanted, true);
    pace_hurry(&keeper->pace, deadline_ns);
    return true;
}

/* ---- any thread ---- */

void keeper_note_purge(struct keeper *keeper, const uint8_t *name, size_t size)
{
    if (keeper) purged_note(&keeper->purged, name, size);
}

bool keeper_remove_snapshot(struct keeper *keeper)
{
    char why[DIRECTORY_WHY_BYTES];
    if (!keeper) return true;
    bool is_gone = directory_empty(keeper->path, why);
    if (!is_gone)
        log_error(keeper->deps.log, "state not removed", log_text("directory", keeper->path), log_text("why", why),
                  log_text("do", "delete its files, or what was purged may come back with a restart"));
    atomic_store(&keeper->is_purged, true);
    pace_wake(&keeper->pace);
    return is_gone;
}

struct keeper_figures keeper_figures(struct keeper *keeper)
{
    if (!keeper) return (struct keeper_figures){0};
    return (struct keeper_figures){
        .snapshot_s = (double)(atomic_load(&keeper->snapshot_ns) / NS_PER_MS) / 1000,
        .bytes = (double)atomic_load(&keeper->bytes),
        .save_s = (double)atomic_load(&keeper->save_ns) / (double)NS_PER_S,
        .load_s = (double)atomic_load(&keeper->load_ns) / (double)NS_PER_S,
    };
}

struct counters *keeper_counters(struct keeper *keeper)
{
    return keeper ? keeper->counters : NULL;
}
