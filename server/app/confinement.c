#include "app/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sanitized.h"
#include "sandbox/call_filter.h"
#include "sandbox/call_table.h"
#include "state/directory.h"
#include "upstream/tls.h"

enum { DOT_PORT = 853, DNS_PORT = 53, LANDLOCK_ABI_PORTS = 4 };

static const char *mode_name(enum sandbox_mode mode)
{
    switch (mode) {
    case SANDBOX_ON: return "on";
    case SANDBOX_LOG: return "log";
    case SANDBOX_OFF: return "off";
    }
    return "off";
}

/* Of a system call of Landlock or seccomp. */
static const char *error_text(int error)
{
    switch (error) {
    case ENOSYS: return "the kernel does not have it, or a container hides it";
    case EOPNOTSUPP: return "the kernel was started without it";
    case EPERM: return "a filter of system calls around the program refuses it";
    default: return strerror(error);
    }
}

/* ---- who we are ---- */

bool confinement_begin(struct confinement *confinement, const struct config *config, const struct log *log)
{
    const char *user = config->sandbox.user;
    char why[IDENTITY_WHY_BYTES];
    *confinement = (struct confinement){.log = log, .mode = config->sandbox.mode};
    confinement->no_new_privileges = identity_forbid_new_privileges();
    confinement->seccomp_why = "the program is starting";
    if (user[0] == '\0' || geteuid() != 0) {
        if (user[0] != '\0') log_warning(log, "user ignored", log_text("why", "only root can become another user"));
        if (geteuid() == 0)
            log_warning(log, "runs as root",
                        log_text("do", "set `user`, or start it as another user (systemd: DynamicUser=)"));
        return true;
    }
    if (!identity_find(user, &confinement->identity, why)) {
        log_error(log, "start failed", log_text("why", why));
        return false;
    }
    confinement->takes_user = confinement->identity.user != 0;
    if (confinement->takes_user) identity_drop_bounds();
    return true;
}

bool confinement_take_user(const struct confinement *confinement)
{
    if (!confinement->takes_user) return true;
    if (identity_take(&confinement->identity)) {
        log_info(confinement->log, "user changed", log_number("user", confinement->identity.user),
                 log_number("group", confinement->identity.group));
        return true;
    }
    log_error(confinement->log, "start failed", log_text("why", "the rights of root cannot be given up"),
              log_text("error", strerror(errno)));
    return false;
}

bool confinement_check_user(const struct config *config, FILE *errors)
{
    struct identity identity;
    char why[IDENTITY_WHY_BYTES];
    if (config->sandbox.user[0] == '\0' || identity_find(config->sandbox.user, &identity, why)) return true;
    fprintf(errors, "%s\n", why);
    return false;
}

/* ---- Landlock ---- */

/* What the C library and the other libraries read whenever they like. */
static void grant_system(struct grants *grants)
{
    static const char *const paths[] = {
        "/dev/urandom",                   /* wolfSSL, for each connection */
        "/proc/sys/vm/overcommit_memory", /* malloc, when it gives memory back */
        "/sys/devices/system/cpu",        /* malloc, `workers: auto` */
        "/etc/localtime",                 /* civetweb's log, ldns */
        "/etc/ssl/openssl.cnf",           /* OpenSSL, when it is used first */
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) grants_add(grants, paths[i], LANDLOCK_READ);
    /* The kernel's file of a process is another one after it was forgotten for want of memory. Held open, and never
     * closed, it stays the one that is granted. */
    if (open("/proc/self", O_PATH | O_CLOEXEC) >= 0) grants_add(grants, "/proc/self", LANDLOCK_READ);
}

static void grant_files(struct grants *grants, const struct config *config, const char *config_file)
{
    if (config_file) grants_add_file(grants, config_file);
    grants_add_file(grants, tls_ca_path(&config->tls));
    grants_add_file(grants, config->names.hosts_file);
    grants_add_file(grants, config->udp.cookie_secret_file);
    const struct store_options *store = &config->store;
    if (store->address.port == 0) return;
    if (strcmp(store->secret_file, STORE_UNSIGNED) != 0) grants_add_file(grants, store->secret_file);
    grants_add_file(grants, store->password_file);
    grants_add_file(grants, store->ca_file);
}

/* Landlock grants what exists. What is wrong with the directory is told where it is used. */
static void grant_state(struct grants *grants, const struct config *config, const struct identity *user)
{
    char path[STATE_PATH_MAX];
    if (!directory_find(&config->state, path)) return;
    if (mkdir(path, S_IRWXU) == 0 && user) (void)!chown(path, user->user, user->group);
    grants_add(grants, path, LANDLOCK_WRITE);
}

static void add_listeners(struct port_set *set, const struct acceptor_options *acceptor)
{
    for (unsigned i = 0; i < acceptor->listen_count; i++) port_set_add(set, acceptor->listen[i].port);
}

