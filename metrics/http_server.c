#include "metrics/http_server.h"

#include <civetweb.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/clock.h"
#include "metrics/gzip.h"
#include "metrics/http_accept.h"
#include "metrics/http_front.h"

struct http_server {
    struct mg_context *context;
    struct address civetweb; /* where it listens */
    struct http_front *front;
    struct http_server_options options;
    pthread_t starter;                  /* the thread that may write to `said` */
    char said[HTTP_SERVER_ERROR_BYTES]; /* civetweb's first complaint while it started */
};

/* ---- responses ---- */

/* Replaces the body by its compressed form if that is smaller. */
static void compress(struct http_response *response)
{
    char *bytes;
    size_t size;
    if (!gzip_compress(response->body, response->size, &bytes, &size)) return;
    free(response->owned);
    response->body = response->owned = bytes;
    response->size = size;
    response->content_encoding = "gzip";
}

/* The header is our own rather than civetweb's, which sends each of its lines in a packet. civetweb closes behind it;
 * http_connections decides whether the client's connection goes on. */
static void send_response(struct mg_connection *connection, const struct http_response *response)
{
    char head[HTTP_RESPONSE_HEAD_BYTES];
    size_t size = http_response_write_head(response, clock_wall_s(), head);
    mg_disable_connection_keep_alive(connection); /* or civetweb would wait for a body, which is never forwarded */
    const char *method = mg_get_request_info(connection)->request_method; /* NULL: it could not be read */
    bool with_body = !method || strcmp(method, "HEAD") != 0;
    if (mg_write(connection, head, size) > 0 && with_body && response->size > 0)
        mg_write(connection, response->body, response->size);
}

/* Every request comes here before civetweb looks for files or anything else, and none goes on from here. A request that
 * ends its connection has a Connection field: http_request_write gives no other. */
static int on_request(struct mg_connection *connection)
{
    const struct mg_request_info *request = mg_get_request_info(connection);
    const struct http_server *server = request->user_data;
    const struct http_received received = {
        .method = request->request_method,
        .path = request->local_uri,
        .query = request->query_string,
        .host = mg_get_header(connection, "Host"),
        .origin = mg_get_header(connection, "Origin"),
        .accept = mg_get_header(connection, "Accept"),
    };
    struct http_response response = {.status = 200, .content_type = "text/plain; charset=utf-8"};
    server->options.answer(server->options.context, &received, &response);
    response.close = mg_get_header(connection, "Connection") != NULL;
    response.varies = response.size >= GZIP_WORTHWHILE_BYTES;
    if (response.varies && http_accept_gzip(mg_get_header(connection, "Accept-Encoding"))) compress(&response);
    send_response(connection, &response);
    free(response.owned);
    return response.status;
}

/* A request civetweb could not read. Its own answer would be made in a static buffer, by two threads at once. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    (void)message;
    struct http_response response = {.close = true};
    http_response_set_status(&response, status);
    send_response(connection, &response);
    return 0; /* answered */
}

static int on_message(const struct mg_connection *connection, const char *message)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));
    log_debug(server->options.log, "http", log_text("message", message));
    if (pthread_equal(pthread_self(), server->starter) && !*server->said)
        snprintf(server->said, sizeof server->said, "%s", message);
    return 1; /* civetweb is not to write it anywhere itself */
}

/* ---- start and stop ---- */

/* civetweb at server->civetweb, or NULL; server->said or `failure` says why. */
static struct mg_context *civetweb_start(struct http_server *server, struct mg_error_data *failure)
{
    char listen_text[ADDRESS_TEXT_BYTES];
    address_format(&server->civetweb, listen_text);
    /* clang-format off */
    const char *settings[] = {
        "listening_ports", listen_text,
        "num_threads", "2",
        "connection_queue", "16",
        "max_request_size", "17408", /* more than http_request_write can write of HTTP_HEAD_BYTES */
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
    struct mg_init_data init = {&callbacks, server, settings};
    return mg_start2(&init, failure);
}

static bool server_open(struct http_server *server, char error[static HTTP_SERVER_ERROR_BYTES])
{
    const struct address *listen = &server->options.listen;
    address_parse("127.0.0.1", 1, &server->civetweb);
    server->civetweb.port = server->options.civetweb_port;
    /* By name: the members differ between versions of the library. */
    struct mg_error_data failure = {.text = error, .text_buffer_size = HTTP_SERVER_ERROR_BYTES};
    server->context = civetweb_start(server, &failure);
    if (!server->context) {
        if (*server->said) snprintf(error, HTTP_SERVER_ERROR_BYTES, "%s", server->said);
        return false;
    }
    struct mg_server_port port = {0};
    mg_get_server_ports(server->context, 1, &port);
    server->civetweb.port = (uint16_t)port.port;
    server->front = http_front_start(listen, server->civetweb.port);
    if (server->front) return true;
    char text[ADDRESS_TEXT_BYTES];
    snprintf(error, HTTP_SERVER_ERROR_BYTES, "cannot bind to %s: %s", address_format(listen, text), strerror(errno));
    return false;
}

/* Two sockets with SO_REUSEADDR may have the same port as long as at most one of them listens; civetweb sets it. */
int http_server_reserve_port(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, size) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        *ret_port = ntohs(address.sin_port);
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct http_server *http_server_start(const struct http_server_options *options,
                                      char error[static HTTP_SERVER_ERROR_BYTES])
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, HTTP_SERVER_ERROR_BYTES, "no memory");
        return NULL;
    }
    server->options = *options;
    server->starter = pthread_self();
    mg_init_library(MG_FEATURES_DEFAULT);
    if (server_open(server, error)) return server;
    http_server_stop(server);
    return NULL;
}

uint16_t http_server_port(const struct http_server *server)
{
    return http_front_port(server->front);
}

static void *stop_run(void *context)
{
    mg_stop(context);
    return NULL;
}

/* A connection begun and given up. */
static void connect_briefly(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)!connect(fd, (const struct sockaddr *)&storage, size);
    close(fd);
}

/* civetweb's accepting thread looks whether it is to stop only when a connection comes, or after 2 s, which a restart
 * would cost. So it is stopped on a thread of its own while this one connects. */
static void civetweb_stop(struct http_server *server)
{
    pthread_t stopper;
    if (pthread_create(&stopper, NULL, stop_run, server->context) != 0) {
        mg_stop(server->context);
        return;
    }
    struct timespec until;
    do {
        connect_briefly(&server->civetweb);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 10 * (long)NS_PER_MS;
        until.tv_sec += until.tv_nsec / (long)NS_PER_S;
        until.tv_nsec %= (long)NS_PER_S;
    } while (pthread_timedjoin_np(stopper, NULL, &until) != 0);
}

void http_server_stop(struct http_server *server)
{
    if (!server) return;
    http_front_stop(server->front);
    if (server->context) civetweb_stop(server);
    mg_exit_library();
    free(server);
}

bool http_server_parameter(const char *query, const char *name, char *out, size_t size)
{
    return query && mg_get_var(query, strlen(query), name, out, size) >= 0;
}

bool http_server_has_parameter(const char *query, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = query; at && *at; at = strchr(at, '&')) {
        if (*at == '&') at++;
        if (strncasecmp(at, name, size) == 0 && at[size] == '=') return true;
    }
    return false;
}

const char *http_server_library_version(void)
{
    return mg_version();
}
