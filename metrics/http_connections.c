#include "metrics/http_connections.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "metrics/http_request.h"
#include "metrics/http_response.h"

enum {
    READ_BYTES = 16 * 1024,           /* taken off the server at once */
    DISCARDED_BYTES_MAX = 256 * 1024, /* of a client that continues to send; after that a reset is acceptable */
};

/* Counted from when the state began, not from the last byte: a trickle does not make it longer. */
static const uint64_t state_timeout_ns[HTTP_STATES] = {
    [HTTP_IDLE] = 5 * NS_PER_S,        /* a page that asks each second keeps its connection */
    [HTTP_HEAD] = 2 * NS_PER_S,        /* it is one packet */
    [HTTP_WAITING] = 5 * NS_PER_S,     /* the server answers within milliseconds, or hangs */
    [HTTP_FORWARDED] = 5 * NS_PER_S,   /* the same */
    [HTTP_RESPONDING] = 10 * NS_PER_S, /* 200 kB over a poor line */
    [HTTP_CLOSING] = 2 * NS_PER_S,     /* a round trip */
};

/* ---- states ---- */

static void enter(struct http_connection *connection, enum http_state state)
{
    connection->state = state;
    timeouts_start(&connection->table->states[state], &connection->age, connection->table->loop->now_ns);
}

/* Of those in a state, the one in it longest, or NULL. */
static struct http_connection *oldest_in(const struct http_connections *connections, enum http_state state)
{
    struct list *node = list_first(&connections->states[state].members);
    return node ? container_of(node, struct http_connection, age.node) : NULL;
}

