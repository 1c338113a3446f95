#include "metrics/endpoint.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "metrics/exposition.h"
#include "metrics/history.h"
#include "metrics/http_server.h"
#include "metrics/page.h"
#include "metrics/process.h"
#include "metrics/recorder.h"
#include "metrics/status.h"
#include "metrics/upstream_times.h"

struct endpoint {
    struct http_server *server;
    struct upstream_times upstream_times;
    struct history *history; /* also without a status page: a reload may bring it */
    struct recorder *recorder;
    struct address listen;
    atomic_bool status_page; /* a reload writes both, HTTP threads read */
    atomic_bool show_names;
    struct endpoint_sources sources;
    double process_started_s;
};

/* What is shown at one moment; too large for the stacks of HTTP threads, 100 KB. */
struct reading {
    struct counters total;
    struct figures figures;
    struct readiness readiness;
    uint64_t now_ns;
};

/* What is served at a path. */
struct route {
    const char *path;
    const char *allow; /* methods */
    /* Writes the body to `out`; false if memory is short. */
    bool (*answer)(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                   struct http_response *response);
    bool is_of_page; /* only if there is a status page */
};

#define ALLOW_READ "GET, HEAD, OPTIONS"
#define ALLOW_POST "POST, OPTIONS"
#define JSON_TYPE  "application/json; charset=utf-8"

/* The caller frees. NULL if memory is short. */
static struct reading *reading_take(struct endpoint *endpoint, bool with_names)
{
    const struct endpoint_sources *sources = &endpoint->sources;
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return NULL;
    struct figures *figures = &reading->figures;
    reading->now_ns = clock_now_ns();
    reading->readiness = health_look(sources->health, reading->now_ns);
    counters_merge(sources->blocks, sources->block_count, &reading->total);
    sources->read_figures(sources->context, reading->now_ns, with_names, figures);
    if (!with_names) figures->busiest_port_count = figures->busiest_address_count = figures->limited_count = 0;
    upstream_times_look(&endpoint->upstream_times, &reading->total, figures, reading->now_ns, clock_wall_s());
    process_read(figures);
    figures->process_started_s = endpoint->process_started_s;
    figures->ready = reading->readiness.state == READINESS_READY;
    figures->live = health_is_live(sources->health, reading->now_ns);
    figures->build.civetweb = http_server_library_version();
    return reading;
}

/* Another site may give its own name the address 127.0.0.1, so that its page can read from this server as if it were
 * its own (DNS rebinding). The Host field then still has that name. */
static bool is_host_literal(const char *host)
{
    struct address address;
    if (!host) return true; /* HTTP/1.0: no browser */
    size_t size = strcspn(host, ":");
    return (size == strlen("localhost") && strncasecmp(host, "localhost", size) == 0) ||
           address_parse(host, 80, &address);
}

/* Whether names and clients, which are private, may be shown: on the page and in /metrics alike. */
static bool may_show_names(const struct endpoint *endpoint, const struct http_received *received)
{
    if (endpoint->show_names) return true;
    return address_is_loopback(&endpoint->listen) && is_host_literal(received->host);
}

static bool answer_metrics(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                           struct http_response *response)
{
    struct reading *reading = reading_take(endpoint, may_show_names(endpoint, received));
    if (!reading) return false;
    enum exposition_format format = exposition_format_of(received->accept);
    response->content_type = exposition_content_type(format);
    exposition_write(out, format, &reading->total, &reading->figures);
    free(reading);
    return true;
}

static bool answer_live(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                        struct http_response *response)
{
    (void)received;
    bool live = health_write_live(endpoint->sources.health, clock_now_ns(), clock_wall_s(), out);
    response->status = live ? 200 : 503;
    return true;
}

static bool answer_ready(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                         struct http_response *response)
{
    (void)received;
    const struct endpoint_sources *sources = &endpoint->sources;
    char failing[FAILING_ROUTES_BYTES] = "";
    if (sources->list_failing_routes) sources->list_failing_routes(sources->context, failing);
    bool ready = health_write_ready(sources->health, failing, clock_now_ns(), clock_wall_s(), out);
    response->status = ready ? 200 : 503;
    return true;
}