static void add_upstreams(struct port_set *set, const struct pool_options *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) port_set_add(set, pool->upstreams[i].address.port);
}

static void add_bootstrap(struct port_set *set, const struct bootstrap_options *bootstrap)
{
    for (unsigned i = 0; i < bootstrap->count; i++) port_set_add(set, bootstrap->servers[i].address.port);
}

static void add_routes(struct port_set *set, const struct routes_options *routes)
{
    for (size_t i = 0; i < routes->count; i++)
        for (size_t j = 0; j < routes->list[i].upstreams.count; j++)
            port_set_add(set, routes->list[i].upstreams.list[j].address.port);
}

static void add_store(struct port_set *set, const struct store_options *store)
{
    if (store->address.port != 0) port_set_add(set, store->address.port);
}

/* The usual ports of DNS are granted in any case, so that a reload may name other servers. */
static void grant_ports(struct grants *grants, const struct config *config, uint16_t http_port)
{
    add_listeners(&grants->bind, &config->acceptor);
    if (config->endpoint.listen.port != 0) port_set_add(&grants->bind, config->endpoint.listen.port);
    port_set_add(&grants->connect, DOT_PORT);
    port_set_add(&grants->connect, DNS_PORT);
    add_upstreams(&grants->connect, &config->pool);
    add_bootstrap(&grants->connect, &config->bootstrap);
    add_routes(&grants->connect, &config->routes);
    add_store(&grants->connect, &config->store);
    if (http_port == 0) return;
    port_set_add(&grants->bind, http_port);
    port_set_add(&grants->connect, http_port);
}

/* systemd, or a reader of dnstap, may have a socket without a file. */
static bool uses_abstract_sockets(const struct config *config)
{
    const char *notify = getenv("NOTIFY_SOCKET");
    return (notify && *notify == '@') || config->dnstap.socket[0] == '@';
}

/* Why nothing is restricted; NULL if something is to be. */
static const char *reason_not_to(const struct confinement *confinement)
{
    if (confinement->mode == SANDBOX_OFF) return "switched off";
    if (IS_SANITIZED) return "built with a sanitizer";
    return confinement->no_new_privileges ? NULL : "no_new_privs is refused";
}

void confinement_restrict(struct confinement *confinement, const struct config *config, const char *config_file,
                          uint16_t http_port)
{
    const char *reason = reason_not_to(confinement);
    if (!reason && confinement->mode == SANDBOX_LOG) reason = "Landlock cannot only log";
    if (reason) {
        snprintf(confinement->landlock_why, CONFINEMENT_WHY_BYTES, "%s", reason);
        return;
    }
    struct grants *grants = calloc(1, sizeof *grants);
    if (grants) {
        grant_system(grants);
        grant_files(grants, config, config_file);
        grant_state(grants, config, confinement->takes_user ? &confinement->identity : NULL);
        grant_ports(grants, config, http_port);
    }
    if (grants && grants_enforce(grants, uses_abstract_sockets(config), &confinement->landlock_abi)) {
        confinement->grants = grants;
        confinement->landlock_why[0] = '\0';
        return;
    }
    confinement->landlock_abi = 0;
    snprintf(confinement->landlock_why, CONFINEMENT_WHY_BYTES, "%s", error_text(grants ? errno : ENOMEM));
    if (grants) grants_done(grants);
    free(grants);
}

/* ---- seccomp ---- */

static unsigned needs_of(const struct config *config)
{
    char path[STATE_PATH_MAX];
    unsigned needs = directory_find(&config->state, path) ? CALL_NEED_STATE : 0;
    if (getenv("NOTIFY_SOCKET")) needs |= CALL_NEED_HANDOVER;
    return needs;
}

static bool enforce(struct confinement *confinement, enum call_filter_action action, unsigned needs, int *ret_listener)
{
    struct call_filter filter;
    const struct call_filter_options options = {.action = action, .needs = needs, .process = getpid()};
    if (!call_filter_make(&options, &filter)) return false;
    bool good = call_filter_enforce(&filter, ret_listener);
    if (good) confinement->calls = filter.calls;
    int error = errno;
    call_filter_free(&filter);
    errno = error;
    return good;
}

/* Where the kernel gives us no descriptor (before 5.5, or a filter around us has one), it logs the calls itself. */
static bool enforce_log(struct confinement *confinement, unsigned needs)
{
    int listener = -1;
    struct call_log *call_log = call_log_start(confinement->log);
    if (call_log && enforce(confinement, CALL_FILTER_NOTIFY, needs | CALL_NEED_LOG, &listener)) {
        call_log_listen(call_log, listener);
        confinement->call_log = call_log;
        return true;
    }
    call_log_stop(call_log);
    return enforce(confinement, CALL_FILTER_KERNEL, needs, &listener);
}

