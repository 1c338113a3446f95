#include "app/descriptors.h"

#include <sys/resource.h>

#include "dns/address_records.h"

enum {
    FDS_RESERVED =
        128, /* HTTP (80: metrics/http_connections.h), standard streams, epoll sets, mailboxes, a file at a reload */
    FDS_A_SESSION = 2, /* one in use, one that replaces it */
};

/* Raises the limit as far as the system allows; returns it. */
static uint64_t raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

/* Of the default route and of all others. */
static uint64_t count_upstreams(const struct config *config)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < config->pool.upstream_count; i++)
        count += upstream_is_named(&config->pool.upstreams[i]) ? 2 * ADDRESS_RECORDS_MAX : 1; /* IPv4 and IPv6 */
    if (count > UPSTREAMS_MAX) count = UPSTREAMS_MAX;
    for (size_t i = 0; i < config->routes.count; i++) count += config->routes.list[i].upstreams.count;
    return count;
}

uint32_t descriptors_connections_max(const struct config *config, const struct log *log)
{
    uint64_t limit = raise_limit();
    uint64_t sessions = config->workers * count_upstreams(config) * config->pool.max_sessions * FDS_A_SESSION;
    uint64_t stores = config->store.address.port != 0 ? config->workers : 0;
    uint64_t reserved = FDS_RESERVED + sessions + stores;
    uint64_t left = limit > reserved * 2 ? limit - reserved : limit / 2;
    if (config->connections.max_connections <= left) return config->connections.max_connections;
    log_warning(log, "fewer connections than configured", log_number("max_connections", left),
                log_number("configured", config->connections.max_connections), log_number("descriptors", limit),
                log_text("do", "raise the limit of open files (systemd: LimitNOFILE=)"));
    return (uint32_t)left;
}
