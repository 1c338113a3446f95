#include "metrics/exposition.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/clock.h"
#include "metrics/catalogue.h"
#include "metrics/http_accept.h"

struct exposition {
    FILE *out;
    enum exposition_format format;
    const struct counters *total;
    const struct figures *figures;
};

struct pair {
    const char *name;
    const char *value;
};

#define PORT_RATE_MIN 10.0 /* questions a second */

enum { PAIRS_MAX = METRIC_LABELS_MAX + 1, NUMBER_BYTES = 48 };

const char *exposition_content_type(enum exposition_format format)
{
    return format == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

/* OpenMetrics only if it is wanted more than plain text, or equally and by its name: a browser, which accepts
 * anything, is to show text. If neither is accepted, text is better than nothing. */
enum exposition_format exposition_format_of(const char *accept)
{
    int openmetrics = http_accept_weight(accept, "application/openmetrics-text");
    int text = http_accept_weight(accept, "text/plain");
    bool is_named = accept && strcasestr(accept, "application/openmetrics-text");
    bool is_wanted = openmetrics > 0 && (openmetrics > text || (openmetrics == text && is_named));
    return is_wanted ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

/* Both formats escape these three the same way in label values; help texts are ours and hold none of them. */
static void write_escaped(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\' || *c == '"') putc('\\', out);
        if (*c == '\n')
            fputs("\\n", out);
        else
            putc(*c, out);
    }
}

static void write_sample(FILE *out, const char *name, const char *suffix, const struct pair *pairs, unsigned count,
                         const char *value)
{
    fputs(name, out);
    fputs(suffix, out);
    for (unsigned i = 0; i < count; i++) {
        putc(i == 0 ? '{' : ',', out);
        fputs(pairs[i].name, out);
        fputs("=\"", out);
        write_escaped(out, pairs[i].value);
        putc('"', out);
    }
    fputs(count ? "} " : " ", out);
    fputs(value, out);
    putc('\n', out);
}

static const char *number_format(double value, char text[static NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "%.15g", value);
    return text;
}

static const char *count_format(uint64_t value, char text[static NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "%" PRIu64, value);
    return text;
}

/* Nanoseconds as seconds, exactly. */
static const char *seconds_format(uint64_t ns, char text[static NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
    return text;
}

/* An edge in OpenMetrics' canonical spelling, which has a dot or an exponent always. */
static const char *edge_format(unsigned bucket, char text[static NUMBER_BYTES])
{
    if (bucket == HISTOGRAM_EDGES) return "+Inf";
    int size = snprintf(text, NUMBER_BYTES - 2, "%g", (double)histogram_edges_ns[bucket] / 1e9);
    if (!strpbrk(text, ".e")) memcpy(text + size, ".0", 3);
    return text;
}

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t end_size = strlen(end);
    return size >= end_size && strncmp(text + size - end_size, end, end_size) == 0;
}

static bool is_name_taken(const char *name, size_t size)
{
    size_t count;
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++)
        if (strlen(metrics[i].name) == size && strncmp(metrics[i].name, name, size) == 0) return true;
    return false;
}

/* The family's name is the metric's, in OpenMetrics without the suffix that says its type. */
static size_t family_size(const struct exposition *x, const struct metric *metric, const char **ret_type)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    size_t size = strlen(metric->name);
    *ret_type = types[metric->type];
    if (x->format == EXPOSITION_TEXT) return size;
    if (metric->place == METRIC_BUILD) {
        *ret_type = "info";
        return size - strlen("_info");
    }
    if (metric->type != METRIC_COUNTER) return size;
    if (!is_name_taken(metric->name, size - strlen("_total"))) return size - strlen("_total");
    *ret_type = "unknown";
    return size;
}