/* Its socket is closed by a reset: the answer is here, and a port would be kept a minute for nothing otherwise. */
static void close_server(struct http_connection *connection)
{
    if (connection->server.fd < 0) return;
    setsockopt(connection->server.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    loop_forget(connection->table->loop, &connection->server);
    close(connection->server.fd);
    connection->server.fd = -1;
    connection->table->forwarded--;
}

/* Nothing is kept for the next: answers are rare and large. */
static void drop_response(struct http_connection *connection)
{
    buffers_give(&connection->table->buffers, connection->response);
    buffers_done(&connection->table->buffers);
    connection->response = NULL;
}

/* The steps below say whether there is more to do at once: there is not. */
static bool connection_close(struct http_connection *connection)
{
    close_server(connection);
    drop_response(connection);
    loop_forget(connection->table->loop, &connection->client);
    close(connection->client.fd);
    enter(connection, HTTP_FREE);
    return false;
}

/* A response of our own, the last one of the connection. */
static bool refuse(struct http_connection *connection, int status)
{
    char head[HTTP_RESPONSE_HEAD_BYTES];
    struct http_response response = {.close = true};
    http_response_set_status(&response, status);
    size_t size = http_response_write_head(&response, clock_wall_s(), head);
    close_server(connection);
    drop_response(connection);
    connection->response = buffers_borrow(&connection->table->buffers);
    if (!connection->response || size == 0 || !buffer_add(connection->response, head, size) ||
        !buffer_add(connection->response, response.body, response.size))
        return connection_close(connection);
    connection->last = true;
    enter(connection, HTTP_RESPONDING);
    return true;
}

/* ---- the steps of a connection: each does what can be done now; true: the next may be done at once ---- */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static bool wait_step(struct http_connection *connection)
{
    (void)connection;
    return false;
}

/* After a request that is refused, where the next one begins is unknown: the connection ends. */
static bool take_request(struct http_connection *connection)
{
    int status = http_request_parse(connection->head, connection->request_bytes, &connection->request);
    if (status != 0) return refuse(connection, status);
    enter(connection, HTTP_WAITING);
    return false;
}

static bool read_head(struct http_connection *connection)
{
    connection->request_bytes = http_request_head_size(connection->head, connection->head_bytes);
    if (connection->request_bytes > 0) return take_request(connection);
    if (connection->head_bytes == HTTP_HEAD_BYTES) return refuse(connection, 431);
    ssize_t got = read(connection->client.fd, connection->head + connection->head_bytes,
                       HTTP_HEAD_BYTES - connection->head_bytes);
    if (got < 0 && would_block()) return false;
    if (got <= 0) return connection_close(connection);
    connection->head_bytes += (size_t)got;
    if (connection->state == HTTP_IDLE) enter(connection, HTTP_HEAD);
    return true;
}

/* The request waits where the response will be. */
static bool send_request(struct http_connection *connection)
{
    const struct buffer *request = connection->response;
    ssize_t sent = send(connection->server.fd, buffer_data(request), buffer_size(request), MSG_NOSIGNAL);
    if (sent < 0) return would_block() ? false : refuse(connection, 503);
    buffer_drop(connection->response, (size_t)sent);
    connection->is_sent = buffer_size(request) == 0;
    return true;
}

/* All that is held for all, by what the memory of it is. */
static size_t responses_bytes(const struct http_connections *connections)
{
    size_t sum = 0;
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        if (connections->list[i].response) sum += connections->list[i].response->capacity;
    return sum;
}

static void bound_responses(struct http_connections *connections)
{
    struct http_connection *slowest;
    while (responses_bytes(connections) > HTTP_RESPONSES_BYTES_MAX &&
           (slowest = oldest_in(connections, HTTP_RESPONDING)))
        connection_close(slowest);
}

static bool is_to_head(const struct http_connection *connection)
{
    const struct http_text *method = &connection->request.method;
    return method->size == 4 && memcmp(method->bytes, "HEAD", 4) == 0;
}

/* The server has closed. A response that it did not finish would leave the client waiting for the rest of it. */
static bool response_complete(struct http_connection *connection)
{
    const struct buffer *response = connection->response;
    close_server(connection);
    if (buffer_size(response) == 0) return connection_close(connection);
    if (!http_response_is_whole(buffer_data(response), buffer_size(response), is_to_head(connection)))
        return refuse(connection, 503);
    connection->last = connection->request.is_last ||
                       http_response_is_last(buffer_data(connection->response), buffer_size(connection->response));
    connection->head_bytes -= connection->request_bytes;
    memmove(connection->head, connection->head + connection->request_bytes, connection->head_bytes);
    enter(connection, HTTP_RESPONDING);
    return true;
}

/* The server ends its answer by closing. */
static bool exchange(struct http_connection *connection)
{
    if (!connection->is_sent) return send_request(connection);
    uint8_t *room = buffer_room(connection->response, READ_BYTES);
    if (!room || connection->response->capacity > HTTP_RESPONSE_BYTES_MAX) return refuse(connection, 503);
    bound_responses(connection->table);
    ssize_t got = read(connection->server.fd, room, READ_BYTES);
    if (got < 0) return would_block() ? false : refuse(connection, 503);
    if (got == 0) return response_complete(connection);
    buffer_use_room(connection->response, (size_t)got);
    return true;
}

static bool write_response(struct http_connection *connection)
{
    ssize_t sent =
        send(connection->client.fd, buffer_data(connection->response), buffer_size(connection->response), MSG_NOSIGNAL);
    if (sent < 0) return would_block() ? false : connection_close(connection);
    buffer_drop(connection->response, (size_t)sent);
    if (buffer_size(connection->response) > 0) return true;
    drop_response(connection);
    if (connection->last || connection->table->crowded) {
        shutdown(connection->client.fd, SHUT_WR);
        connection->discarded_bytes = 0;
        enter(connection, HTTP_CLOSING);
    } else {
        enter(connection, connection->head_bytes > 0 ? HTTP_HEAD : HTTP_IDLE);
    }
    return true;
}

static bool discard(struct http_connection *connection)
{
    ssize_t got = read(connection->client.fd, connection->head, HTTP_HEAD_BYTES);
    if (got < 0 && would_block()) return false;
    if (got <= 0) return connection_close(connection);
    connection->discarded_bytes += (size_t)got;
    return connection->discarded_bytes < DISCARDED_BYTES_MAX ? true : connection_close(connection);
}

static void connection_turn(struct http_connection *connection)
{
    static bool (*const steps[HTTP_STATES])(struct http_connection *) = {
        [HTTP_FREE] = wait_step,    [HTTP_IDLE] = read_head,     [HTTP_HEAD] = read_head,
        [HTTP_WAITING] = wait_step, [HTTP_FORWARDED] = exchange, [HTTP_RESPONDING] = write_response,
        [HTTP_CLOSING] = discard,
    };
    while (steps[connection->state](connection)) {
    }
}

static void on_client(struct loop_source *source, uint32_t events)
{
    (void)events;
    connection_turn(container_of(source, struct http_connection, client));
}

static void on_server(struct loop_source *source, uint32_t events)
{
    (void)events;
    connection_turn(container_of(source, struct http_connection, server));
}

/* ---- all of them ---- */

void http_connections_init(struct http_connections *connections, struct loop *loop, const struct address *server)
{
    memset(connections, 0, offsetof(struct http_connections, heads));
    connections->loop = loop;
    connections->server = *server;
    buffers_init(&connections->buffers);
    for (int i = 0; i < HTTP_STATES; i++) timeouts_init(&connections->states[i], state_timeout_ns[i]);
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        connections->list[i].table = connections;
        connections->list[i].head = connections->heads[i];
        connections->list[i].client = (struct loop_source){-1, on_client};
        connections->list[i].server = (struct loop_source){-1, on_server};
        timeout_init(&connections->list[i].age);
        enter(&connections->list[i], HTTP_FREE);
    }
}

