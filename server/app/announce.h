/* announce: what the log says when the program has started. Main thread. */
#ifndef APP_ANNOUNCE_H
#define APP_ANNOUNCE_H

#include "app/server.h"

/* Each address that is served, and the settings that matter most. */
void announce(const struct server *server);

#endif