static void write_head(const struct exposition *x, const struct metric *metric)
{
    const char *type;
    int size = (int)family_size(x, metric, &type);
    fprintf(x->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", size, metric->name, metric->help, size, metric->name, type);
    if (x->format == EXPOSITION_TEXT) return;
    static const char *const units[] = {"seconds", "bytes"};
    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (ends_with(metric->name, (size_t)size, units[i]))
            fprintf(x->out, "# UNIT %.*s %s\n", size, metric->name, units[i]);
}

static void write_histogram(const struct exposition *x, const struct metric *metric, const struct histogram *histogram,
                            struct pair *pairs, unsigned count)
{
    char text[NUMBER_BYTES];
    char edge[NUMBER_BYTES];
    uint64_t cumulative = 0;
    for (unsigned i = 0; i <= HISTOGRAM_EDGES; i++) {
        cumulative += counter_read(&histogram->buckets[i]);
        pairs[count] = (struct pair){"le", edge_format(i, edge)};
        write_sample(x->out, metric->name, "_bucket", pairs, count + 1, count_format(cumulative, text));
    }
    write_sample(x->out, metric->name, "_sum", pairs, count, seconds_format(counter_read(&histogram->sum_ns), text));
    write_sample(x->out, metric->name, "_count", pairs, count, count_format(cumulative, text));
}

static void write_sizes(const struct exposition *x, const struct metric *metric)
{
    const struct size_histogram *sizes = (const void *)((const char *)x->total + metric->offset);
    char text[NUMBER_BYTES];
    char edge[NUMBER_BYTES];
    uint64_t cumulative = 0;
    for (unsigned i = 0; i <= SIZE_EDGES; i++) {
        if (i < SIZE_EDGES) {
            cumulative += counter_read(&sizes->buckets[i]);
            snprintf(edge, sizeof edge, "%u.0", SIZE_EDGE_FIRST << i);
        }
        const struct pair pair = {"le", i < SIZE_EDGES ? edge : "+Inf"};
        write_sample(x->out, metric->name, "_bucket", &pair, 1, count_format(cumulative, text));
    }
    write_sample(x->out, metric->name, "_sum", NULL, 0, count_format(counter_read(&sizes->sum_bytes), text));
    write_sample(x->out, metric->name, "_count", NULL, 0, count_format(cumulative, text));
}

/* The value of one combination of labels: number `index` of the metric's values. */
static void write_value(const struct exposition *x, const struct metric *metric, size_t index, struct pair *pairs,
                        unsigned count)
{
    const char *place = (const char *)x->total + metric->offset;
    if (metric->type == METRIC_HISTOGRAM) {
        write_histogram(x, metric, (const struct histogram *)(const void *)place + index, pairs, count);
        return;
    }
    char text[NUMBER_BYTES];
    uint64_t value = counter_read((const _Atomic uint64_t *)(const void *)place + index);
    if (value == 0 && metric->absent_at_0) return;
    write_sample(x->out, metric->name, "", pairs, count, count_format(value, text));
}

/* How many values the label has now, and what they are. */
static unsigned label_count(const struct exposition *x, const struct metric_label *label)
{
    return label->values || !*label->name ? label->count : x->figures->upstream_count;
}

static const char *label_value(const struct exposition *x, const struct metric_label *label, unsigned i)
{
    return label->values ? label->values[i] : x->figures->upstreams[i];
}

static void write_counters(const struct exposition *x, const struct metric *metric)
{
    const struct metric_label *first = &metric->labels[0];
    const struct metric_label *second = &metric->labels[1];
    unsigned seconds = second->count ? second->count : 1; /* a histogram has none */
    struct pair pairs[PAIRS_MAX];
    for (unsigned i = 0; i < label_count(x, first); i++) {
        unsigned count = 0;
        if (*first->name && *label_value(x, first, i) == '\0') continue; /* a series that no upstream has */
        if (*first->name) pairs[count++] = (struct pair){first->name, label_value(x, first, i)};
        for (unsigned j = 0; j < seconds; j++) {
            if (second->values) pairs[count] = (struct pair){second->name, second->values[j]};
            write_value(x, metric, (size_t)i * seconds + j, pairs, count + (second->values ? 1 : 0));
        }
    }
}

static void write_figure(const struct exposition *x, const struct metric *metric)
{
    char text[NUMBER_BYTES];
    const char *place = (const char *)x->figures + metric->offset;
    write_sample(x->out, metric->name, "", NULL, 0, number_format(*(const double *)(const void *)place, text));
}

static void write_build(const struct exposition *x, const struct metric *metric)
{
    const struct figures_build *build = &x->figures->build;
    const struct pair pairs[] = {
        {"version", build->version}, {"wolfssl", build->wolfssl}, {"ldns", build->ldns}, {"civetweb", build->civetweb}};
    write_sample(x->out, metric->name, "", pairs, sizeof pairs / sizeof *pairs, "1");
}

static void write_settings(const struct exposition *x, const struct metric *metric)
{
    char text[NUMBER_BYTES];
    for (unsigned i = 0; i < x->figures->setting_count; i++) {
        const struct figures_setting *setting = &x->figures->settings[i];
        const struct pair pair = {"key", setting->key};
        write_sample(x->out, metric->name, "", &pair, 1, number_format(setting->value, text));
    }
}

/* A connection below PORT_RATE_MIN is left out: a client with a connection for each query would make a new series each
 * second. */
static void write_clients(const struct exposition *x, const struct metric *metric, const struct figures_client *clients,
                          unsigned count, bool with_port)
{
    char text[NUMBER_BYTES];
    char port[NUMBER_BYTES];
    for (unsigned i = 0; i < count; i++) {
        if (with_port && clients[i].queries_per_s < PORT_RATE_MIN) continue;
        const struct pair pairs[] = {{"client", clients[i].address}, {"port", count_format(clients[i].port, port)}};
        write_sample(x->out, metric->name, "", pairs, with_port ? 2 : 1, number_format(clients[i].queries_per_s, text));
    }
}

static void write_limited(const struct exposition *x, const struct metric *metric)
{
    char text[NUMBER_BYTES];
    for (unsigned i = 0; i < x->figures->limited_count; i++) {
        const struct figures_client *client = &x->figures->limited_addresses[i];
        const struct pair pair = {"client", client->address};
        write_sample(x->out, metric->name, "", &pair, 1, number_format(client->refused_per_s, text));
    }
}

static void write_upstream_time(const struct exposition *x, const struct metric *metric)
{
    char text[NUMBER_BYTES];
    const double *times_s = (const void *)((const char *)x->figures + metric->offset);
    for (unsigned i = 0; i < x->figures->upstream_count; i++) {
        const struct pair pair = {"upstream", x->figures->upstreams[i]};
        if (*pair.value && times_s[i] > 0)
            write_sample(x->out, metric->name, "", &pair, 1, number_format(times_s[i], text));
    }
}

static void write_metric(const struct exposition *x, const struct metric *metric)
{
    const struct figures *figures = x->figures;
    write_head(x, metric);
    switch (metric->place) {
    case METRIC_IN_COUNTERS: write_counters(x, metric); break;
    case METRIC_IN_FIGURES: write_figure(x, metric); break;
    case METRIC_SIZES: write_sizes(x, metric); break;
    case METRIC_BUILD: write_build(x, metric); break;
    case METRIC_SETTINGS: write_settings(x, metric); break;
    case METRIC_LIMITED_ADDRESSES: write_limited(x, metric); break;
    case METRIC_UPSTREAM_TIME: write_upstream_time(x, metric); break;
    case METRIC_BUSIEST_PORTS:
        write_clients(x, metric, figures->busiest_ports, figures->busiest_port_count, true);
        break;
    case METRIC_BUSIEST_ADDRESSES:
        write_clients(x, metric, figures->busiest_addresses, figures->busiest_address_count, false);
        break;
    }
}

void exposition_write(FILE *out, enum exposition_format format, const struct counters *total,
                      const struct figures *figures)
{
    const struct exposition x = {out, format, total, figures};
    size_t count;
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++) write_metric(&x, &metrics[i]);
    if (format == EXPOSITION_OPENMETRICS) fputs("# EOF\n", out);
}
