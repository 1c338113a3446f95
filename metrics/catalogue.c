#include "metrics/catalogue.h"

#define PREFIX "dns_tls_proxy_"

/* The label sets as texts. Sets NONE and UPSTREAM have no texts of their own. */
#define TEXT(id, text) text,
static const char *const values_QTYPE[] = {LABELS_QTYPE(TEXT)};
static const char *const values_RCODE[] = {LABELS_RCODE(TEXT)};
static const char *const values_EDE[] = {LABELS_EDE(TEXT)};
static const char *const values_REJECTED[] = {LABELS_REJECTED(TEXT)};
static const char *const values_CLOSED[] = {LABELS_CLOSED(TEXT)};
static const char *const values_INVALID[] = {LABELS_INVALID(TEXT)};
static const char *const values_SOURCE[] = {LABELS_SOURCE(TEXT)};
static const char *const values_DROPPED[] = {LABELS_DROPPED(TEXT)};
static const char *const values_PREFETCH[] = {LABELS_PREFETCH(TEXT)};
static const char *const values_FAILURE[] = {LABELS_FAILURE(TEXT)};
static const char *const values_RETRY[] = {LABELS_RETRY(TEXT)};
static const char *const values_SESSION_END[] = {LABELS_SESSION_END(TEXT)};
static const char *const values_RESUMED[] = {LABELS_RESUMED(TEXT)};
static const char *const values_TRANSPORT[] = {LABELS_TRANSPORT(TEXT)};
static const char *const values_COOKIE[] = {LABELS_COOKIE(TEXT)};
static const char *const values_UDP_SOURCE[] = {LABELS_UDP_SOURCE(TEXT)};
static const char *const values_UDP_DROPPED[] = {LABELS_UDP_DROPPED(TEXT)};
static const char *const values_STATE_SAVE[] = {LABELS_STATE_SAVE(TEXT)};
static const char *const values_STATE_REJECTED[] = {LABELS_STATE_REJECTED(TEXT)};
static const char *const values_SHARED_RESULT[] = {LABELS_SHARED_RESULT(TEXT)};
static const char *const values_SHARED_REJECTED[] = {LABELS_SHARED_REJECTED(TEXT)};
static const char *const values_SHARED_SKIPPED[] = {LABELS_SHARED_SKIPPED(TEXT)};
static const char *const values_SHARED_DROPPED[] = {LABELS_SHARED_DROPPED(TEXT)};
static const char *const values_SHARED_REFRESH[] = {LABELS_SHARED_REFRESH(TEXT)};
static const char *const values_SHARED_FAILURE[] = {LABELS_SHARED_FAILURE(TEXT)};
#define values_NONE     NULL
#define values_UPSTREAM NULL

#define LABEL(set, label)                                                                                              \
    {                                                                                                                  \
        label, values_##set, LABEL_##set##_COUNT                                                                       \
    }

/* clang-format off */
static const struct metric metrics[] = {
    {.name = PREFIX "build_info", .help = "1; the versions stand in the labels.", .type = METRIC_GAUGE,
     .place = METRIC_BUILD,
     .labels = {{"version", NULL, 1}, {"wolfssl", NULL, 1}, {"ldns", NULL, 1}, {"civetweb", NULL, 1}}},
#define X(member, figure_type, figure_name, figure_help)                                                               \
    {.name = figure_name, .help = figure_help, .type = METRIC_##figure_type, .place = METRIC_IN_FIGURES,               \
     .offset = offsetof(struct figures, member)},
    FIGURES(X)
#undef X
#define X(member, kind, counter_name, set1, label1, set2, label2, counter_help)                                        \
    {.name = PREFIX counter_name, .help = counter_help, .place = METRIC_IN_COUNTERS,                                   \
     .type = (kind) == COUNTER_SUM ? METRIC_COUNTER : METRIC_GAUGE,                                                    \
     .absent_at_0 = (kind) == TIME_SEEN,                                                                               \
     .offset = offsetof(struct counters, member), .labels = {LABEL(set1, label1), LABEL(set2, label2)}},
    COUNTERS(X)
#undef X
#define X(member, histogram_name, set1, label1, set2, label2, histogram_help)                                          \
    {.name = PREFIX histogram_name, .help = histogram_help, .type = METRIC_HISTOGRAM, .place = METRIC_IN_COUNTERS,     \
     .offset = offsetof(struct counters, member), .labels = {LABEL(set1, label1), LABEL(set2, label2)}},
    HISTOGRAMS(X)
#undef X
#define X(member, size_name, size_help)                                                                                \
    {.name = PREFIX size_name, .help = size_help, .type = METRIC_HISTOGRAM, .place = METRIC_SIZES,                     \
     .offset = offsetof(struct counters, member)},
    SIZES(X)
#undef X
    {.name = PREFIX "upstream_last_answer_timestamp_seconds", .type = METRIC_GAUGE, .place = METRIC_UPSTREAM_TIME,
     .help = "When the upstream last answered. Absent until it did.",
     .offset = offsetof(struct figures, upstream_answered_s), .labels = {LABEL(UPSTREAM, "upstream")}},
    {.name = PREFIX "upstream_state_change_timestamp_seconds", .type = METRIC_GAUGE, .place = METRIC_UPSTREAM_TIME,
     .help = "When the upstream came into the state that upstream_state shows.",
     .offset = offsetof(struct figures, upstream_changed_s), .labels = {LABEL(UPSTREAM, "upstream")}},
    {.name = PREFIX "config_setting", .type = METRIC_GAUGE, .place = METRIC_SETTINGS,
     .help = "Each number of the configuration in force: durations in seconds, sizes in bytes, 1 or 0 for true or "
             "false.",
     .labels = {{"key", NULL, FIGURES_SETTINGS_MAX}}},
    {.name = PREFIX "client_queries_per_second", .type = METRIC_GAUGE, .place = METRIC_BUSIEST_PORTS,
     .help = "Queries a second of the busiest IP/port pairs, that is, connections; those with at least 10.",
     .labels = {{"client", NULL, BUSIEST_MAX}, {"port", NULL, 1}}},
    {.name = PREFIX "client_address_queries_per_second", .type = METRIC_GAUGE, .place = METRIC_BUSIEST_ADDRESSES,
     .help = "Queries a second of the busiest client addresses.",
     .labels = {{"client", NULL, BUSIEST_MAX}}},
    {.name = PREFIX "client_address_limited_queries_per_second", .type = METRIC_GAUGE,
     .place = METRIC_LIMITED_ADDRESSES,
     .help = "Queries a second refused for their rate, of the client addresses refused most.",
     .labels = {{"client", NULL, BUSIEST_MAX}}},
};
/* clang-format on */

const struct metric *catalogue(size_t *ret_count)
{
    *ret_count = sizeof metrics / sizeof *metrics;
    return metrics;
}

unsigned metric_series_max(const struct metric *metric)
{
    unsigned series = 1;
    if (metric->type == METRIC_HISTOGRAM) series = (metric->place == METRIC_SIZES ? SIZE_EDGES : HISTOGRAM_EDGES) + 3;
    for (unsigned i = 0; i < METRIC_LABELS_MAX; i++)
        if (metric->labels[i].count > 0) series *= metric->labels[i].count;
    return series;
}
