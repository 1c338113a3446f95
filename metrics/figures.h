/* figures: what the program shows besides its counters: what is looked up only on request. A plain copy,
 * filled on the HTTP thread by the server's callback (metrics/endpoint.h) and by process_read; the table below makes
 * its numbers, the exposition and docs/METRICS.md. */
#ifndef METRICS_FIGURES_H
#define METRICS_FIGURES_H

#include <stdint.h>

#include "common/address.h"
#include "metrics/counters.h"

enum {
    BUSIEST_MAX = 10,       /* clients shown; the bound of their series */
    NAMES_MAX = 20,         /* top names on the status page */
    NAME_TEXT_BYTES = 1024, /* a name of 255 bytes, each written \DDD, and a NUL */
    TYPE_TEXT_BYTES = 16,   /* "TYPE65535" */
    FAILING_ROUTES_BYTES = 1024,
    CHANGES_TEXT_BYTES = 4096,  /* what a reload changed */
    REFUSAL_TEXT_BYTES = 1024,  /* why one was refused */
    UPSTREAM_LABEL_BYTES = 640, /* "ADDRESS#NAME" */
    FIGURES_SETTINGS_MAX = 128  /* as many as config/settings.h allows */
};

/* clang-format off */
/* X(member, type, full name, help). Those of the server come first, then those of process_read. */
#define FIGURES(X)                                                                                                     \
    X(started_s, GAUGE, "dns_tls_proxy_start_time_seconds",                                                            \
      "When the program started, seconds since 1970.")                                                                 \
    X(ready, GAUGE, "dns_tls_proxy_ready",                                                                             \
      "1 while /readyz says yes: not draining, and the path through an upstream answered lately.")                     \
    X(live, GAUGE, "dns_tls_proxy_live",                                                                               \
      "1 while /healthz says yes: every thread's heartbeat is fresh.")                                                 \
    X(reload_good, GAUGE, "dns_tls_proxy_config_last_reload_successful",                                               \
      "1 where the configuration in use is the file's as last read; 0 where a reload was refused.")                    \
    X(reloaded_s, GAUGE, "dns_tls_proxy_config_last_reload_success_timestamp_seconds",                                 \
      "When a configuration was last taken, at start or by a reload.")                                                 \
    X(addresses_not_served, GAUGE, "dns_tls_proxy_listen_addresses_not_served",                                        \
      "Addresses of `listen` that this machine does not have now; they are tried again every second.")                 \
    X(workers, GAUGE, "dns_tls_proxy_workers",                                                                         \
      "Worker threads.")                                                                                               \
    X(workers_active, GAUGE, "dns_tls_proxy_workers_active",                                                           \
      "Worker threads that new connections and the clients that ask use now; as many as the load needs.")              \
    X(upstream_names, GAUGE, "dns_tls_proxy_upstream_names",                                                           \
      "Upstreams of the configuration that have a name alone, whose addresses are looked up.")                         \
    X(upstream_names_failing, GAUGE, "dns_tls_proxy_upstream_names_failing",                                           \
      "Of these, the ones whose last look-up failed, or of which no address is known yet.")                            \
    X(routes, GAUGE, "dns_tls_proxy_routes",                                                                           \
      "Routes of the configuration.")                                                                                  \
    X(routes_failing, GAUGE, "dns_tls_proxy_routes_failing",                                                           \
      "Routes whose last question was not answered.")                                                                  \
    X(connections_max, GAUGE, "dns_tls_proxy_client_connections_max",                                                  \
      "Client connections the configuration allows.")                                                                  \
    X(handover_given, GAUGE, "dns_tls_proxy_handover_connections_given",                                               \
      "Client connections that the process before this one handed over; 0 where it handed over nothing.")              \
    X(handover_taken, GAUGE, "dns_tls_proxy_handover_connections_taken",                                               \
      "Those of them that this process took at its start.")                                                            \
    X(handover_closed, GAUGE, "dns_tls_proxy_handover_connections_closed",                                             \
      "Those of them that it closed: a limit is lower now, or what was said of the connection does not fit.")          \
    X(handover_pause_s, GAUGE, "dns_tls_proxy_handover_pause_seconds",                                                 \
      "How long clients were not read from at the start: from the last look of the former process.")                   \
    X(cache_entries, GAUGE, "dns_tls_proxy_cache_entries",                                                             \
      "Answers in the cache.")                                                                                         \
    X(cache_bytes, GAUGE, "dns_tls_proxy_cache_bytes",                                                                 \
      "Memory of the cache.")                                                                                          \
    X(cache_bytes_max, GAUGE, "dns_tls_proxy_cache_max_bytes",                                                         \
      "Memory the configuration allows the cache.")                                                                    \
    X(cache_evictions, COUNTER, "dns_tls_proxy_cache_evictions_total",                                                 \
      "Answers that left the cache to make room.")                                                                     \
    X(state_snapshot_s, GAUGE, "dns_tls_proxy_state_snapshot_timestamp_seconds",                                       \
      "When the newest snapshot was made, of this run or an earlier one; where there is none, when the program "       \
      "started. 0: no state is kept.")                                                                                 \
    X(state_snapshot_bytes, GAUGE, "dns_tls_proxy_state_snapshot_bytes",                                               \
      "Size of the last snapshot that this run has written.")                                                          \
    X(state_save_s, GAUGE, "dns_tls_proxy_state_save_duration_seconds",                                                \
      "How long that took.")                                                                                           \
    X(state_load_s, GAUGE, "dns_tls_proxy_state_load_duration_seconds",                                                \
      "How long it took to load the snapshot of an earlier run.")                                                      \
    X(dnstap_written, COUNTER, "dns_tls_proxy_dnstap_frames_written_total",                                            \
      "Copies of DNS messages that a reader of `dnstap.socket` took.")                                                 \
    X(dnstap_lost, COUNTER, "dns_tls_proxy_dnstap_frames_lost_total",                                                  \
      "Copies of DNS messages that were lost: nobody read, or not fast enough.")                                       \
    X(sandbox_landlock_abi, GAUGE, "dns_tls_proxy_sandbox_landlock_abi",                                               \
      "The version of Landlock by which files and ports are restricted; 0: they are not.")                             \
    X(sandbox_seccomp, GAUGE, "dns_tls_proxy_sandbox_seccomp",                                                         \
      "1 where seccomp refuses system calls that the program does not need.")                                          \
    X(sandbox_no_new_privileges, GAUGE, "dns_tls_proxy_sandbox_no_new_privs",                                          \
      "1 where nothing that the program executes could get more rights.")                                              \
    X(sandbox_logged_calls, COUNTER, "dns_tls_proxy_sandbox_logged_calls_total",                                       \
      "System calls that `sandbox: log` let pass and `sandbox: on` would refuse.")                                     \
    X(process_cpu_s, COUNTER, "process_cpu_seconds_total",                                                             \
      "Processor time used, user and system.")                                                                         \
    X(process_resident_bytes, GAUGE, "process_resident_memory_bytes",                                                  \
      "Memory resident.")                                                                                              \
    X(process_virtual_bytes, GAUGE, "process_virtual_memory_bytes",                                                    \
      "Address space.")                                                                                                \
    X(process_open_fds, GAUGE, "process_open_fds",                                                                     \
      "Descriptors open.")                                                                                             \
    X(process_max_fds, GAUGE, "process_max_fds",                                                                       \
      "Descriptors allowed.")                                                                                          \
    X(process_threads, GAUGE, "process_threads",                                                                       \
      "Threads.")                                                                                                      \
    X(process_started_s, GAUGE, "process_start_time_seconds",                                                          \
      "When the process started, seconds since 1970.")
