#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/faults.h"
#include "config/settings.h"
#include "config/value.h"
#include "config/walker.h"

/* A configuration on its way, and where each of its settings came from. */
struct draft {
    struct config config;
    struct source_location locations[SETTINGS_MAX];
    struct faults faults;
};

static void set_defaults(struct draft *draft)
{
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++)
        if (!setting_set_default(&settings.rows[i], &draft->config)) faults_add(&draft->faults, NULL, "out of memory");
}

/* Where to point for a fault of two settings together: at the one that was given. */
static struct source_location location_of_either(const struct draft *draft, const char *key, const char *other)
{
    struct settings settings = settings_of_config();
    struct source_location location = draft->locations[settings_find(settings, key) - settings.rows];
    bool is_given = location.flag || location.line > 0;
    return is_given ? location : draft->locations[settings_find(settings, other) - settings.rows];
}

static void check_addresses(struct draft *draft)
{
    const struct config *config = &draft->config;
    struct source_location location = location_of_either(draft, "http.listen", "listen");
    char text[VALUE_ADDRESS_BYTES];
    for (unsigned i = 0; i < config->acceptor.listen_count; i++)
        if (address_equal(&config->acceptor.listen[i], &config->endpoint.listen))
            faults_add(&draft->faults, &location,
                       "'http.listen': %s is in 'listen' too; each wants an address of its own",
                       value_format_address(&config->endpoint.listen, true, text));
}

/* The proxy itself, which is asked what it does not know yet. */
static bool is_own(const struct config *config, const struct address *server)
{
    for (unsigned i = 0; i < config->acceptor.listen_count; i++) {
        const struct address *listen = &config->acceptor.listen[i];
        bool is_wildcard = address_is_any(listen) || (address_is_ipv4(listen) && !address_is_host(listen));
        if (address_equal(listen, server)) return true;
        if (listen->port == server->port && is_wildcard && address_is_loopback(server)) return true;
    }
    return false;
}

/* An upstream without an address needs somebody who knows it. */
static void check_bootstrap(struct draft *draft)
{
    const struct config *config = &draft->config;
    const struct bootstrap_options *bootstrap = &config->bootstrap;
    struct source_location location = location_of_either(draft, "upstreams", "bootstrap");
    char text[VALUE_ADDRESS_BYTES];
    for (unsigned i = 0; i < config->pool.upstream_count && bootstrap->count == 0; i++)
        if (upstream_is_named(&config->pool.upstreams[i]))
            faults_add(&draft->faults, &location,
                       "'upstreams': %.80s has no address, and 'bootstrap' names no server to ask for it; write "
                       "bootstrap: [\"1.1.1.1#cloudflare-dns.com\"]",
                       config->pool.upstreams[i].name);
    location = location_of_either(draft, "bootstrap", "listen");
    for (unsigned i = 0; i < bootstrap->count; i++)
        if (is_own(config, &bootstrap->servers[i].address))
            faults_add(&draft->faults, &location, "'bootstrap': %s is in 'listen', too: it is this program itself",
                       value_format_address(&bootstrap->servers[i].address, true, text));
}

/* Settings that are right alone and wrong together. */
static void check_pairs(struct draft *draft)
{
    const struct ratelimit_options *ratelimit = &draft->config.ratelimit;
    struct source_location location;
    if (draft->config.forwarder.cache_min_ns > draft->config.forwarder.cache_max_ns) {
        location = location_of_either(draft, "cache.min_ttl", "cache.max_ttl");
        faults_add(&draft->faults, &location, "'cache.min_ttl': is above 'cache.max_ttl'; at most that is allowed");
    }
    if (ratelimit->queries_per_s > 0 && ratelimit->burst == 0) {
        location = location_of_either(draft, "rate_limit.burst", "rate_limit.queries_per_second");
        faults_add(&draft->faults, &location,
                   "'rate_limit.burst': is 0, so no question would ever pass; at least 1 is allowed");
    }
}

/* `key`, where it is given, means nothing without `other`. */
static void check_needs(struct draft *draft, bool is_given, bool has_other, const char *key, const char *other)
{
    if (!is_given || has_other) return;
    struct source_location location = location_of_either(draft, key, other);
    faults_add(&draft->faults, &location, "'%s': does nothing without '%s'", key, other);
}

static void check_shared_cache(struct draft *draft)
{
    const struct store_options *store = &draft->config.store;
    struct source_location location = location_of_either(draft, "shared_cache.address", "shared_cache.secret_file");
    if (store->address.port == 0) return;
    if (store->secret_file[0] == '\0')
        faults_add(&draft->faults, &location,
                   "'shared_cache.secret_file': is missing: a file with 64 hexadecimal digits by which answers in the "
                   "store are signed, or " STORE_UNSIGNED " where whoever writes to the store may decide what clients "
                   "get");
    check_needs(draft, store->user[0], store->password_file[0], "shared_cache.user", "shared_cache.password_file");
    check_needs(draft, store->ca_file[0], store->tls_name[0], "shared_cache.ca_file", "shared_cache.tls_name");
}

static bool finish(struct draft *draft, struct config *ret_config)
{
    check_pairs(draft);
    check_shared_cache(draft);
    check_addresses(draft);
    check_bootstrap(draft);
    if (draft->faults.count > 0) {
        config_free(&draft->config);
        return false;
    }
    /* A client is the same for the limits of connections and of questions. */
    draft->config.connections.ipv4_prefix = draft->config.ratelimit.ipv4_prefix;
    draft->config.connections.ipv6_prefix = draft->config.ratelimit.ipv6_prefix;
    *ret_config = draft->config;
    return true;
}

bool config_parse(const char *text, size_t size, const char *name, struct config *ret_config, FILE *errors)
{
    struct draft draft = {.faults = {.file = name, .out = errors}};
    set_defaults(&draft);
    walker_read(text, size, &draft.config, draft.locations, &draft.faults);
    return finish(&draft, ret_config);
}

/* The whole file, to be freed; NULL with the errno why, EFBIG if it is too large. */
static char *read_file(const char *path, size_t *ret_size, int *ret_error)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(CONFIG_FILE_BYTES + 1);
    *ret_error = errno;
    if (!file || !text) goto fail;
    *ret_size = fread(text, 1, CONFIG_FILE_BYTES + 1, file);
    *ret_error = *ret_size > CONFIG_FILE_BYTES ? EFBIG : errno;
    if (ferror(file) || *ret_size > CONFIG_FILE_BYTES) goto fail;
    fclose(file);
    return text;
fail:
    if (file) fclose(file);
    free(text);
    return NULL;
}

static void load_file(struct draft *draft, const char *path)
{
    size_t size;
    int error;
    char *text = read_file(path, &size, &error);
    if (!text) {
        faults_add(&draft->faults, NULL, "cannot be read: %s", strerror(error));
        return;
    }
    walker_read(text, size, &draft->config, draft->locations, &draft->faults);
    free(text);
}

bool config_load(const struct command_line *command, struct config *ret_config, FILE *errors)
{
    struct draft draft = {
        .faults = {.file = command->config_file ? command->config_file : "dns-tls-proxy", .out = errors}};
    set_defaults(&draft);
    if (command->config_file) load_file(&draft, command->config_file);
    command_line_apply(command, &draft.config, draft.locations, &draft.faults);
    return finish(&draft, ret_config);
}

void config_free(struct config *config)
{
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) setting_clear(&settings.rows[i], config);
}