/* A browser sends the origin of the page with a POST: only our own page may. */
static bool is_own_origin(const struct http_received *received)
{
    static const char scheme[] = "http://";
    size_t size = sizeof scheme - 1;
    if (!received->origin) return true;
    return received->host && strncmp(received->origin, scheme, size) == 0 &&
           strcasecmp(received->origin + size, received->host) == 0;
}

/* Only a client on this machine may change something, and no page of another site in a browser there. */
static bool may_purge(const struct endpoint *endpoint, const struct http_received *received)
{
    return endpoint->sources.purge && address_is_loopback(&endpoint->listen) && is_host_literal(received->host) &&
           is_own_origin(received);
}

static bool answer_status(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                          struct http_response *response)
{
    (void)response;
    bool show_names = may_show_names(endpoint, received);
    struct reading *reading = reading_take(endpoint, show_names);
    if (!reading) return false;
    const struct status status = {
        .total = &reading->total,
        .figures = &reading->figures,
        .readiness = reading->readiness,
        .live = reading->figures.live > 0,
        .show_names = show_names,
        .may_purge = may_purge(endpoint, received),
        .now_ns = reading->now_ns,
        .wall_s = clock_wall_s(),
    };
    status_write(&status, out);
    free(reading);
    return true;
}

/* /history.json?range=5m, 1h or 24h. */
static bool answer_history(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                           struct http_response *response)
{
    char text[8];
    enum history_range range;
    if (http_server_parameter(received->query, "range", text, sizeof text) && history_parse_range(text, &range)) {
        history_write(endpoint->history, range, out);
    } else {
        response->status = 400;
        fputs("{\"error\":\"range=5m, 1h or 24h is wanted\"}\n", out);
    }
    return true;
}

/* /queries.json?client=&name=&kind=&min_ms=&after_ms=&limit=. Where names and clients are not shown, a filter by them
 * would tell whether they are there. */
static bool answer_queries(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                           struct http_response *response)
{
    struct query_filter filter;
    const char *fault = query_filter_parse(received->query, &filter);
    bool show_names = may_show_names(endpoint, received);
    if (!fault && (show_names || !query_filter_is_private(&filter)) && endpoint->sources.write_queries)
        return endpoint->sources.write_queries(endpoint->sources.context, &filter, show_names, out);
    response->status = fault ? 400 : 403;
    fprintf(out, "{\"error\":\"%s\"}\n", fault ? fault : "name and client: only where names and clients are shown");
    return true;
}

/* The configuration has addresses of clients and names, which are as private as those of the lists. */
static bool answer_config(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                          struct http_response *response)
{
    if (may_show_names(endpoint, received) && endpoint->sources.write_config) {
        response->content_type = "text/plain; charset=utf-8";
        endpoint->sources.write_config(endpoint->sources.context, out);
    } else {
        response->status = 403;
        fputs("{\"error\":\"only where names and clients are shown\"}\n", out);
    }
    return true;
}

/* Once a second, on the recorder's thread. */
static void record(void *context)
{
    struct endpoint *endpoint = context;
    struct reading *reading = reading_take(endpoint, false);
    if (!reading) return; /* a gap */
    history_take(endpoint->history, &reading->total, &reading->figures, reading->now_ns);
    free(reading);
}

/* POST /cache/purge, or /cache/purge?name=NAME; /cache/flush is its old name. */
static bool answer_purge(struct endpoint *endpoint, const struct http_received *received, FILE *out,
                         struct http_response *response)
{
    const char *query = received->query;
    char name[NAME_TEXT_BYTES];
    uint64_t removed = 0;
    if (!may_purge(endpoint, received)) {
        response->status = 403;
        fputs("{\"error\":\"only at a loopback listener, and not from another page\"}\n", out);
    } else if ((query && !http_server_parameter(query, "name", name, sizeof name)) ||
               !endpoint->sources.purge(endpoint->sources.context, query ? name : NULL, &removed)) {
        response->status = 400;
        fputs("{\"error\":\"name=NAME is wanted, or nothing\"}\n", out);
    } else {
        fprintf(out, "{\"removed\":%llu}\n", (unsigned long long)removed);
    }
    return true;
}