void http_connections_done(struct http_connections *connections)
{
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        if (connections->list[i].state != HTTP_FREE) connection_close(&connections->list[i]);
    buffers_done(&connections->buffers);
}

/* The connection to replace by a new one, or NULL. */
static struct http_connection *oldest_evictable(const struct http_connections *connections)
{
    static const enum http_state may[] = {HTTP_IDLE, HTTP_HEAD, HTTP_RESPONDING, HTTP_CLOSING};
    struct http_connection *found = NULL;
    for (unsigned i = 0; i < sizeof may / sizeof *may; i++) {
        struct http_connection *connection = oldest_in(connections, may[i]);
        if (connection && (!found || connection->age.started_ns < found->age.started_ns)) found = connection;
    }
    return found;
}

bool http_connections_have_slot(struct http_connections *connections)
{
    connections->crowded = !oldest_in(connections, HTTP_FREE) && !oldest_evictable(connections);
    return !connections->crowded;
}

void http_connections_open(struct http_connections *connections, int fd)
{
    struct http_connection *connection = oldest_in(connections, HTTP_FREE);
    if (!connection && (connection = oldest_evictable(connections))) connection_close(connection);
    if (!connection) {
        close(fd);
        return;
    }
    connection->client.fd = fd;
    connection->head_bytes = 0;
    enter(connection, HTTP_IDLE);
    if (loop_add(connections->loop, &connection->client, EPOLLIN | EPOLLOUT))
        connection_turn(connection); /* its request may be there; once read, it is not replaced by later connections */
    else
        connection_close(connection);
}

/* A connection begun, or -1. */
static int connect_to(const struct address *server)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(server, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&storage, size) == 0 || errno == EINPROGRESS) return fd;
    close(fd);
    return -1;
}

static void forward_begin(struct http_connection *connection)
{
    struct http_connections *connections = connection->table;
    connection->server.fd = connect_to(&connections->server);
    connections->forwarded += connection->server.fd >= 0;
    connection->response = buffers_borrow(&connections->buffers);
    connection->is_sent = false;
    enter(connection, HTTP_FORWARDED);
    if (connection->server.fd < 0 || !connection->response ||
        !http_request_write(&connection->request, connection->response) ||
        !loop_add(connections->loop, &connection->server, EPOLLIN | EPOLLOUT))
        refuse(connection, 503);
    connection_turn(connection);
}

static void on_timeout(struct http_connection *connection)
{
    if (connection->state == HTTP_HEAD)
        refuse(connection, 408);
    else if (connection->state == HTTP_WAITING || connection->state == HTTP_FORWARDED)
        refuse(connection, 503);
    else
        connection_close(connection);
    connection_turn(connection);
}

void http_connections_turn(struct http_connections *connections)
{
    struct timeout *age;
    for (int i = 0; i < HTTP_STATES; i++)
        while ((age = timeouts_take_expired(&connections->states[i], connections->loop->now_ns)))
            on_timeout(container_of(age, struct http_connection, age));
    struct http_connection *next;
    while (connections->forwarded < HTTP_FORWARDED_MAX && (next = oldest_in(connections, HTTP_WAITING)))
        forward_begin(next);
}

uint64_t http_connections_deadline_ns(const struct http_connections *connections)
{
    uint64_t deadline_ns = CLOCK_NEVER;
    for (int i = 0; i < HTTP_STATES; i++) {
        uint64_t state_ns = timeouts_deadline_ns(&connections->states[i]);
        if (state_ns < deadline_ns) deadline_ns = state_ns;
    }
    return deadline_ns;
}
