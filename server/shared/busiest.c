#include "shared/busiest.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct report {
    struct busiest_client client;
    uint64_t reported_ns; /* 0 = unused */
};

struct busiest {
    pthread_mutex_t lock;
    struct report reports[BUSIEST_KEPT]; /* guarded by `lock` */
};

struct busiest *busiest_new(void)
{
    struct busiest *busiest = calloc(1, sizeof *busiest);
    if (busiest) pthread_mutex_init(&busiest->lock, NULL);
    return busiest;
}

void busiest_free(struct busiest *busiest)
{
    if (!busiest) return;
    pthread_mutex_destroy(&busiest->lock);
    free(busiest);
}

static bool is_recent(const struct report *report, uint64_t now_ns)
{
    return report->reported_ns != 0 && now_ns < report->reported_ns + BUSIEST_RECENT_NS;
}

/* The report of this client, else one that is unused or old, else that of the least busy client. */
static struct report *report_for(struct busiest *busiest, const struct address *client, uint64_t now_ns)
{
    struct report *chosen = &busiest->reports[0];
    for (int i = 0; i < BUSIEST_KEPT; i++) {
        struct report *report = &busiest->reports[i];
        if (report->reported_ns != 0 && address_equal(&report->client.address, client)) return report;
        if (!is_recent(chosen, now_ns)) continue;
        if (!is_recent(report, now_ns) || report->client.queries_per_s < chosen->client.queries_per_s) chosen = report;
    }
    return chosen;
}

void busiest_report(struct busiest *busiest, const struct address *client, double queries_per_s, uint64_t now_ns)
{
    pthread_mutex_lock(&busiest->lock);
    struct report *chosen = report_for(busiest, client, now_ns);
    bool own = address_equal(&chosen->client.address, client);
    if (own || !is_recent(chosen, now_ns) || chosen->client.queries_per_s < queries_per_s)
        *chosen = (struct report){{*client, queries_per_s}, now_ns};
    pthread_mutex_unlock(&busiest->lock);
}

static int by_rate(const void *a, const void *b)
{
    double x = ((const struct busiest_client *)a)->queries_per_s;
    double y = ((const struct busiest_client *)b)->queries_per_s;
    return (x < y) - (x > y);
}

size_t busiest_list(struct busiest *busiest, uint64_t now_ns, struct busiest_client *ret_clients, size_t max)
{
    struct busiest_client recent[BUSIEST_KEPT];
    size_t count = 0;
    pthread_mutex_lock(&busiest->lock);
    for (int i = 0; i < BUSIEST_KEPT; i++)
        if (is_recent(&busiest->reports[i], now_ns)) recent[count++] = busiest->reports[i].client;
    pthread_mutex_unlock(&busiest->lock);
    qsort(recent, count, sizeof recent[0], by_rate);
    if (count > max) count = max;
    for (size_t i = 0; i < count; i++) ret_clients[i] = recent[i];
    return count;
}