static void say(const struct confinement *confinement)
{
    char landlock[CONFINEMENT_WHY_BYTES + sizeof "not in force: "];
    char seccomp[CONFINEMENT_WHY_BYTES + sizeof "not in force: "];
    const char *logged = confinement->call_log ? "others are logged" : "others are logged by the kernel";
    if (confinement->landlock_abi > 0)
        snprintf(landlock, sizeof landlock, "ABI %d", confinement->landlock_abi);
    else
        snprintf(landlock, sizeof landlock, "not in force: %s", confinement->landlock_why);
    if (confinement->calls > 0)
        snprintf(seccomp, sizeof seccomp, "%u calls, %s", confinement->calls,
                 confinement->mode == SANDBOX_ON ? "others are refused" : logged);
    else
        snprintf(seccomp, sizeof seccomp, "not in force: %s", confinement->seccomp_why);
    log_info(confinement->log, "sandbox", log_text("mode", mode_name(confinement->mode)),
             log_text("landlock", landlock), log_text("seccomp", seccomp),
             log_text("no_new_privs", confinement->no_new_privileges ? "yes" : "no"));
}

void confinement_seal(struct confinement *confinement, const struct config *config)
{
    const char *reason = reason_not_to(confinement);
    int listener;
    unsigned needs = needs_of(config);
    bool good =
        !reason && (confinement->mode == SANDBOX_LOG ? enforce_log(confinement, needs)
                                                     : enforce(confinement, CALL_FILTER_REFUSE, needs, &listener));
    snprintf(confinement->seccomp_error, CONFINEMENT_WHY_BYTES, "%s", good ? "" : reason ? reason : error_text(errno));
    confinement->seccomp_why = confinement->seccomp_error;
    say(confinement);
}

void confinement_done(struct confinement *confinement)
{
    call_log_stop(confinement->call_log);
    confinement->call_log = NULL;
    if (confinement->grants) grants_done(confinement->grants);
    free(confinement->grants);
    confinement->grants = NULL;
}

/* ---- what a reload may have ---- */

bool confinement_check_file(const struct confinement *confinement, const char *setting, const char *path, char *ret_why,
                            size_t why_bytes)
{
    if (!confinement->grants || *path == '\0') return true;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int error = errno;
    if (fd >= 0) close(fd);
    if (fd >= 0 || error != EACCES || grants_may_read(confinement->grants, path)) return true;
    snprintf(ret_why, why_bytes,
             "%s '%.200s': the sandbox lets the program read no new file there until it is started again", setting,
             path);
    return false;
}

static bool check_ports(const struct port_set *wanted, const struct port_set *granted, const char *setting,
                        const char *act, char *ret_why, size_t why_bytes)
{
    uint16_t port;
    if (!port_set_find_missing(granted, wanted, &port)) return true;
    snprintf(ret_why, why_bytes, "'%s': the sandbox lets the program %s port %u only when it is started again", setting,
             act, port);
    return false;
}

bool confinement_check_ports(const struct confinement *confinement, const struct config *config, bool listens,
                             char *ret_why, size_t why_bytes)
{
    const struct grants *grants = confinement->grants;
    struct port_set listeners = {{0}}, upstreams = {{0}}, bootstrap = {{0}}, routes = {{0}}, store = {{0}};
    if (!grants || confinement->landlock_abi < LANDLOCK_ABI_PORTS) return true;
    if (listens) add_listeners(&listeners, &config->acceptor);
    add_upstreams(&upstreams, &config->pool);
    add_bootstrap(&bootstrap, &config->bootstrap);
    add_routes(&routes, &config->routes);
    add_store(&store, &config->store);
    return check_ports(&listeners, &grants->bind, "listen", "listen at", ret_why, why_bytes) &&
           check_ports(&upstreams, &grants->connect, "upstreams", "connect to", ret_why, why_bytes) &&
           check_ports(&bootstrap, &grants->connect, "bootstrap", "connect to", ret_why, why_bytes) &&
           check_ports(&routes, &grants->connect, "routes", "connect to", ret_why, why_bytes) &&
           check_ports(&store, &grants->connect, "shared_cache.address", "connect to", ret_why, why_bytes);
}

/* ---- what is shown ---- */

void confinement_read(const struct confinement *confinement, struct figures *figures)
{
    figures->sandbox = (struct figures_sandbox){
        .mode = mode_name(confinement->mode),
        .landlock_why = confinement->landlock_why,
        .seccomp_why = confinement->seccomp_why,
    };
    figures->sandbox_landlock_abi = confinement->landlock_abi;
    figures->sandbox_seccomp = confinement->calls > 0 && confinement->mode == SANDBOX_ON;
    figures->sandbox_no_new_privileges = confinement->no_new_privileges;
    const struct call_log *call_log = confinement->call_log;
    figures->sandbox_logged_calls = call_log ? (double)call_log_count(call_log) : 0;
}
