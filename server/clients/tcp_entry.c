#include "clients/tcp_entry.h"

#include <stdlib.h>
#include <unistd.h>

bool tcp_entry_enter(struct tcp_client *client, struct tcp_clients *clients)
{
    client->clients = clients;
    if (loop_add(clients->loop, &client->source, TCP_CLIENT_EVENTS)) return true;
    tcp_entry_free(client);
    return false;
}

void tcp_entry_free(struct tcp_client *client)
{
    tcp_entry_close(client->clients, client->source.fd, &client->address, client->counted_bits);
    free(client);
}

void tcp_entry_close(struct tcp_clients *clients, int fd, const struct address *address, uint8_t counted_bits)
{
    close(fd);
    connections_release(clients->connections, address, counted_bits);
    atomic_fetch_sub_explicit(clients->load, 1, memory_order_relaxed);
}
