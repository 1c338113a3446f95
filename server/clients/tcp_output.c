#include "clients/tcp_output.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/clock.h"

/* Sends from `bytes`; what the socket took, 0 if it is full. False: the connection broke. */
static bool send_some(struct tcp_client *client, const uint8_t *bytes, size_t size, size_t *ret_sent)
{
    ssize_t sent = send(client->source.fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    *ret_sent = sent > 0 ? (size_t)sent : 0;
    return true;
}

void tcp_output_flush(struct tcp_client *client)
{
    struct tcp_clients *clients = client->clients;
    size_t sent;
    if (!client->unsent) return;
    if (!send_some(client, buffer_data(client->unsent), buffer_size(client->unsent), &sent)) {
        tcp_client_fail(client, LABEL_CLOSED_ERROR);
        return;
    }
    buffer_drop(client->unsent, sent);
    if (buffer_size(client->unsent) == 0) {
        buffers_give(clients->buffers, client->unsent);
        client->unsent = NULL;
        timeout_stop(&client->output);
    } else if (sent > 0 || !timeout_is_running(&client->output)) {
        timeouts_start(&clients->write, &client->output, clients->loop->now_ns);
    }
}

void tcp_output_send_batch(struct tcp_client *client)
{
    struct buffer *outbox = &client->clients->outbox;
    size_t sent = 0;
    if (buffer_size(outbox) == 0) return;
    if (!client->unsent && !send_some(client, buffer_data(outbox), buffer_size(outbox), &sent))
        tcp_client_fail(client, LABEL_CLOSED_ERROR);
    buffer_drop(outbox, sent);
    size_t rest = buffer_size(outbox);
    if (rest > 0 && !client->aborted) {
        if (!client->unsent) client->unsent = buffers_borrow(client->clients->buffers);
        if (!client->unsent || !buffer_add(client->unsent, buffer_data(outbox), rest))
            tcp_client_fail(client, LABEL_CLOSED_ERROR);
        tcp_client_mark_dirty(client);
    }
    if (rest > 0) buffer_drop(outbox, rest);
}
