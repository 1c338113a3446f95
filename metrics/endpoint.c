#include "metrics/endpoint.h"

#include <civetweb.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/clock.h"
#include "metrics/exposition.h"
#include "metrics/http_front.h"
#include "metrics/page.h"
#include "metrics/process.h"
#include "metrics/response.h"
#include "metrics/status.h"

struct endpoint {
    struct mg_context *context;
    struct address civetweb;  /* where it listens */
    struct http_front *front; /* in front of it */
    struct endpoint_options options;
    struct endpoint_sources sources;
    double process_started_s;
    pthread_t starter;               /* who may write to `said` */
    char said[ENDPOINT_ERROR_BYTES]; /* civetweb's first complaint while it started */
};

/* What is shown at one moment; too large for civetweb's stacks of 100 KB. */
struct snapshot {
    struct counters total;
    struct figures figures;
    struct readiness readiness;
    uint64_t now_ns;
};

struct route {
    const char *path;
    /* Writes the body to `out`; false where memory is short. */
    bool (*answer)(struct endpoint *endpoint, const struct mg_connection *connection, FILE *out,
                   struct response *response);
    bool of_page; /* only where there is a status page */
};

/* The caller frees. NULL where memory is short. */
static struct snapshot *snapshot_take(struct endpoint *endpoint, bool with_names)
{
    const struct endpoint_sources *sources = &endpoint->sources;
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) return NULL;
    struct figures *figures = &snapshot->figures;
    snapshot->now_ns = clock_now_ns();
    snapshot->readiness = health_look(sources->health, snapshot->now_ns);
    counters_merge(sources->blocks, sources->block_count, &snapshot->total);
    sources->read_figures(sources->context, snapshot->now_ns, with_names, figures);
    process_read(figures);
    figures->process_started_s = endpoint->process_started_s;
    figures->ready = snapshot->readiness.state == READINESS_READY;
    figures->build.civetweb = mg_version();
    return snapshot;
}

static bool answer_metrics(struct endpoint *endpoint, const struct mg_connection *connection, FILE *out,
                           struct response *response)
{
    struct snapshot *snapshot = snapshot_take(endpoint, false);
    if (!snapshot) return false;
    enum exposition_format format = exposition_format_of(mg_get_header(connection, "Accept"));
    response->content_type = exposition_content_type(format);
    exposition_write(out, format, &snapshot->total, &snapshot->figures);
    free(snapshot);
    return true;
}

static bool answer_live(struct endpoint *endpoint, const struct mg_connection *connection, FILE *out,
                        struct response *response)
{
    (void)connection;
    bool live = health_write_live(endpoint->sources.health, clock_now_ns(), clock_wall_s(), out);
    response->status = live ? 200 : 503;
    return true;
}

static bool answer_ready(struct endpoint *endpoint, const struct mg_connection *connection, FILE *out,
                         struct response *response)
{
    (void)connection;
    bool ready = health_write_ready(endpoint->sources.health, clock_now_ns(), clock_wall_s(), out);
    response->status = ready ? 200 : 503;
    return true;
}

/* A page of somewhere else may give its own name the address 127.0.0.1 and read from us as if it were ours (DNS
 * rebinding); then the Host header still has that name. */
static bool is_host_literal(const char *host)
{
    struct address address;
    if (!host) return true; /* no browser */
    size_t size = strcspn(host, ":");
    return (size == strlen("localhost") && strncasecmp(host, "localhost", size) == 0) ||
           address_parse(host, 80, &address);
}

static bool may_show_names(const struct endpoint *endpoint, const struct mg_connection *connection)
{
    if (endpoint->options.show_names) return true;
    return address_is_loopback(&endpoint->options.listen) && is_host_literal(mg_get_header(connection, "Host"));
}

static bool answer_status(struct endpoint *endpoint, const struct mg_connection *connection, FILE *out,
                          struct response *response)
{
    (void)response;
    bool show_names = may_show_names(endpoint, connection);
    struct snapshot *snapshot = snapshot_take(endpoint, show_names);
    if (!snapshot) return false;
    const struct status status = {
        .total = &snapshot->total,
        .figures = &snapshot->figures,
        .readiness = snapshot->readiness,
        .live = health_is_live(endpoint->sources.health, snapshot->now_ns),
        .show_names = show_names,
        .now_ns = snapshot->now_ns,
        .wall_s = clock_wall_s(),
    };
    status_write(&status, out);
    free(snapshot);
    return true;
}

/* Only who is on this machine may change something, and no page of somewhere else in a browser there. */
static bool may_flush(const struct endpoint *endpoint, const struct mg_connection *connection)
{
    return endpoint->sources.flush && address_is_loopback(&endpoint->options.listen) &&
           is_host_literal(mg_get_header(connection, "Host")) && !mg_get_header(connection, "Origin");
}

