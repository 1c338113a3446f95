#include "metrics/links.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "metrics/request.h"
#include "metrics/response.h"

enum {
    READ_BYTES = 16 * 1024,     /* taken off the server at once */
    PARTING_BYTES = 256 * 1024, /* thrown away of a client that goes on sending; then a reset may tell it */
};

/* Counted from when the state began, not from the last byte: a trickle does not make it longer. */
static const uint64_t patience_ns[LINK_STATES] = {
    [LINK_IDLE] = 5 * NS_PER_S,       /* a page that asks each second keeps its connection */
    [LINK_HEAD] = 2 * NS_PER_S,       /* it is one packet */
    [LINK_WAITING] = 5 * NS_PER_S,    /* the server answers within milliseconds, or hangs */
    [LINK_ASKING] = 5 * NS_PER_S,     /* the same */
    [LINK_ANSWERING] = 10 * NS_PER_S, /* 200 kB over a poor line */
    [LINK_PARTING] = 2 * NS_PER_S,    /* a round trip */
};

/* ---- states ---- */

static void enter(struct link *link, enum link_state state)
{
    link->state = state;
    timeouts_start(&link->links->states[state], &link->age, link->links->loop->now_ns);
}

/* Of those in a state, the one in it longest, or NULL. */
static struct link *oldest_in(const struct links *links, enum link_state state)
{
    struct list *node = list_first(&links->states[state].members);
    return node ? container_of(node, struct link, age.node) : NULL;
}

/* Its socket is closed by a reset: the answer is here, and a port would be kept a minute for nothing otherwise. */
static void hang_up(struct link *link)
{
    if (link->server.fd < 0) return;
    setsockopt(link->server.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    loop_forget(link->links->loop, &link->server);
    close(link->server.fd);
    link->server.fd = -1;
    link->links->asking--;
}

/* Nothing is kept for the next: answers are rare and large. */
static void drop_answer(struct link *link)
{
    buffers_give(&link->links->buffers, link->answer);
    buffers_done(&link->links->buffers);
    link->answer = NULL;
}

/* The steps below say whether there is more to do at once: there is not. */
static bool link_close(struct link *link)
{
    hang_up(link);
    drop_answer(link);
    loop_forget(link->links->loop, &link->client);
    close(link->client.fd);
    enter(link, LINK_FREE);
    return false;
}

/* An answer of our own, the last one. */
static bool refuse(struct link *link, int status)
{
    char body[64];
    char head[RESPONSE_HEAD_BYTES];
    hang_up(link);
    drop_answer(link);
    link->answer = buffers_borrow(&link->links->buffers);
    int size = snprintf(body, sizeof body, "%d %s\n", status, response_status_text(status));
    const struct response response = {status, "text/plain; charset=utf-8", body, (size_t)size, true};
    size_t head_size = response_write_head(&response, clock_wall_s(), head);
    if (!link->answer || !buffer_add(link->answer, head, head_size) || !buffer_add(link->answer, body, response.size))
        return link_close(link);
    link->last = true;
    enter(link, LINK_ANSWERING);
    return true;
}

/* ---- the steps of a link: each does what can be done now; true: the next may be done at once ---- */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static bool wait_step(struct link *link)
{
    (void)link;
    return false;
}

static bool read_head(struct link *link)
{
    link->request_bytes = request_head_size(link->head, link->head_bytes);
    if (link->request_bytes > 0) {
        enter(link, LINK_WAITING);
        return false;
    }
    if (link->head_bytes == LINK_HEAD_BYTES) return refuse(link, 431);
    ssize_t got = read(link->client.fd, link->head + link->head_bytes, LINK_HEAD_BYTES - link->head_bytes);
    if (got < 0 && would_block()) return false;
    if (got <= 0) return link_close(link);
    link->head_bytes += (size_t)got;
    if (link->state == LINK_IDLE) enter(link, LINK_HEAD);
    return true;
}

static bool send_request(struct link *link)
{
    ssize_t sent =
        send(link->server.fd, link->head + link->asked_bytes, link->request_bytes - link->asked_bytes, MSG_NOSIGNAL);
    if (sent < 0) return would_block() ? false : refuse(link, 503);
    link->asked_bytes += (size_t)sent;
    return true;
}

/* All that is held for all, by what the memory of it is. */
static size_t answers_bytes(const struct links *links)
{
    size_t sum = 0;
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (links->list[i].answer) sum += links->list[i].answer->capacity;
    return sum;
}

static void bound_answers(struct links *links)
{
    struct link *slowest;
    while (answers_bytes(links) > ANSWERS_BYTES_MAX && (slowest = oldest_in(links, LINK_ANSWERING)))
        link_close(slowest);
}

static bool take_answer(struct link *link)
{
    hang_up(link);
    if (buffer_size(link->answer) == 0) return link_close(link);
    link->last = response_is_last(buffer_data(link->answer), buffer_size(link->answer));
    link->head_bytes -= link->request_bytes;
    memmove(link->head, link->head + link->request_bytes, link->head_bytes);
    enter(link, LINK_ANSWERING);
    return true;
}

/* The server ends its answer by closing. */
static bool ask(struct link *link)
{
    if (link->asked_bytes < link->request_bytes) return send_request(link);
    uint8_t *room = buffer_room(link->answer, READ_BYTES);
    if (!room || link->answer->capacity > ANSWER_BYTES_MAX) return refuse(link, 503);
    bound_answers(link->links);
    ssize_t got = read(link->server.fd, room, READ_BYTES);
    if (got < 0) return would_block() ? false : refuse(link, 503);
    if (got == 0) return take_answer(link);
    buffer_use_room(link->answer, (size_t)got);
    return true;
}

static bool write_answer(struct link *link)
{
    ssize_t sent = send(link->client.fd, buffer_data(link->answer), buffer_size(link->answer), MSG_NOSIGNAL);
    if (sent < 0) return would_block() ? false : link_close(link);
    buffer_drop(link->answer, (size_t)sent);
    if (buffer_size(link->answer) > 0) return true;
    drop_answer(link);
    if (link->last || link->links->crowded) {
        shutdown(link->client.fd, SHUT_WR);
        link->parting_bytes = 0;
        enter(link, LINK_PARTING);
    } else {
        enter(link, link->head_bytes > 0 ? LINK_HEAD : LINK_IDLE);
    }
    return true;
}

static bool part(struct link *link)
{
    ssize_t got = read(link->client.fd, link->head, LINK_HEAD_BYTES);
    if (got < 0 && would_block()) return false;
    if (got <= 0) return link_close(link);
    link->parting_bytes += (size_t)got;
    return link->parting_bytes < PARTING_BYTES ? true : link_close(link);
}

static void link_turn(struct link *link)
{
    static bool (*const steps[LINK_STATES])(struct link *) = {
        [LINK_FREE] = wait_step, [LINK_IDLE] = read_head,         [LINK_HEAD] = read_head, [LINK_WAITING] = wait_step,
        [LINK_ASKING] = ask,     [LINK_ANSWERING] = write_answer, [LINK_PARTING] = part,
    };
    while (steps[link->state](link)) {
    }
}

static void on_client(struct loop_source *source, uint32_t events)
{
    (void)events;
    link_turn(container_of(source, struct link, client));
}

static void on_server(struct loop_source *source, uint32_t events)
{
    (void)events;
    link_turn(container_of(source, struct link, server));
}

/* ---- all of them ---- */

void links_init(struct links *links, struct loop *loop, const struct address *server)
{
    memset(links, 0, offsetof(struct links, heads));
    links->loop = loop;
    links->server = *server;
    buffers_init(&links->buffers);
    for (int i = 0; i < LINK_STATES; i++) timeouts_init(&links->states[i], patience_ns[i]);
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        links->list[i].links = links;
        links->list[i].head = links->heads[i];
        links->list[i].client = (struct loop_source){-1, on_client};
        links->list[i].server = (struct loop_source){-1, on_server};
        timeout_init(&links->list[i].age);
        enter(&links->list[i], LINK_FREE);
    }
}

