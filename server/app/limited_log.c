#include "app/limited_log.h"

#include <string.h>

#include "common/address.h"
#include "common/clock.h"

#define MINUTE_NS (60 * NS_PER_S)

static const double window_s = (double)RATELIMIT_WINDOW_NS / (double)NS_PER_S;

void limited_log_init(struct limited_log *limited, const struct log *log)
{
    *limited = (struct limited_log){.log = log};
}

bool limited_log_is_due(const struct limited_log *limited, uint64_t now_ns)
{
    return now_ns / RATELIMIT_WINDOW_NS != limited->window;
}

/* The client's place, or a free one; NULL where all are taken. */
static struct limited_client *place_of(struct limited_log *limited, const uint8_t ip[static 16])
{
    struct limited_client *unused = NULL;
    for (unsigned i = 0; i < LIMITED_LOG_CLIENTS; i++) {
        struct limited_client *client = &limited->clients[i];
        if (client->written_ns == 0)
            unused = client;
        else if (memcmp(client->ip, ip, sizeof client->ip) == 0)
            return client;
    }
    return unused;
}

static void write_client(const struct limited_log *limited, struct limited_client *client, uint64_t now_ns)
{
    struct address address = {0};
    char text[ADDRESS_TEXT_BYTES];
    memcpy(address.ip, client->ip, sizeof address.ip);
    address_format_ip(&address, text);
    log_warning(limited->log, "client limited", log_text("client", text),
                log_number("refused", (uint64_t)(client->refused + 0.5)),
                log_number("seconds", (uint64_t)(client->seconds + 0.5)));
    client->written_ns = now_ns;
    client->refused = client->seconds = 0;
}

static void write_others(struct limited_log *limited, uint64_t now_ns)
{
    if (limited->others_ns != 0 && now_ns - limited->others_ns < MINUTE_NS) return;
    limited->others_ns = now_ns;
    log_warning(limited->log, "more clients limited", log_number("followed", LIMITED_LOG_CLIENTS));
}

static void note(struct limited_log *limited, const struct ratelimit_client *seen, uint64_t now_ns)
{
    struct limited_client *client = place_of(limited, seen->ip);
    if (!client) {
        write_others(limited, now_ns);
        return;
    }
    bool begins = client->written_ns == 0;
    if (begins) memcpy(client->ip, seen->ip, sizeof client->ip);
    client->refused += seen->refused_per_s * window_s;
    client->seconds += window_s;
    if (begins) write_client(limited, client, now_ns);
}

void limited_log_look(struct limited_log *limited, const struct ratelimit_client *clients, size_t count,
                      uint64_t now_ns)
{
    limited->window = now_ns / RATELIMIT_WINDOW_NS;
    for (size_t i = 0; i < count; i++) note(limited, &clients[i], now_ns);
    for (unsigned i = 0; i < LIMITED_LOG_CLIENTS; i++) {
        struct limited_client *client = &limited->clients[i];
        if (client->written_ns == 0 || now_ns - client->written_ns < MINUTE_NS) continue;
        if (client->refused > 0)
            write_client(limited, client, now_ns);
        else
            client->written_ns = 0; /* a minute without: it is over */
    }
}