/* POST /cache/flush, or /cache/flush?name=NAME. */
static bool answer_flush(struct endpoint *endpoint, const struct mg_connection *connection, FILE *out,
                         struct response *response)
{
    const char *query = mg_get_request_info(connection)->query_string;
    char name[NAME_TEXT_BYTES];
    uint64_t removed = 0;
    int size = query ? mg_get_var(query, strlen(query), "name", name, sizeof name) : -1;
    if (!may_flush(endpoint, connection)) {
        response->status = 403;
        fputs("{\"error\":\"only at a loopback listener, and not from a page\"}\n", out);
    } else if ((query && size < 0) ||
               !endpoint->sources.flush(endpoint->sources.context, query ? name : NULL, &removed)) {
        response->status = 400;
        fputs("{\"error\":\"name=NAME is wanted, or nothing\"}\n", out);
    } else {
        fprintf(out, "{\"removed\":%llu}\n", (unsigned long long)removed);
    }
    return true;
}

static const struct route flush_route = {"/cache/flush", answer_flush, false};

static const struct route routes[] = {
    {"/metrics", answer_metrics, false},
    {"/healthz", answer_live, false},
    {"/readyz", answer_ready, false},
    {"/status.json", answer_status, true},
};

/* The header is our own rather than civetweb's, which sends each of its lines in a packet. civetweb closes behind it;
 * whether the client's connection goes on is for http_front, which asks response_is_last. */
static void respond(struct mg_connection *connection, const struct response *response)
{
    char head[RESPONSE_HEAD_BYTES];
    size_t size = response_write_head(response, clock_wall_s(), head);
    mg_disable_connection_keep_alive(connection); /* or civetweb would wait for the body, which http_front keeps back */
    const char *method = mg_get_request_info(connection)->request_method; /* NULL: it could not be read */
    bool with_body = !method || strcmp(method, "HEAD") != 0;
    if (mg_write(connection, head, size) > 0 && with_body && response->size > 0)
        mg_write(connection, response->body, response->size);
}

static int respond_text(struct mg_connection *connection, int status, bool close)
{
    char body[64];
    int size = snprintf(body, sizeof body, "%d %s\n", status, response_status_text(status));
    respond(connection, &(struct response){status, "text/plain; charset=utf-8", body, (size_t)size, close});
    return status;
}

static int respond_route(struct endpoint *endpoint, struct mg_connection *connection, const struct route *route,
                         bool close)
{
    struct response response = {.status = 200, .content_type = "application/json; charset=utf-8", .close = close};
    char *body = NULL;
    FILE *out = open_memstream(&body, &response.size);
    bool answered = out && route->answer(endpoint, connection, out, &response);
    if (out && (ferror(out) | fclose(out)) != 0) answered = false; /* closed in any case: only then `body` is ours */
    response.body = body;
    if (answered)
        respond(connection, &response);
    else
        respond_text(connection, response.status = 500, close);
    free(body);
    return response.status;
}

static int respond_page(struct mg_connection *connection, const struct page_file *file, bool close)
{
    respond(connection,
            &(struct response){200, file->content_type, file->text, (size_t)(file->end - file->text), close});
    return 200;
}

static const struct route *route_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].path, path) == 0) return &routes[i];
    return NULL;
}

/* HTTP/1.1 goes on unless the client wants otherwise, or sends a body, which is not read. */
static bool ends_connection(const struct mg_connection *connection)
{
    const struct mg_request_info *request = mg_get_request_info(connection);
    const char *wish = mg_get_header(connection, "Connection");
    return request->content_length > 0 || mg_get_header(connection, "Transfer-Encoding") ||
           strcmp(request->http_version, "1.1") != 0 || (wish && strcasestr(wish, "close"));
}

/* Every request comes here before civetweb looks for files or anything else, and none goes on from here. */
static int on_request(struct mg_connection *connection)
{
    const struct mg_request_info *request = mg_get_request_info(connection);
    struct endpoint *endpoint = request->user_data;
    bool close = ends_connection(connection);
    if (strcmp(request->local_uri, flush_route.path) == 0 && strcmp(request->request_method, "POST") == 0)
        return respond_route(endpoint, connection, &flush_route, close);
    if (strcmp(request->request_method, "GET") != 0 && strcmp(request->request_method, "HEAD") != 0)
        return respond_text(connection, 405, true);
    const struct route *route = route_find(request->local_uri);
    const struct page_file *file = page_find(request->local_uri);
    bool has_page = endpoint->options.status_page;
    if (route && (has_page || !route->of_page)) return respond_route(endpoint, connection, route, close);
    if (file && has_page) return respond_page(connection, file, close);
    return respond_text(connection, 404, close);
}

