/* renewal: a running server gets another configuration or another CA bundle, in two steps. What may not be to be had
 * (the bundle, sockets, memory) is made first; only when all of it is there is anything changed, so a reload that is
 * refused leaves everything as it was. Main thread. */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include <stdbool.h>

#include "app/server.h"
#include "clients/listener.h"
#include "upstream/tls.h"

enum { RELOAD_ERROR_BYTES = 256 };

/* Takes the configuration. Settings that want a restart stay as they are, also in what is shown, and are logged. False:
 * `ret_error` says why; nothing was changed, and the configuration is the caller's still, to be freed. */
bool reload_apply(struct server *server, struct config *config, char ret_error[static RELOAD_ERROR_BYTES]);

/* The bundle alone, as its file is now. False: it is bad, `ret_error` says why, and the former one stays in use. */
bool reload_apply_bundle(struct server *server, char ret_error[static RELOAD_ERROR_BYTES]);

#endif
