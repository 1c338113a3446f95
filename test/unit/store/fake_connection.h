/* fake_connection: a store without sockets, for tests of what stands on the connection: it takes the place of
 * connection.c at link time, so that a test decides what the store does, and time is a number. */
#ifndef FAKE_CONNECTION_H
#define FAKE_CONNECTION_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/connection.h"

enum { FAKE_SENT_BYTES = 1 << 20 };

/* What the test sees and decides; there is one connection at a time. */
static struct fake_store {
    struct connection *connection; /* NULL: none is open */
    unsigned opened;               /* so far */
    bool refuse;                   /* connecting fails at once */
    bool no_memory;                /* for commands */
    bool has_more;                 /* it wants to be resumed */
    unsigned resumed;
    char sent[FAKE_SENT_BYTES]; /* commands that were flushed and not looked at */
    size_t sent_size;
} fake_store;

struct connection {
    const struct connection_events *events;
    void *owner;
    struct connection_target target;
    uint8_t *unsent;
    size_t unsent_size;
};

struct connection *connection_open(const struct connection_deps *deps, const struct connection_target *target,
                                   const struct connection_events *events, void *owner)
{
    (void)deps;
    fake_store.opened++;
    errno = ECONNREFUSED;
    if (fake_store.refuse) return NULL;
    assert_null(fake_store.connection);
    struct connection *connection = calloc(1, sizeof *connection);
    assert_non_null(connection);
    *connection = (struct connection){.events = events, .owner = owner, .target = *target};
    fake_store.connection = connection;
    fake_store.sent_size = 0;
    return connection;
}

void connection_free(struct connection *connection)
{
    if (!connection) return;
    assert_ptr_equal(connection, fake_store.connection);
    fake_store.connection = NULL;
    free(connection->unsent);
    free(connection);
}

bool connection_send(struct connection *connection, const struct resp_part *parts, unsigned count)
{
    size_t size = resp_command_size(parts, count);
    if (fake_store.no_memory) return false;
    connection->unsent = realloc(connection->unsent, connection->unsent_size + size);
    assert_non_null(connection->unsent);
    connection->unsent_size += resp_write_command(parts, count, connection->unsent + connection->unsent_size);
    return true;
}

size_t connection_unsent(const struct connection *connection)
{
    return connection->unsent_size;
}

void connection_flush(struct connection *connection)
{
    if (connection->unsent_size == 0) return;
    assert_true(fake_store.sent_size + connection->unsent_size <= FAKE_SENT_BYTES);
    memcpy(fake_store.sent + fake_store.sent_size, connection->unsent, connection->unsent_size);
    fake_store.sent_size += connection->unsent_size;
    connection->unsent_size = 0;
}

void connection_resume(struct connection *connection)
{
    (void)connection;
    fake_store.has_more = false;
    fake_store.resumed++;
}

bool connection_has_more(const struct connection *connection)
{
    (void)connection;
    return fake_store.has_more;
}

/* ---- what the store does ---- */

static inline void fake_store_open(void)
{
    struct connection *connection = fake_store.connection;
    assert_non_null(connection);
    connection->events->on_open(connection->owner);
}

static inline void fake_store_end(enum connection_end end)
{
    struct connection *connection = fake_store.connection;
    assert_non_null(connection);
    connection->events->on_end(connection->owner, end, NULL);
}

/* It sends those octets, whole replies; as connection.c hands them on. */
static inline void fake_store_say_bytes(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        struct connection *connection = fake_store.connection;
        assert_non_null(connection);
        struct resp_reply reply = resp_read(at, size, ENTRY_BYTES_MAX);
        assert_int_not_equal(reply.kind, RESP_PARTIAL);
        if (reply.kind == RESP_BAD || !connection->events->on_reply(connection->owner, &reply)) {
            fake_store_end(CONNECTION_PROTOCOL);
            return;
        }
        at += reply.used;
        size -= reply.used;
    }
}

static inline void fake_store_say(const char *text)
{
    fake_store_say_bytes(text, strlen(text));
}

static inline void fake_store_say_value(const void *bytes, size_t size)
{
    char *reply = malloc(size + RESP_OVERHEAD_MAX);
    assert_non_null(reply);
    size_t head = (size_t)sprintf(reply, "$%zu\r\n", size);
    memcpy(reply + head, bytes, size);
    memcpy(reply + head + size, "\r\n", 2);
    fake_store_say_bytes(reply, head + size + 2);
    free(reply);
}

/* ---- what it was sent ---- */

/* The next command as words with a space between, which the caller frees; values that are no text as "<N octets>".
 * NULL: there is none. */
static inline char *fake_store_next(void)
{
    char *at = fake_store.sent;
    size_t parts, size;
    int used;
    if (fake_store.sent_size == 0) return NULL;
    fake_store.sent[fake_store.sent_size < FAKE_SENT_BYTES ? fake_store.sent_size : FAKE_SENT_BYTES - 1] = '\0';
    assert_int_equal(sscanf(at, "*%zu\r\n%n", &parts, &used), 1);
    at += used;
    char *words = calloc(1, 4096);
    assert_non_null(words);
    for (size_t i = 0; i < parts; i++) {
        assert_int_equal(sscanf(at, "$%zu%n", &size, &used), 1);
        at += used + 2;
        bool is_text = size < 256;
        for (size_t j = 0; j < size && is_text; j++) is_text = at[j] > ' ' && at[j] < 0x7f;
        if (i > 0) strcat(words, " ");
        if (is_text)
            strncat(words, at, size);
        else
            sprintf(words + strlen(words), "<%zu octets>", size);
        at += size + 2;
    }
    fake_store.sent_size -= (size_t)(at - fake_store.sent);
    memmove(fake_store.sent, at, fake_store.sent_size);
    return words;
}

static inline void assert_sent(const char *words)
{
    char *sent = fake_store_next();
    if (!words || !sent)
        assert_ptr_equal(sent, words); /* both NULL */
    else
        assert_string_equal(sent, words);
    free(sent);
}

#endif
