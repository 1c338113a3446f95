#include "app/shared_cache.h"

#include <string.h>

#include "app/ca_bundle.h"
#include "common/clock.h"
#include "store/failure.h"

#define LOOK_NS   NS_PER_S
#define FORGED_NS (60 * NS_PER_S)

/* ---- making it ---- */

/* What is trusted for the store: a share for the caller; NULL for plain TCP. False: the bundle cannot be used. */
static bool find_tls(const struct store_options *options, const struct shared_cache_tls *tls,
                     const struct shared_cache *current, struct tls_context **ret_tls, struct file_mark *ret_mark,
                     char ret_error[static SETUP_ERROR_BYTES])
{
    struct tls_options own;
    char why[TLS_ERROR_MAX];
    *ret_tls = NULL;
    if (options->tls_name[0] == '\0') return true;
    if (options->ca_file[0] == '\0') {
        *ret_tls = tls_context_share(tls->upstreams);
        return true;
    }
    struct file_mark mark = file_mark_of(options->ca_file);
    const struct store_setup *former = current ? current->setup : NULL;
    bool is_same = former && former->tls && strcmp(former->options.ca_file, options->ca_file) == 0 &&
                   file_mark_equal(&mark, &current->bundle);
    if (is_same) {
        *ret_tls = tls_context_share(former->tls);
        *ret_mark = mark;
        return true;
    }
    _Static_assert(sizeof own.ca_file >= sizeof options->ca_file, "a path has room");
    memcpy(own.ca_file, options->ca_file, sizeof options->ca_file);
    if (ca_bundle_load(&own, tls->crypto, ret_tls, ret_mark, why)) return true;
    snprintf(ret_error, SETUP_ERROR_BYTES, "shared_cache.ca_file: %s", why);
    return false;
}

bool shared_cache_make(const struct config *config, const struct shared_cache_tls *tls,
                       const struct shared_cache *current, struct shared_cache *ret_cache,
                       char ret_error[static SETUP_ERROR_BYTES])
{
    struct tls_context *trusted;
    const struct store_options *options = &config->store;
    *ret_cache = (struct shared_cache){.setup = NULL};
    if (options->address.port == 0) return true;
    if (!find_tls(options, tls, current, &trusted, &ret_cache->bundle, ret_error)) return false;
    ret_cache->setup =
        store_setup_new(options, config->pool.upstreams, config->pool.upstream_count, trusted, ret_error);
    tls_context_free(trusted);
    return ret_cache->setup;
}

bool shared_cache_retrust(const struct shared_cache *cache, const struct tls_context *former, struct tls_context *tls,
                          struct shared_cache *ret_cache)
{
    struct store_setup *setup = cache->setup;
    bool is_trusted_too = setup && setup->tls && setup->tls == former;
    *ret_cache = *cache;
    ret_cache->setup = is_trusted_too ? store_setup_with_tls(setup, tls) : store_setup_share(setup);
    return ret_cache->setup || !setup;
}

void shared_cache_free(struct shared_cache *cache)
{
    store_setup_free(cache->setup);
    cache->setup = NULL;
}

bool shared_cache_check(const struct config *config, FILE *errors)
{
    struct shared_cache cache;
    struct config without_bundle = *config; /* of upstreams, which has a check of its own */
    const struct shared_cache_tls tls = {NULL, NULL};
    char error[SETUP_ERROR_BYTES];
    if (config->store.ca_file[0] == '\0') without_bundle.store.tls_name[0] = '\0';
    bool good = shared_cache_make(&without_bundle, &tls, NULL, &cache, error);
    if (!good) fprintf(errors, "%s\n", error);
    shared_cache_free(&cache);
    return good;
}

void shared_cache_warn(const struct config *config, const struct log *log)
{
    const struct store_options *options = &config->store;
    if (options->address.port == 0 || strcmp(options->secret_file, STORE_UNSIGNED) != 0) return;
    log_warning(log, "shared cache is not signed",
                log_text("why", "shared_cache.secret_file is " STORE_UNSIGNED
                                ": whoever writes to the store decides what clients get"));
}

/* ---- what the log says ---- */

static const char *advice_for(enum store_state state)
{
    switch (state) {
    case STORE_UNREACHABLE: return "nothing: clients are answered by upstream until the store is back";
    case STORE_REFUSED: return "see shared_cache.user, password_file, tls_name, prefix and the store's access list";
    case STORE_LEFT_ALONE: return "see the load of the store and the network to it, or raise shared_cache.timeout";
    case STORE_OFF:
    case STORE_IN_USE: break;
    }
    return "nothing";
}

static void look_at_state(struct shared_cache_watch *watch, enum store_state state, const char *why,
                          const char *address, const struct log *log)
{
    bool is_used = state == STORE_IN_USE;
    if (is_used && watch->state != STORE_IN_USE) log_info(log, "shared cache in use", log_text("store", address));
    if (!is_used && why && (watch->state != state || watch->why != why))
        log_warning(log, "shared cache unavailable", log_text("store", address), log_text("why", why),
                    log_text("do", advice_for(state)));
    if (!is_used && !why) return; /* nothing is known yet */
    watch->state = state;
    watch->why = is_used ? NULL : why;
}

static void look_at_forged(struct shared_cache_watch *watch, uint64_t forged, const char *address,
                           const struct log *log, uint64_t now_ns)
{
    bool was_said = watch->forged_ns != 0 && now_ns - watch->forged_ns < FORGED_NS;
    if (forged <= watch->forged || was_said) return;
    log_warning(log, "shared cache has forged entries", log_text("store", address),
                log_number("entries", forged - watch->forged),
                log_text("do", "see who can write to the store, and that all instances have one secret_file"));
    watch->forged = forged;
    watch->forged_ns = now_ns;
}

void shared_cache_look(struct shared_cache_watch *watch, struct counters *const *blocks, unsigned count,
                       const struct store_options *options, const struct log *log, uint64_t now_ns)
{
    enum store_state state = STORE_OFF;
    const char *why = NULL;
    uint64_t forged = 0;
    char address[ADDRESS_TEXT_BYTES];
    if (options->address.port == 0) {
        watch->state = STORE_OFF;
        return;
    }
    if (now_ns - watch->looked_ns < LOOK_NS) return;
    watch->looked_ns = now_ns;
    address_format(&options->address, address);
    for (unsigned i = 0; i < count; i++) {
        uint64_t own = value_shared_state(blocks[i]);
        forged += value_shared_results(blocks[i], LABEL_SHARED_RESULT_FORGED);
        if (own < (uint64_t)state) continue;
        state = (enum store_state)own;
        why = shared_error(blocks[i]);
    }
    look_at_state(watch, state, why, address, log);
    look_at_forged(watch, forged, address, log, now_ns);
}
