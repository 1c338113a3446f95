#include "app/announce.h"

#include "config/settings.h"
#include "upstream/tls.h"

static void announce_udp(const struct server *server)
{
    const struct udp_listeners *listeners = &server->udp.listeners;
    unsigned count = listeners->of_worker[0].count;
    for (unsigned i = 0; i < count; i++) {
        char text[ADDRESS_TEXT_BYTES];
        log_info(server->log, "listening", log_text("address", address_format(&listeners->addresses[i], text)),
                 log_text("transport", "udp"));
    }
    if (listeners->inherited && server->config.udp.enabled && count == 0)
        log_warning(server->log, "no UDP", log_text("why", "systemd passed no datagram socket"),
                    log_text("do", "add ListenDatagram= to the socket unit"));
}

/* Whether systemd passed a socket for the address. */
static bool is_passed(const struct listeners *listeners, const struct address *address)
{
    for (unsigned i = 0; i < listeners->count; i++)
        if (address_equal(&listeners->addresses[i], address)) return true;
    return false;
}

/* With sockets of systemd's the setting has no say. Its default was not chosen by anybody. */
static void announce_ignored_listen(const struct server *server)
{
    const struct setting *setting = settings_find(settings_of_config(), "listen");
    const struct acceptor_options *acceptor = &server->config.acceptor;
    bool is_ignored = false;
    if (!server->listeners.inherited || setting_is_default(setting, &server->config)) return;
    for (unsigned i = 0; i < acceptor->listen_count; i++)
        is_ignored |= !is_passed(&server->listeners, &acceptor->listen[i]);
    if (is_ignored)
        log_warning(server->log, "setting ignored", log_text("setting", setting->key),
                    log_text("why", LISTEN_IGNORED_WHY));
}

void announce(const struct server *server)
{
    const struct config *config = &server->config;
    for (unsigned i = 0; i < server->listeners.count; i++) {
        char text[ADDRESS_TEXT_BYTES];
        log_info(server->log, "listening", log_text("address", address_format(&server->listeners.addresses[i], text)));
    }
    announce_udp(server);
    announce_ignored_listen(server);
    log_info(server->log, "started", log_text("version", PROJECT_VERSION), log_number("workers", config->workers),
             log_number("upstreams", config->pool.upstream_count), log_text("ca_file", tls_ca_path(&config->tls)),
             log_number("cache_bytes", config->cache.max_bytes),
             log_number("max_connections", config->connections.max_connections),
             log_number("http_port", config->endpoint.listen.port));
}