void links_done(struct links *links)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (links->list[i].state != LINK_FREE) link_close(&links->list[i]);
    buffers_done(&links->buffers);
}

/* Who gives way to a newcomer, or NULL. */
static struct link *idlest(const struct links *links)
{
    static const enum link_state may[] = {LINK_IDLE, LINK_HEAD, LINK_ANSWERING, LINK_PARTING};
    struct link *found = NULL;
    for (unsigned i = 0; i < sizeof may / sizeof *may; i++) {
        struct link *link = oldest_in(links, may[i]);
        if (link && (!found || link->age.started_ns < found->age.started_ns)) found = link;
    }
    return found;
}

bool links_have_place(struct links *links)
{
    links->crowded = !oldest_in(links, LINK_FREE) && !idlest(links);
    return !links->crowded;
}

void links_open(struct links *links, int fd)
{
    struct link *guest = oldest_in(links, LINK_FREE);
    if (!guest && (guest = idlest(links))) link_close(guest);
    if (!guest) {
        close(fd);
        return;
    }
    guest->client.fd = fd;
    guest->head_bytes = 0;
    enter(guest, LINK_IDLE);
    if (loop_add(links->loop, &guest->client, EPOLLIN | EPOLLOUT))
        link_turn(guest); /* its request may be there, and is safe from the newcomers behind it then */
    else
        link_close(guest);
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

static void begin_asking(struct link *link)
{
    struct links *links = link->links;
    link->server.fd = connect_to(&links->server);
    links->asking += link->server.fd >= 0;
    link->answer = buffers_borrow(&links->buffers);
    link->asked_bytes = 0;
    enter(link, LINK_ASKING);
    if (link->server.fd < 0 || !link->answer || !loop_add(links->loop, &link->server, EPOLLIN | EPOLLOUT))
        refuse(link, 503);
    link_turn(link);
}

static void give_up(struct link *link)
{
    if (link->state == LINK_HEAD)
        refuse(link, 408);
    else if (link->state == LINK_WAITING || link->state == LINK_ASKING)
        refuse(link, 503);
    else
        link_close(link);
    link_turn(link);
}

void links_turn(struct links *links)
{
    struct timeout *age;
    for (int i = 0; i < LINK_STATES; i++)
        while ((age = timeouts_take_expired(&links->states[i], links->loop->now_ns)))
            give_up(container_of(age, struct link, age));
    struct link *next;
    while (links->asking < ASKS_MAX && (next = oldest_in(links, LINK_WAITING))) begin_asking(next);
}

uint64_t links_deadline_ns(const struct links *links)
{
    uint64_t deadline_ns = CLOCK_NEVER;
    for (int i = 0; i < LINK_STATES; i++) {
        uint64_t state_ns = timeouts_deadline_ns(&links->states[i]);
        if (state_ns < deadline_ns) deadline_ns = state_ns;
    }
    return deadline_ns;
}
