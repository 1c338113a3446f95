/* path_client: a client with its end of a socket: what it sent, what it may still be answered, and whether what comes
 * is an answer to that. */
#ifndef PATH_CLIENT_H
#define PATH_CLIENT_H

#include "records.h" /* first: ldns wants to be */

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/message.h"
#include "dns/question.h"
#include "path_world.h"

enum { SENT_MAX = 128 * 1024, ASKS_MAX = SENT_MAX / 16, RECEIVED_MAX = 2 * (2 + DNS_MESSAGE_MAX), SMALL_BUFFER = 4096 };

/* A whole message that was sent: where it lies in what was. */
struct ask_sent {
    size_t at;
    size_t size; /* of what the proxy looks at */
};

struct path_client {
    int fd;
    struct address address;
    bool refused;
    bool small; /* its kernel takes little for it */
    bool reads;
    bool shut;   /* sends no more */
    bool closed; /* by the proxy */
    uint8_t sent[SENT_MAX];
    size_t sent_size;
    size_t framed;                      /* of that, whole messages */
    size_t noted;                       /* where the one begins that was noted last */
    struct ask_sent attempts[ASKS_MAX]; /* not answered yet */
    size_t ask_count;
    uint8_t received[RECEIVED_MAX];
    size_t received_size;
};

/* Where those that left wait for answers in such a number that there is no room, it is closed from the start. */
static inline void path_client_open(struct path_client *client)
{
    int fds[2];
    int size = SMALL_BUFFER;
    uint8_t bits = 0;
    client->sent_size = client->framed = client->noted = client->ask_count = client->received_size = 0;
    client->reads = true;
    client->shut = false;
    client->closed =
        connections_admit(world.connections, &client->address, world.now_ns, &bits) != CONNECTIONS_ADMITTED;
    client->fd = -1;
    if (client->closed) return;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    if (client->small) setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    client->fd = fds[0];
    atomic_fetch_add(&world.load, 1);
    need(tcp_client_start(&world.clients, fds[1], &client->address, bits));
}

static inline void path_client_close(struct path_client *client)
{
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
}

/* ---- asking ---- */

/* Notes the messages that are whole now. Of one that is too long the proxy looks at the front. */
static inline void note_asks(struct path_client *client)
{
    while (client->sent_size - client->framed >= FRAME_LENGTH_BYTES) {
        size_t size = dns_u16(client->sent + client->framed);
        size_t looked_at = size > MAX_QUERY_BYTES ? MAX_QUERY_BYTES : size;
        size_t there = client->sent_size - client->framed - FRAME_LENGTH_BYTES;
        size_t at = client->framed + FRAME_LENGTH_BYTES;
        if (there < looked_at) return;
        if (at > client->noted) client->attempts[client->ask_count++] = (struct ask_sent){at, looked_at};
        client->noted = at;
        if (there < size) return;
        client->framed = at + size;
    }
}

/* As much as the socket takes. */
static inline void path_client_send(struct path_client *client, const void *bytes, size_t size)
{
    if (client->shut || client->closed || SENT_MAX - client->sent_size < size) return;
    if (ASKS_MAX - client->ask_count < size) return;
    ssize_t sent = send(client->fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return;
    memcpy(client->sent + client->sent_size, bytes, (size_t)sent);
    client->sent_size += (size_t)sent;
    note_asks(client);
}

static inline void path_client_shut(struct path_client *client)
{
    client->shut = true;
    if (client->fd >= 0) shutdown(client->fd, SHUT_WR);
}

/* ---- being answered ---- */

/* What the upstream of these tests says of a question, so that whoever gets another's answer notices. */
static inline uint32_t data_of(const struct question_key *key)
{
    static const struct hash_key hash_key = {3, 4};
    return (uint32_t)hash_bytes(&hash_key, key->bytes, key->size - 1); /* whatever its flags */
}

/* Whether the reply repeats what was asked: the question as it was spelt, or none where it was none. */
static inline bool repeats(const uint8_t *reply, const uint8_t *message, size_t size)
{
    struct question question;
    if (size < DNS_HEADER_BYTES || message_id(message) != message_id(reply)) return false;
    if (question_parse(message, size, &question) == QUESTION_CLOSE) return false;
    if (message_count(reply, DNS_QUESTION) == 0) return !question.name;
    return question.name &&
           memcmp(message + DNS_HEADER_BYTES, reply + DNS_HEADER_BYTES, question.name_size + (size_t)4) == 0;
}

static inline void check_data(const uint8_t *reply, size_t size, const uint8_t *message, size_t message_size)
{
    struct reader reader = {.message = reply, .size = size, .at = DNS_HEADER_BYTES};
    struct question question;
    struct question_key key;
    struct record record;
    if (message_count(reply, DNS_ANSWER) == 0) return;
    if (question_parse(message, message_size, &question) != QUESTION_GOOD) return;
    question_key(&question, &key);
    reader_name(&reader, false);
    reader_skip(&reader, 4);
    reader_record(&reader, &record);
    need(!reader.failed && record.type == question.type && record.data_size == 4);
    need(dns_u32(reply + record.data) == data_of(&key));
}

/* It is one, and the reply to something this client asked that was not answered before. */
static inline void check_reply(struct path_client *client, const uint8_t *reply, size_t size, bool with_data)
{
    size_t i = 0;
    need(size >= DNS_HEADER_BYTES && message_flags(reply) & DNS_QR && message_count(reply, DNS_QUESTION) <= 1);
    need_ldns_to_read(reply, size);
    while (i < client->ask_count && !repeats(reply, client->sent + client->attempts[i].at, client->attempts[i].size))
        i++;
    need(i < client->ask_count);
    if (with_data) check_data(reply, size, client->sent + client->attempts[i].at, client->attempts[i].size);
    client->attempts[i] = client->attempts[--client->ask_count];
}

static inline void check_replies(struct path_client *client, bool with_data)
{
    size_t at = 0;
    struct frame frame;
    while (frame_next(client->received + at, client->received_size - at, &frame) == FRAME_WHOLE) {
        check_reply(client, client->received + at + FRAME_LENGTH_BYTES, frame.size, with_data);
        at += FRAME_LENGTH_BYTES + frame.size;
    }
    client->received_size -= at;
    memmove(client->received, client->received + at, client->received_size);
}

/* Reads what is there; true where something was. */
static inline bool path_client_read(struct path_client *client, bool with_data)
{
    bool some = false;
    while (client->reads && !client->closed) {
        size_t room = RECEIVED_MAX - client->received_size;
        ssize_t got = recv(client->fd, client->received + client->received_size, room, 0);
        if (got < 0 && errno == EAGAIN) break;
        some = true;
        client->closed = got <= 0;
        if (got <= 0) break;
        client->received_size += (size_t)got;
        check_replies(client, with_data);
        if ((size_t)got < room) break;
    }
    return some;
}

#endif