/* A request civetweb could not read. Its own answer would be made in a static buffer, by two threads at once. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    (void)message;
    respond_text(connection, status, true);
    return 0; /* answered */
}

static int on_message(const struct mg_connection *connection, const char *message)
{
    struct endpoint *endpoint = mg_get_user_data(mg_get_context(connection));
    log_debug(endpoint->sources.log, "http", log_text("message", message));
    if (pthread_equal(pthread_self(), endpoint->starter) && !*endpoint->said)
        snprintf(endpoint->said, sizeof endpoint->said, "%s", message);
    return 1; /* civetweb is not to write it anywhere itself */
}

/* civetweb at endpoint->civetweb, or NULL; endpoint->said or `failure` says why. What it sees are whole requests of the
 * http_front, each on a connection of its own: it waits for nobody. */
static struct mg_context *civetweb_start(struct endpoint *endpoint, struct mg_error_data *failure)
{
    char listen_text[ADDRESS_TEXT_BYTES];
    address_format(&endpoint->civetweb, listen_text);
    /* clang-format off */
    const char *settings[] = {
        "listening_ports", listen_text,
        "num_threads", "2",
        "connection_queue", "16",
        "max_request_size", "8192", /* more than http_front lets through */
        "request_timeout_ms", "1000",
        "enable_keep_alive", "no",
        "tcp_nodelay", "1",
        "decode_url", "no",
        "enable_directory_listing", "no",
        "enable_auth_domain_check", "no",
        NULL
    };
    /* clang-format on */
    const struct mg_callbacks callbacks = {
        .begin_request = on_request, .http_error = on_error, .log_message = on_message};
    struct mg_init_data init = {&callbacks, endpoint, settings};
    return mg_start2(&init, failure);
}

static uint16_t civetweb_port(const struct endpoint *endpoint)
{
    struct mg_server_port port = {0};
    mg_get_server_ports(endpoint->context, 1, &port);
    return (uint16_t)port.port;
}

static bool endpoint_open(struct endpoint *endpoint, char error[static ENDPOINT_ERROR_BYTES])
{
    const struct address *listen = &endpoint->options.listen;
    address_parse("127.0.0.1", 1, &endpoint->civetweb);
    endpoint->civetweb.port = 0; /* any free one */
    /* By name: the members differ between versions of the library. */
    struct mg_error_data failure = {.text = error, .text_buffer_size = ENDPOINT_ERROR_BYTES};
    endpoint->context = civetweb_start(endpoint, &failure);
    if (!endpoint->context) {
        if (*endpoint->said) snprintf(error, ENDPOINT_ERROR_BYTES, "%s", endpoint->said);
        return false;
    }
    endpoint->civetweb.port = civetweb_port(endpoint);
    endpoint->front = http_front_start(listen, endpoint->civetweb.port);
    if (endpoint->front) return true;
    char text[ADDRESS_TEXT_BYTES];
    snprintf(error, ENDPOINT_ERROR_BYTES, "cannot bind to %s: %s", address_format(listen, text), strerror(errno));
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
    endpoint->options = *options;
    endpoint->sources = *sources;
    endpoint->process_started_s = process_started_s();
    endpoint->starter = pthread_self();
    mg_init_library(MG_FEATURES_DEFAULT);
    if (endpoint_open(endpoint, error)) return endpoint;
    endpoint_stop(endpoint);
    return NULL;
}

uint16_t endpoint_port(const struct endpoint *endpoint)
{
    return http_front_port(endpoint->front);
}

static void *stop_run(void *context)
{
    mg_stop(context);
    return NULL;
}

/* A connection begun and given up. */
static void knock(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)!connect(fd, (const struct sockaddr *)&storage, size);
    close(fd);
}

/* civetweb's accepting thread looks whether it is to stop only when a connection comes, or after 2 s, which a restart
 * would cost. So it is stopped on a thread of its own while this one knocks. */
static void civetweb_stop(struct endpoint *endpoint)
{
    pthread_t stopper;
    if (pthread_create(&stopper, NULL, stop_run, endpoint->context) != 0) {
        mg_stop(endpoint->context);
        return;
    }
    struct timespec until;
    do {
        knock(&endpoint->civetweb);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 10 * (long)NS_PER_MS;
        until.tv_sec += until.tv_nsec / (long)NS_PER_S;
        until.tv_nsec %= (long)NS_PER_S;
    } while (pthread_timedjoin_np(stopper, NULL, &until) != 0);
}

void endpoint_stop(struct endpoint *endpoint)
{
    if (!endpoint) return;
    http_front_stop(endpoint->front);
    if (endpoint->context) civetweb_stop(endpoint);
    mg_exit_library();
    free(endpoint);
}
