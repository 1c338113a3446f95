#include "upstream/remote.h"

#include <stdio.h>

#include "common/clock.h"
#include "upstream/session.h"

void remote_init(struct remote *remote, const struct upstream_options *options, unsigned index)
{
    *remote = (struct remote){.options = *options, .index = index, .idle_limit_ns = CLOCK_NEVER};
    char address[ADDRESS_TEXT_BYTES];
    snprintf(remote->label, sizeof remote->label, "%s#%s", address_format(&options->address, address), options->name);
    list_init(&remote->sessions);
}

void remote_done(struct remote *remote)
{
    tls_ticket_free(remote->ticket);
    remote->ticket = NULL;
}

static unsigned count(const struct remote *remote, bool (*is_counted)(const struct session *))
{
    unsigned sessions = 0;
    list_for_each (node, &remote->sessions) sessions += is_counted(container_of(node, struct session, of_remote));
    return sessions;
}

static bool is_connecting(const struct session *session)
{
    return session->state == SESSION_CONNECTING || session->state == SESSION_HANDSHAKING;
}

unsigned remote_connecting(const struct remote *remote)
{
    return count(remote, is_connecting);
}

unsigned remote_open(const struct remote *remote)
{
    return count(remote, session_is_open);
}
