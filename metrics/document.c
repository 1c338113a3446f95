#include "metrics/document.h"

#include "metrics/catalogue.h"

static const char introduction[] =
    "# Metrics\n"
    "\n"
    "Written by `dns-tls-proxy --print-config-doc=metrics` from the program's own table; change it there.\n"
    "\n"
    "`/metrics` answers in Prometheus text format 0.0.4, or in OpenMetrics 1.0 where the scraper's `Accept` header "
    "asks\n"
    "for it; names, labels and values are the same. Units are base units, counters end in `_total`, and every series\n"
    "exists from the start, at 0, except for times not known yet (absent) and the busiest clients (those there are). "
    "A\n"
    "counter starts at 0 with the program; each thread counts for itself and a scrape adds up, so figures of one "
    "scrape\n"
    "may differ by what happened while it was read.\n"
    "\n"
    "The labels take no value from the network but the addresses of the busiest clients, of which there are never "
    "more\n"
    "than\n";

static const char closing[] =
    "\n"
    "Alert rules, recording rules and their tests, and an example of a scrape configuration: `metrics/prometheus/`. A\n"
    "Grafana dashboard: `metrics/grafana/dashboard.json`. What to do when an alert fires: [RUNBOOK](RUNBOOK.md).\n"
    "\n"
    "## Data of the status page\n"
    "\n"
    "Where `http.status_page` is on, three more documents are served, for the page and for scripts:\n"
    "\n"
    "- `/status.json`: the counters and figures above as they are now, with the buckets of response times, the state "
    "of\n"
    "  each upstream (with the seconds since it came into it and since the last answer), and, where names may be\n"
    "  shown, the names asked most, the busiest clients, the addresses that are refused most queries a second, and\n"
    "  what the last reload changed (`reload_changes`, lines `SETTING: FORMER -> VALUE`) or why it was refused\n"
    "  (`reload_refusal`). `handover` says how many connections the process before this one handed over (`given`),\n"
    "  how many of them are `taken` and `closed`, and for how long none was read (`pause_ms`); all 0 after a start\n"
    "  without. `shared_cache` is null where no cache is shared. `now_ms` is a clock that starts anywhere; two\n"
    "  samples give rates.\n"
    "- `/history.json?range=5m`, `1h` or `24h`: figures of the past, oldest first, `null` where there is none: 300\n"
    "  seconds, 900 means of four seconds, or 1,440 minutes. `step_ms` is the distance of two values, `end_ms` when "
    "the\n"
    "  last one ended, in the clock of `now_ms`. `figures` has queries, upstream queries, cache hits and misses, "
    "stale\n"
    "  answers, response codes, refused and failed ones, each a second; connections, questions in flight, processor "
    "and\n"
    "  memory; and the 90th percentile of cached answers (us) and of those from upstream (ms). `upstreams` has queries "
    "a\n"
    "  second and that percentile of each. `events` are the start, reloads, outages, recoveries, new certificates, "
    "and\n"
    "  upstreams lost and back. It is kept in memory of fixed size, and not over a restart.\n"
    "- `/queries.json`: notable queries, the latest first: those that were slow (`log.slow`), answered with SERVFAIL,\n"
    "  refused, limited (by rate, or for lack of room), answered with a stale answer, or malformed. Each worker keeps "
    "the\n"
    "  latest `log.recent` of each kind and takes at most 200 of a kind in a second; `kinds` says how many were "
    "`seen`\n"
    "  and how many of them `left_out`. Parameters, all optional: `client` (an address or a prefix), `name` (a part "
    "of\n"
    "  it), `kind` (one or more, commas between), `min_ms`, `after_ms` (ended later than that, in the clock of\n"
    "  `now_ms`), `limit` (100; at most 1000). Each query has `time`, `at_ms`, `kind`, `transport`, `type`, `rcode`\n"
    "  (`null`: no reply), `ede` and `ede_text` (the first Extended DNS Error), `reason` (of a refusal), `source`\n"
    "  (`cache`, `upstream`, `stale`, `local`), `route` (its first zone; `null`: the default route), `upstream` "
    "(asked\n"
    "  last), `attempts`, `ms`, `worker` and `question` (which name it in the log at level debug), and, where names "
    "may\n"
    "  be shown, `name`, `client` and `port`. Elsewhere these are missing, `ede_text` has only this program's own "
    "texts,\n"
    "  and `client` and `name` are refused with 403. A malformed parameter is 400.\n"
    "- `/config.yaml`: the configuration in force as `--print-config` writes it, where names may be shown.\n";

static void write_labels(FILE *out, const struct metric *metric)
{
    unsigned written = 0;
    for (unsigned i = 0; i < METRIC_LABELS_MAX; i++) {
        const struct metric_label *label = &metric->labels[i];
        if (!label->name || !*label->name) continue;
        fprintf(out, "%s`%s`", written++ ? "<br>" : "", label->name);
        if (!label->values) continue;
        fputs(": ", out);
        for (unsigned j = 0; j < label->count; j++) fprintf(out, "%s`%s`", j ? " " : "", label->values[j]);
    }
}

static unsigned write_metric(FILE *out, const struct metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    unsigned series = metric_series_max(metric);
    fprintf(out, "| `%s` | %s | ", metric->name, types[metric->type]);
    write_labels(out, metric);
    fprintf(out, " | %s | %u |\n", metric->help, series);
    return series;
}

static void write_edges(FILE *out)
{
    fputs("\nHistograms of durations have these edges, in seconds:\n", out);
    for (unsigned i = 0; i < HISTOGRAM_EDGES; i++)
        fprintf(out, "%g%s", (double)histogram_edges_ns[i] / 1e9, i == HISTOGRAM_EDGES / 2 ? "\n" : " ");
    fputs("and infinity.\nHistograms of sizes have these, in bytes: ", out);
    for (unsigned i = 0; i < SIZE_EDGES; i++) fprintf(out, "%u ", SIZE_EDGE_FIRST << i);
    fputs("and infinity.\n", out);
}

void document_write(FILE *out)
{
    size_t count;
    unsigned series = 0;
    const struct metric *metrics = catalogue(&count);
    fputs(introduction, out);
    fprintf(
        out,
        "%d. An upstream's label is `ADDRESS:PORT#NAME`, that of a route's upstream `ZONE/ADDRESS:PORT#NAME` with the\n"
        "route's first zone; there are at most %d of them, and those for which there is no room are counted together "
        "as "
        "`rest`.\n\n",
        BUSIEST_MAX, UPSTREAM_SERIES);
    fputs("| name | type | labels | meaning | series at most |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++) series += write_metric(out, &metrics[i]);
    fprintf(out, "\nAll together at most %u series, with %d upstreams; with four upstreams a small part of it.\n",
            series, UPSTREAM_SERIES);
    write_edges(out);
    fputs(closing, out);
}
