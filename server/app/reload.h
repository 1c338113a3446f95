/* reload: gives a running server another configuration or another CA bundle, in two steps. Everything that can fail
 * (the bundle, sockets, memory) is prepared first; only then is anything changed, so a reload that is refused leaves
 * everything as it was. Which settings a reload applies is said by the table (config/settings.c). Main thread. */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include <stdbool.h>

#include "app/server.h"
#include "clients/listener.h"
#include "upstream/tls.h"

enum { RELOAD_ERROR_BYTES = 512 };

/* Takes the configuration. A changed setting that needs a restart keeps its former value, also in what is shown, and is
 * logged by its key; so is `listen` if systemd passes the sockets. False: `ret_error` says why; nothing was changed,
 * and the configuration is still the caller's. */
bool reload_apply(struct server *server, struct config *config, char ret_error[static RELOAD_ERROR_BYTES]);

/* Loads the CA bundle again from its file. False: `ret_error` says why, and the former bundle stays in use. */
bool reload_apply_bundle(struct server *server, char ret_error[static RELOAD_ERROR_BYTES]);

/* The hosts file has changed: the workers get other names. False: memory is short, and nothing changes. */
bool reload_apply_hosts(struct server *server);

/* Tries the addresses again that the machine did not have. Nothing happens if it still does not have them. */
void reload_retry_listeners(struct server *server);

#endif