/* clang-format on */

/* A client as the busiest lists show it; `port` only in busiest_ports. */
struct figures_client {
    char address[ADDRESS_TEXT_BYTES];
    uint16_t port;
    double queries_per_s;
    double refused_per_s; /* of these, for their rate; not in busiest_ports */
};

/* A question asked often, in presentation format (RFC 1035, 5.1: what cannot be printed as \DDD). */
struct figures_name {
    char name[NAME_TEXT_BYTES];
    char type[TYPE_TEXT_BYTES];
    uint64_t asks;
};

/* A number of the configuration in force: durations in seconds, sizes in bytes, 1 and 0 for true and false. */
struct figures_setting {
    const char *key; /* of the table of settings; lives as long as the program */
    double value;
};

/* Versions of the program and its libraries; texts that live as long as the program. */
struct figures_build {
    const char *version;
    const char *wolfssl;
    const char *ldns;
    const char *civetweb;
};

/* What the sandbox restricts, beside its numbers; texts that live as long as the program. */
struct figures_sandbox {
    const char *mode;         /* "on", "log", "off" */
    const char *landlock_why; /* it is not in force; "": it is */
    const char *seccomp_why;
};

/* About 30 KB: on the heap, not on the small stack of an HTTP thread. */
struct figures {
#define X(member, type, name, help) double member;
    FIGURES(X)
#undef X
    struct figures_build build;
    struct figures_sandbox sandbox;
    char shared_cache[ADDRESS_TEXT_BYTES];     /* the store's address and port; "": no cache is shared */
    char failing_routes[FAILING_ROUTES_BYTES]; /* their first zones, ", " between them */
    char reload_changes[CHANGES_TEXT_BYTES];   /* lines "SETTING: FORMER -> VALUE" of the last reload */
    char reload_refusal[REFUSAL_TEXT_BYTES];   /* why the last reload was refused; "": it was not */
    unsigned upstream_count;
    char upstreams[UPSTREAM_SERIES]
                  [UPSTREAM_LABEL_BYTES]; /* in the order of the counters' first index; empty: unused */
    /* In the same order, seconds since 1970; 0: never, or not known. The endpoint fills them. */
    double upstream_answered_s[UPSTREAM_SERIES]; /* its last answer */
    double upstream_changed_s[UPSTREAM_SERIES];  /* when it came into its state */
    unsigned setting_count;
    struct figures_setting settings[FIGURES_SETTINGS_MAX];
    unsigned busiest_port_count;
    struct figures_client busiest_ports[BUSIEST_MAX]; /* IP/port pairs, the busiest first */
    unsigned busiest_address_count;
    struct figures_client busiest_addresses[BUSIEST_MAX]; /* addresses (or the prefixes limited together) */
    unsigned limited_count;
    struct figures_client limited_addresses[BUSIEST_MAX]; /* those refused most, the first of them first */
    unsigned name_count;
    struct figures_name names[NAMES_MAX]; /* the most asked first; filled only if names were asked for */
};

#endif
