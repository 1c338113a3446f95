#include "app/client_rates.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static int compare(double a, double b)
{
    return (a < b) - (a > b);
}

static int by_queries(const void *a, const void *b)
{
    const struct ratelimit_client *x = a;
    const struct ratelimit_client *y = b;
    return compare(x->queries_per_s, y->queries_per_s);
}

static int by_refused(const void *a, const void *b)
{
    const struct ratelimit_client *x = a;
    const struct ratelimit_client *y = b;
    return compare(x->refused_per_s, y->refused_per_s);
}

static struct ratelimit_client *find(struct ratelimit_client *clients, size_t count, const struct ratelimit_client *who)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(clients[i].ip, who->ip, sizeof who->ip) == 0) return &clients[i];
    return NULL;
}

size_t client_rates_list(struct ratelimit *verified, struct ratelimit *udp, enum ratelimit_order order, uint64_t now_ns,
                         struct ratelimit_client *ret_clients, size_t max)
{
    struct ratelimit_client all[2 * CLIENT_RATES_MAX];
    struct ratelimit_client more[CLIENT_RATES_MAX];
    CHECK(max <= CLIENT_RATES_MAX);
    size_t count = ratelimit_list(verified, order, now_ns, all, CLIENT_RATES_MAX);
    bool counts_udp = order == RATELIMIT_BY_REFUSED;
    size_t more_count = counts_udp ? ratelimit_list(udp, order, now_ns, more, CLIENT_RATES_MAX) : 0;
    for (size_t i = 0; i < more_count; i++) {
        struct ratelimit_client *same = find(all, count, &more[i]);
        if (!same) {
            all[count++] = more[i];
            continue;
        }
        same->queries_per_s += more[i].queries_per_s;
        same->refused_per_s += more[i].refused_per_s;
    }
    qsort(all, count, sizeof all[0], order == RATELIMIT_BY_REFUSED ? by_refused : by_queries);
    if (count > max) count = max;
    memcpy(ret_clients, all, count * sizeof all[0]);
    return count;
}
