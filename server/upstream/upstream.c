#include "upstream/upstream.h"

#include <stdio.h>

#include "common/clock.h"
#include "upstream/session.h"

void upstream_init(struct upstream *upstream, const struct upstream_options *options, unsigned index)
{
    *upstream = (struct upstream){.options = *options, .index = index, .idle_limit_ns = CLOCK_NEVER};
    char address[ADDRESS_TEXT_BYTES];
    snprintf(upstream->label, sizeof upstream->label, "%s#%s", address_format(&options->address, address),
             options->name);
    list_init(&upstream->sessions);
}

void upstream_done(struct upstream *upstream)
{
    tls_ticket_free(upstream->ticket);
    upstream->ticket = NULL;
}

static unsigned count(const struct upstream *upstream, bool (*is_counted)(const struct session *))
{
    unsigned sessions = 0;
    list_for_each (node, &upstream->sessions) sessions += is_counted(container_of(node, struct session, of_upstream));
    return sessions;
}

static bool is_connecting(const struct session *session)
{
    return session->state == SESSION_CONNECTING || session->state == SESSION_HANDSHAKING;
}

unsigned upstream_connecting_sessions(const struct upstream *upstream)
{
    return count(upstream, is_connecting);
}

unsigned upstream_open_sessions(const struct upstream *upstream)
{
    return count(upstream, session_is_open);
}