static const struct route routes[] = {
    {"/metrics", ALLOW_READ, answer_metrics, false},     {"/healthz", ALLOW_READ, answer_live, false},
    {"/readyz", ALLOW_READ, answer_ready, false},        {"/status.json", ALLOW_READ, answer_status, true},
    {"/history.json", ALLOW_READ, answer_history, true}, {"/config.yaml", ALLOW_READ, answer_config, true},
    {"/queries.json", ALLOW_READ, answer_queries, true}, {"/cache/purge", ALLOW_POST, answer_purge, false},
    {"/cache/flush", ALLOW_POST, answer_purge, false},
};

static const struct route *route_find(const struct endpoint *endpoint, const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].path, path) == 0)
            return endpoint->status_page || !routes[i].is_of_page ? &routes[i] : NULL;
    return NULL;
}

static void answer_route(struct endpoint *endpoint, const struct route *route, const struct http_received *received,
                         struct http_response *response)
{
    response->content_type = JSON_TYPE;
    FILE *out = open_memstream(&response->owned, &response->size);
    bool answered = out && route->answer(endpoint, received, out, response);
    if (out && (ferror(out) | fclose(out)) != 0) answered = false; /* closed in any case: only then the body is ours */
    response->body = response->owned;
    if (!answered) http_response_set_status(response, 500);
}

/* Whether a list of methods has one. */
static bool allows(const char *allow, const char *method)
{
    size_t size = strlen(method);
    for (const char *at = allow; (at = strstr(at, method)); at += size)
        if ((at == allow || at[-1] == ' ') && (at[size] == ',' || at[size] == '\0')) return true;
    return false;
}

static void answer(void *context, const struct http_received *received, struct http_response *response)
{
    struct endpoint *endpoint = context;
    const struct route *route = route_find(endpoint, received->path);
    const struct page_file *file = endpoint->status_page ? page_find(received->path) : NULL;
    const char *allow = route ? route->allow : ALLOW_READ;
    bool is_options = strcmp(received->method, "OPTIONS") == 0;
    if (is_options && strcmp(received->path, HTTP_SERVER_PATH) == 0) {
        response->allow = "GET, HEAD, POST, OPTIONS";
    } else if (!route && !file) {
        http_response_set_status(response, 404);
    } else if (is_options) {
        response->allow = allow;
    } else if (!allows(allow, received->method)) {
        http_response_set_status(response, 405);
        response->allow = allow;
    } else if (route) {
        answer_route(endpoint, route, received, response);
    } else {
        response->content_type = file->content_type;
        response->body = file->text;
        response->size = (size_t)(file->end - file->text);
    }
}

void endpoint_set_options(struct endpoint *endpoint, const struct endpoint_options *options)
{
    endpoint->status_page = options->status_page;
    endpoint->show_names = options->show_names;
}

static bool endpoint_open(struct endpoint *endpoint, char error[static ENDPOINT_ERROR_BYTES])
{
    const struct http_server_options server = {endpoint->listen, endpoint->sources.civetweb_port, endpoint->sources.log,
                                               endpoint, answer};
    endpoint->history = history_new();
    endpoint->recorder = endpoint->history ? recorder_start(record, endpoint) : NULL;
    if (endpoint->recorder) {
        endpoint->server = http_server_start(&server, error);
        return endpoint->server;
    }
    snprintf(error, ENDPOINT_ERROR_BYTES, "no memory");
    return false;
}

struct endpoint *endpoint_start(const struct endpoint_options *options, const struct endpoint_sources *sources,
                                char error[static ENDPOINT_ERROR_BYTES])
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint) {
        snprintf(error, ENDPOINT_ERROR_BYTES, "no memory");
        return NULL;
    }
    endpoint->listen = options->listen;
    endpoint_set_options(endpoint, options);
    endpoint->sources = *sources;
    endpoint->process_started_s = process_started_s();
    upstream_times_init(&endpoint->upstream_times);
    if (endpoint_open(endpoint, error)) return endpoint;
    endpoint_stop(endpoint);
    return NULL;
}

uint16_t endpoint_port(const struct endpoint *endpoint)
{
    return http_server_port(endpoint->server);
}

void endpoint_stop(struct endpoint *endpoint)
{
    if (!endpoint) return;
    http_server_stop(endpoint->server);
    recorder_stop(endpoint->recorder);
    history_free(endpoint->history);
    upstream_times_done(&endpoint->upstream_times);
    free(endpoint);
}
