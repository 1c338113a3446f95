/* fake_transport: clients without sockets: what each was given, and how often each of its queries was ended. */
#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/list.h"
#include "dns/message.h"
#include "queries/transport.h"

enum { FAKE_CLIENTS = 64, FAKE_KEEPALIVE_100MS = 300 };

struct fake_client {
    bool gone;
    bool aborted;
    bool was_batched; /* the query that ended last */
    unsigned begun;   /* queries handed over */
    unsigned ended;   /* of them, with a reply or without */
    unsigned replies; /* of them, with one */
    uint8_t *room;    /* of begin_reply; exactly as large as asked for, so that a sanitizer sees who writes beyond */
    uint8_t *reply;   /* the last */
    size_t size;
};

struct fake_transport {
    struct transport transport;
    bool short_of_memory;
    struct fake_client clients[FAKE_CLIENTS];
};

static inline struct fake_client *fake_client(const struct requester *requester)
{
    struct fake_transport *fake = container_of(requester->transport, struct fake_transport, transport);
    assert_true(requester->client.index < FAKE_CLIENTS);
    struct fake_client *client = &fake->clients[requester->client.index];
    return client->gone ? NULL : client;
}

static inline uint8_t *fake_begin_reply(const struct requester *requester, size_t capacity)
{
    struct fake_client *client = fake_client(requester);
    if (!client || container_of(requester->transport, struct fake_transport, transport)->short_of_memory) return NULL;
    free(client->room);
    client->room = malloc(capacity);
    return client->room;
}

static inline void fake_end_reply(const struct requester *requester, size_t size)
{
    struct fake_client *client = fake_client(requester);
    if (!client) return;
    client->was_batched = requester->batched;
    client->ended++;
    if (size == 0) return;
    assert_non_null(client->room);
    free(client->reply);
    client->reply = client->room;
    client->room = NULL;
    client->size = size;
    client->replies++;
}

static inline void fake_abort(const struct requester *requester)
{
    struct fake_client *client = fake_client(requester);
    if (client) client->aborted = true;
}

static inline void fake_transport_init(struct fake_transport *fake)
{
    *fake = (struct fake_transport){.transport = {
                                        .max_reply_bytes = DNS_MESSAGE_MAX,
                                        .begin_reply = fake_begin_reply,
                                        .end_reply = fake_end_reply,
                                        .abort = fake_abort,
                                        .keepalive_100ms = FAKE_KEEPALIVE_100MS,
                                    }};
}

static inline void fake_transport_done(struct fake_transport *fake)
{
    for (int i = 0; i < FAKE_CLIENTS; i++) {
        free(fake->clients[i].room);
        free(fake->clients[i].reply);
    }
}

#endif
